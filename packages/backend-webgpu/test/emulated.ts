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
  if ('document' in globalThis) return {};
  useEmulator();
  const name = 'webgpu';
  const { create } = (await import(name)) as { create(flags: readonly string[]): GPU };
  // SwiftShader compiles the zeroing of workgroup memory a hundred times slower than the rest, and no kernel relies on it.
  dawn ??= create(['enable-dawn-features=allow_unsafe_apis,disable_workgroup_init']);
  const adapter = await dawn.requestAdapter();
  if (!adapter) throw new Error(wanted);
  return { adapter };
}

const wanted =
  'the tests of backend-webgpu need a Vulkan driver in Node: as root on Debian `apt-get install chromium` brings an emulated one, elsewhere name a driver in VK_DRIVER_FILES';

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
