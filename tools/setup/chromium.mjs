/** The system's Chromium: found, never downloaded. Shared by the set-up and by vitest's configuration. */
import { existsSync } from 'node:fs';

const places = [
  process.env.TESSERA_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** @returns {string | undefined} the program's path */
export const findChromium = () => places.find((path) => path !== '' && existsSync(path));

/** Headless, quiet and off the network; a container's root has no sandbox. */
export const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // WebGPU on SwiftShader, the emulator that Chromium brings: pages have a GPU on every machine.
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-dawn-features=disable_workgroup_init',
];

/** With pages that are composed by an emulated Vulkan: frames of videos and WebGPU canvases work, and all is slower. */
export const composingFlags = [
  ...chromiumFlags.filter((flag) => flag !== '--disable-gpu'),
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--use-vulkan=swiftshader',
  '--enable-features=Vulkan',
  '--disable-vulkan-surface',
];
