/** The built page in Chromium: on an emulated GPU it learns, is cancelled, goes on; without WebGPU it says so. */
import { fileURLToPath } from 'node:url';
import { chromiumFlags } from '../../../tools/setup/chromium.mjs';
import { describeLearningPage } from './learning-page';

const plain = chromiumFlags.filter((flag) => !/webgpu|dawn/.test(flag));
describeLearningPage({
  root: fileURLToPath(new URL('..', import.meta.url)),
  api: 'WebGPU',
  // WebGPU on SwiftShader, which compiles the zeroing of workgroup memory a hundred times slower than the rest
  flags: [
    ...plain,
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--enable-dawn-features=disable_workgroup_init',
  ],
  without: [...plain, '--disable-features=WebGPU', '--disable-webgpu'],
  lost: /the device was lost/,
  missing: /use a browser that has WebGPU|no adapter/,
});
