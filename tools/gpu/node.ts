/**
 * A GPU in Node: the machine's own by its Vulkan driver; where there is none, and only then, SwiftShader, the emulator in
 * Debian's chromium: right, and a thousand times slower. Whoever asks is told which of them it is.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { BackendError } from '@tessera/tensor/backend';

export interface NodeGpu {
  readonly adapter: GPUAdapter;
  readonly emulated: boolean;
}

const chromium = '/usr/lib/chromium';
export const emulator = {
  driver: `${chromium}/vk_swiftshader_icd.json`,
  loader: `${chromium}/libvulkan.so.1`,
} as const;

/** What Dawn is asked for: tensor cores, float16 on NVIDIA. */
const features = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];
/** SwiftShader compiles the zeroing of workgroup memory a hundred times slower than the rest, and no kernel relies on it. */
const quickly = 'disable_workgroup_init';

/** Dawn's instance must outlive its adapters. */
let dawn: GPU | undefined;

/** @throws BackendError that says what to install. */
export async function nodeGpu(): Promise<NodeGpu> {
  const own = process.env['VK_DRIVER_FILES'] || existsSync('/dev/dri') || existsSync('/dev/nvidia0');
  const found = (own ? await ask(features) : null) ?? (useEmulator() ? await ask([...features, quickly]) : null);
  if (!found) throw new BackendError(wanted);
  if (!isEmulated(found)) return { adapter: found, emulated: false };
  const quick = await ask([...features, quickly]);
  return { adapter: quick ?? found, emulated: true };
}

const wanted = `webgpu: no adapter in Node; install a Vulkan driver and its loader (libvulkan1), or point VK_DRIVER_FILES at the driver’s .json; without a GPU, Debian’s chromium brings an emulated one (apt-get install chromium), which is found in ${chromium}`;

/** By what the adapter says of itself. */
export const isEmulated = ({ info }: GPUAdapter): boolean =>
  /swiftshader|llvmpipe|lavapipe/i.test(`${info.architecture} ${info.device} ${info.description}`);

async function ask(toggles: readonly string[]): Promise<GPUAdapter | null> {
  const name = 'webgpu'; // by name, so that bundlers leave it alone
  let create: (flags: readonly string[]) => GPU;
  try {
    ({ create } = (await import(name)) as { create: typeof create });
  } catch (cause) {
    throw new BackendError('webgpu: Node has no WebGPU of its own; npm install webgpu', { cause });
  }
  // Timestamps come in steps of 102 µs else: longer than most kernels.
  dawn = create([`enable-dawn-features=${toggles.join()}`, 'disable-dawn-features=timestamp_quantization']);
  return dawn.requestAdapter({ powerPreference: 'high-performance' });
}

/** Lets whatever asks for a Vulkan driver from now on find the emulator; false where there is none. */
export function useEmulator(): boolean {
  if (process.env['VK_DRIVER_FILES']) return true;
  if (!existsSync(emulator.driver)) return false;
  process.env['VK_DRIVER_FILES'] = emulator.driver;
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen({ exports: {} }, emulator.loader, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    // It is no addon of Node, but stays loaded, and Dawn finds it by its name.
    if (!/self-register/.test(String(error))) throw error;
  }
  return true;
}
