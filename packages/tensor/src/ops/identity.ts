/** A copy of a tensor in a buffer of its own. */
import { defineOp, read } from '../op';
import type { TensorLike } from '../tensor';

/** y = x, computed into memory of its own. torch.clone */
export const identity = /* @__PURE__ */ defineOp({
  name: 'identity',
  args: (x: TensorLike) => [[x], {}],
  shape: ([x]) => {
    const { shape, dtype } = x as { shape: readonly (number | null)[]; dtype: 'float32' };
    return { shape, dtype };
  },
  lower: ([x]) => ({ kind: 'map', outs: [read(x as never)] }),
});
