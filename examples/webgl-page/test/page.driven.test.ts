/** The built page in Chromium: on an emulated WebGL2 it learns, is cancelled, goes on; without WebGL2 it says so. */
import { fileURLToPath } from 'node:url';
import { chromiumFlags } from '../../../tools/setup/chromium.mjs';
import { describeLearningPage } from '../../webgpu-page/test/learning-page';

describeLearningPage({
  root: fileURLToPath(new URL('..', import.meta.url)),
  api: 'WebGL2',
  flags: chromiumFlags,
  without: [...chromiumFlags, '--disable-software-rasterizer'],
  lost: /the context was lost/,
  missing: /no WebGL2 context.*@tessera\/backend-cpu/,
});
