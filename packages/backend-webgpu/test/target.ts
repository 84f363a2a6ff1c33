import * as rare from '../src/kernels/rare';
import type { Target } from '../src/shader';

/** What a kernel may use on a large device; a test says what differs on its own. */
export const largeDevice: Target = {
  room: { buffers: 16, bytes: 2 ** 31 },
  workgroups: 65535,
  threads: 1024,
  shared: 49152,
  scratch: 2 ** 28,
  cached: false,
  matrix: null,
  rare,
  subgroup: null,
};
