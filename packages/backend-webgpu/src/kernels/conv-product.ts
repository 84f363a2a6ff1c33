/**
 * Convolutions as products of matrices that are never written down: a position in a matrix is decoded to coordinates when it
 * is staged. A batch is a group of channels.
 *
 *   direction     A (m × k)                        B (k × n)                              C
 *   forward       w   [o, r·c]                     x at the window's places [r·c, n·p]      y  [o, n·p]
 *   inputGrad     w   [c, r·o]                     g of the windows that read [r·o, n·q]    ∂x [c, n·q]
 *   weightGrad    g   [o, n·p]                     x at the window's places [n·p, c·r]      ∂w [o, c·r]
 *
 * p runs over output positions, q over input positions, r over places in the window. Two orders of k:
 *
 *   taps   segments are places of the window, k the channels: where a window reads is found once a slab and column. A
 *          dispatch before lays the weights out as [r][channel][m], so that slabs of A are vectors.
 *   flat   one segment, channels outside: nothing to lay out, no slab half empty where channels are few (RGB).
 */
import { type ConvKernel, type Expr, sizeOf } from '@tessera/tensor/backend';
import type { Target } from '../shader';
import { forward } from './conv-forward';
import { inputGrad } from './conv-input-grad';
import type { Order } from './conv-places';
import { weightGrad } from './conv-weight-grad';
import { laidOut } from './conv-weights';
import { flattened } from './flatten';
import type { Product } from './product';

/** A convolution of single places, stride 1, is one over a single spatial axis: more of memory then lies together. */
export function collapsed(kernel: ConvKernel): ConvKernel {
  const { sizes, a, b, stores, partials } = kernel;
  const { input, kernel: window, output, stride, padding } = sizes;
  const plain = input.every((size, i) => window[i] === 1 && stride[i] === 1 && padding[i] === 0 && output[i] === size);
  if (!plain || input.length < 2) return kernel;
  const one = {
    ...sizes,
    input: [sizeOf(input)],
    kernel: [1],
    output: [sizeOf(output)],
    stride: [1],
    dilation: [1],
    padding: [0],
  };
  const flat = flattened([a, b, ...(partials?.sums ?? [])], stores, 2, input.length + 2);
  if (!flat) return kernel;
  const [x, w, ...sums] = flat.exprs as [Expr, Expr, ...Expr[]];
  return {
    ...kernel,
    sizes: one,
    a: x,
    b: w,
    stores: flat.stores,
    ...(partials && { partials: { ...partials, sums } }),
  };
}

export function titleOf({ direction, sizes }: ConvKernel): string {
  const { n, c, o, groups, input, kernel: window } = sizes;
  return `conv ${direction} [${[n, c, ...input]}] ∗ [${[o, c / groups, ...window]}] stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding} groups ${groups}`;
}

export function productOf(kernel: ConvKernel, target: Target, order: Order): Product {
  const { direction } = kernel;
  const title = titleOf(kernel);
  const part = { forward, inputGrad, weightGrad }[direction](kernel, order);
  const first = order === 'taps' ? laidOut(kernel, target, title) : undefined;
  const vectors = [...(part.vectors ?? [])];
  return { store4: null, ...part, title, dtype: kernel.a.dtype, vectors, ...(first && { first }) };
}
