/**
 * A GPU for tests. In Node the machine's own Vulkan driver where VK_DRIVER_FILES names one, else SwiftShader, the emulator in
 * Debian's chromium, with chromium's own Vulkan loader; a page has its GPU by the flags of tools/setup/chromium.mjs.
 */
import type { WebgpuOptions } from '../src/index';

const folder = '/usr/lib/chromium';
/** Dawn's instance must outlive its devices. */
let dawn: GPU | undefined;

/** What to hand to `webgpu()`. */
export async function emulated(): Promise<WebgpuOptions> {
  return { adapter: await emulatedAdapter() };
}

/** An adapter; it gives one device. */
export async function emulatedAdapter(): Promise<GPUAdapter> {
  const gpu = 'document' in globalThis ? navigator.gpu : await dawnInNode();
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error(wanted);
  return adapter;
}

async function dawnInNode(): Promise<GPU> {
  useEmulator();
  // SwiftShader compiles the zeroing of workgroup memory a hundred times slower than the rest, and no kernel relies on it.
  dawn ??= await dawnOf(['enable-dawn-features=allow_unsafe_apis,disable_workgroup_init']);
  return dawn;
}

/** Dawn in Node, with these flags. */
export async function dawnOf(flags: readonly string[]): Promise<GPU> {
  const name = 'webgpu';
  const { create } = (await import(/* @vite-ignore */ name)) as { create(flags: readonly string[]): GPU };
  return create(flags);
}

const wanted =
  'the tests of backend-webgpu need a GPU: Chromium from 113 on, and in Node a Vulkan driver (as root on Debian `apt-get install chromium` brings an emulated one, elsewhere name a driver in VK_DRIVER_FILES)';

/** Lets whatever asks for a Vulkan driver from now on find the emulator. */
export function useEmulator(): void {
  if (process.env['VK_DRIVER_FILES']) return;
  const { existsSync } = process.getBuiltinModule('node:fs');
  const driver = `${folder}/vk_swiftshader_icd.json`;
  if (!existsSync(driver)) throw new Error(wanted);
  process.env['VK_DRIVER_FILES'] = driver;
  const { RTLD_NOW } = process.getBuiltinModule('node:os').constants.dlopen;
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen({ exports: {} }, `${folder}/libvulkan.so.1`, RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    // It is no addon of Node, but stays loaded, and Dawn finds it by its name.
    if (!/self-register/.test(String(error))) throw error;
  }
}
