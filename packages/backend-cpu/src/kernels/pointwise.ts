/**
 * A convolution whose window is one element is a product of matrices for each image, and so is its input's gradient:
 *
 *   y[n] (O × P) = w (O × C) · x[n] (C × P)        ∂x[n] (C × P) = wᵀ (C × O) · g[n] (O × P)        P: the image's elements
 *
 * The images are read where they lie, and a strip of 96 elements is packed once for up to 128 channels made; planes cost a copy
 * of the whole image, and tiles that reach from one of its rows into the next.
 */
import type { ConvKernel, MatmulKernel, View } from '@tessera/tensor/backend';
import { isPlain } from './pack';

/** Elements of an image from which on vectors along it pay. */
const minElements = 16;

/** The product that does a convolution's work, or null where it is none or its operands are not plain. */
export function pointwise(kernel: ConvKernel): MatmulKernel | null {
  const { sizes, direction, a, b, stores, inputs, outputs, uniforms, aliases } = kernel;
  const { n, c, o, groups, input, output } = sizes;
  const every = (list: readonly number[], value: number) => list.every((x) => x === value);
  if (direction === 'weightGrad' || groups !== 1 || !every(sizes.kernel, 1) || !every(sizes.stride, 1)) return null;
  if (!every(sizes.padding, 0) || input.some((size, axis) => size !== output[axis])) return null;
  const elements = input.reduce((x, y) => x * y, 1);
  const [made, read] = direction === 'forward' ? [o, c] : [c, o];
  const image = a;
  const weight = b;
  if (elements < minElements || n * made * read === 0) return null;
  if (!isPlain(kernel, image) || !isPlain(kernel, weight) || !isFlat(image.view)) return null;
  const [imageStride, channelStride] = image.view.strides as [number, number];
  const [strideO, strideC] = weight.view.strides as [number, number];
  const [down, across] = direction === 'forward' ? [strideO, strideC] : [strideC, strideO];
  const view = (from: View, shape: readonly number[], strides: readonly number[]): View => ({
    ...from,
    shape,
    strides,
  });
  return {
    kind: 'matmul',
    inputs,
    outputs,
    uniforms,
    aliases,
    stores,
    batch: [n],
    m: made,
    n: elements,
    k: read,
    a: { ...weight, view: view(weight.view, [n, made, read], [0, down, across]) },
    b: { ...image, view: view(image.view, [n, read, elements], [imageStride, channelStride, 1]) },
  };
}

/** Do the elements of a channel follow one another? */
function isFlat({ shape, strides }: View): boolean {
  let next = 1;
  for (let axis = shape.length - 1; axis >= 2; axis--) {
    const size = shape[axis] as number;
    if (size !== 1 && strides[axis] !== next) return false;
    next *= size;
  }
  return true;
}
