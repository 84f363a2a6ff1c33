/** The page: what is on it, and a worker that computes on WebGPU. */
import { show } from './page';

show(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }), 'WebGPU');
