/** The page: what is on it is that of examples/webgpu-page, its worker computes on WebGL2. */
import { show } from '../../webgpu-page/src/page';

show(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }), 'WebGL2');
