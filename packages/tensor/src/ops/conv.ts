/**
 * Convolution in one to three spatial axes. A convolution and its two gradients are three directions of one op, each linear
 * in both operands, and the gradients of each are the other two: derivatives of any order are made of it.
 */
import { ArgumentError, ShapeError } from '../errors';
import type { ConvKernel, ConvSizes } from '../ir';
import { defineOp, type Input, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { add } from './arithmetic';
import { reshape, squeeze, unsqueeze } from './shape';
import { halves, wantDtype, widest } from './types';
import { perAxis, type Sizes } from './windows';

/** Attributes of `convolution`. `size` is what the operands leave open: of y, of x, or of w, by direction. */
export type ConvolutionAttributes = {
  readonly direction: ConvKernel['direction'];
  readonly size: Shape;
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
};

/**
 * forward     x [N,C,…input],  w [O,C/groups,…kernel] → y [N,O,…output]   y[n,o,p] = Σ_{c,r} x[n,c,p·stride + r·dilation − padding]·w[o,c,r]
 * inputGrad   g [N,O,…output], w [O,C/groups,…kernel] → [N,C,…input]      the transpose of that map in x
 * weightGrad  x [N,C,…input],  g [N,O,…output]        → [O,C/groups,…kernel]  its transpose in w
 * Zeros lie before (`padding`) and behind, as many as `size` asks for. The op behind conv1d … convTranspose3d.
 */
export const convolution = /* @__PURE__ */ defineOp({
  name: 'convolution',
  args: (a: TensorLike, b: TensorLike, attributes: ConvolutionAttributes) => [[a, b], attributes],
  shape: (inputs, { direction, size, groups }) => {
    const [a, b] = inputs as [Tensor, Tensor];
    const [n, c] = a.shape as [number | null, number | null];
    const [o, d] = b.shape as [number | null, number | null];
    const channels = (count: number | null, by: (count: number) => number) => (count === null ? null : by(count));
    const shape = {
      forward: () => [n, o, ...size],
      inputGrad: () => [n, channels(d, (count) => count * groups), ...size],
      weightGrad: () => [d, channels(c, (count) => count / groups), ...size],
    }[direction]();
    return { shape, dtype: widest(inputs) };
  },
  lower: (inputs, attributes, [out]) => {
    const [a, b] = inputs as [Input, Input];
    const { shape: y, dtype } = out as Pick<Input, 'shape' | 'dtype'>;
    const { direction, groups, stride, dilation, padding } = attributes;
    // Which of the three shapes is x, w and y in this direction.
    const [x, w, z] = {
      forward: [a.shape, b.shape, y],
      inputGrad: [y, b.shape, a.shape],
      weightGrad: [a.shape, y, b.shape],
    }[direction] as [readonly number[], readonly number[], readonly number[]];
    const sizes: ConvSizes = {
      n: x[0] as number,
      c: x[1] as number,
      o: w[0] as number,
      groups,
      input: x.slice(2),
      kernel: w.slice(2),
      output: z.slice(2),
      stride,
      dilation,
      padding,
    };
    return { kind: 'conv', direction, sizes, a: read(a), b: read(b), ...halves(dtype) };
  },
});

export interface ConvOptions {
  /** [O] added to each out-channel. */
  readonly bias?: TensorLike | null;
  /** Default 1. */
  readonly stride?: Sizes;
  /** Zeros on both sides of each axis; 'valid' is 0, 'same' keeps the size (stride 1). Default 0. */
  readonly padding?: Sizes | 'same' | 'valid';
  /** Distance of the window's taps. Default 1. */
  readonly dilation?: Sizes;
  /** Channels in this many independent groups. Default 1. */
  readonly groups?: number;
}

/** conv1d … conv3d: checks, 'same' padding, unbatched input, bias. */
function conv(op: string, rank: number, like: TensorLike, weight: TensorLike, options: ConvOptions): Tensor {
  const { bias, groups = 1 } = options;
  const { x, w, unbatched } = operands(op, rank, like, weight, groups);
  const stride = perAxis(op, 'stride', options.stride ?? 1, rank, 1);
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, rank, 1);
  const [channels, wanted] = [x.shape[1] as number | null, w.shape[1] as number | null];
  if (channels !== null && wanted !== null && channels !== wanted * groups)
    throw new ShapeError(
      `${op}: input has ${channels} channels but weight ${showShape(w.shape)} wants ${wanted * groups} (groups ${groups})`,
    );
  const outs = w.shape[0] as number | null;
  if (outs !== null && outs % groups !== 0)
    throw new ShapeError(
      `${op}: weight ${showShape(w.shape)} makes ${outs} channels, not a multiple of groups ${groups}`,
    );
  const { before, total } = paddingOf(op, options.padding ?? 0, w.shape.slice(2), stride, dilation);
  const size = before.map((_, i) => {
    const [own, taps] = [x.shape[i + 2] as number | null, w.shape[i + 2] as number | null];
    if (own === null || taps === null) return null;
    const span = (dilation[i] as number) * (taps - 1) + 1;
    const room = own + (total[i] as number);
    if (span > room)
      throw new ShapeError(
        `${op}: a window of ${span} does not fit input ${showShape(x.shape)}, which is ${room} on spatial axis ${i} with its padding; enlarge input or padding`,
      );
    return Math.floor((room - span) / (stride[i] as number)) + 1;
  });
  const y = convolution(x, w, { direction: 'forward', size, stride, padding: before, dilation, groups });
  return finish(op, rank, y, bias, unbatched);
}

/** y[n,o,p] = b[o] + Σ_{c,r} x[n,c,p·stride + r·dilation − padding]·w[o,c,r].
 *  x [N,C,W] or [C,W], weight [O,C/groups,R] → [N,O,⌊(W+2·padding−dilation·(R−1)−1)/stride⌋+1]. torch.nn.functional.conv1d.
 *  @throws ShapeError where channels disagree or the window does not fit. */
export const conv1d = (x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor =>
  conv('conv1d', 1, x, weight, options);
/** As conv1d on x [N,C,H,W], weight [O,C/groups,R,S]. torch.nn.functional.conv2d. */
export const conv2d = (x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor =>
  conv('conv2d', 2, x, weight, options);
/** As conv1d on x [N,C,D,H,W], weight [O,C/groups,Q,R,S]. torch.nn.functional.conv3d. */
export const conv3d = (x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor =>
  conv('conv3d', 3, x, weight, options);

export interface ConvTransposeOptions extends Omit<ConvOptions, 'padding'> {
  /** What a convolution would have padded, cut off both sides here. Default 0. */
  readonly padding?: Sizes;
  /** Added to one side of the result: which of the sizes that a stride maps to one is meant. Default 0. */
  readonly outputPadding?: Sizes;
}

/** convTranspose1d … 3d: the gradient of a convolution in its input, run forward. */
function convTranspose(
  op: string,
  rank: number,
  like: TensorLike,
  weight: TensorLike,
  options: ConvTransposeOptions,
): Tensor {
  const { bias, groups = 1 } = options;
  const { x, w, unbatched } = operands(op, rank, like, weight, groups);
  const stride = perAxis(op, 'stride', options.stride ?? 1, rank, 1);
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, rank, 1);
  const padding = perAxis(op, 'padding', options.padding ?? 0, rank, 0);
  const extra = perAxis(op, 'outputPadding', options.outputPadding ?? 0, rank, 0);
  const [channels, wanted] = [x.shape[1] as number | null, w.shape[0] as number | null];
  if (channels !== null && wanted !== null && (channels !== wanted || wanted % groups !== 0))
    throw new ShapeError(
      `${op}: input has ${channels} channels but weight ${showShape(w.shape)} wants ${wanted} (groups ${groups})`,
    );
  const size = stride.map((step, i) => {
    const [own, taps] = [x.shape[i + 2] as number | null, w.shape[i + 2] as number | null];
    const [pad, more, spread] = [padding[i] as number, extra[i] as number, dilation[i] as number];
    if (more >= Math.max(step, spread))
      throw new ArgumentError(`${op}: outputPadding ${more} with stride ${step}; wants less than stride or dilation`);
    if (own === null || taps === null) return null;
    const made = (own - 1) * step - 2 * pad + spread * (taps - 1) + more + 1;
    if (made < 1) throw new ShapeError(`${op}: padding ${pad} leaves nothing of input ${showShape(x.shape)}; lower it`);
    return made;
  });
  const y = convolution(x, w, { direction: 'inputGrad', size, stride, padding, dilation, groups });
  return finish(op, rank, y, bias, unbatched);
}

/** The transpose of conv1d: x [N,O,W], weight [O,C/groups,R] → [N,C,(W−1)·stride−2·padding+dilation·(R−1)+outputPadding+1].
 *  torch.nn.functional.conv_transpose1d. @throws ShapeError where channels disagree. */
export const convTranspose1d = (x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor =>
  convTranspose('convTranspose1d', 1, x, weight, options);
/** As convTranspose1d on x [N,O,H,W]. torch.nn.functional.conv_transpose2d. */
export const convTranspose2d = (x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor =>
  convTranspose('convTranspose2d', 2, x, weight, options);
/** As convTranspose1d on x [N,O,D,H,W]. torch.nn.functional.conv_transpose3d. */
export const convTranspose3d = (x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor =>
  convTranspose('convTranspose3d', 3, x, weight, options);

// ---- what they share ---------------------------------------------------------------------------------------------

const axes = ['', 'W', 'H,W', 'D,H,W'];

function operands(op: string, rank: number, like: TensorLike, weight: TensorLike, groups: number) {
  const [x, w] = [toTensor(like, op), toTensor(weight, op)];
  wantDtype(op, 'input', x.dtype, ['float32', 'float16']);
  wantDtype(op, 'weight', w.dtype, ['float32', 'float16']);
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(`${op}: groups ${groups}; wants a whole number from 1`);
  if (w.rank !== rank + 2)
    throw new ShapeError(`${op}: weight ${showShape(w.shape)}; wants ${rank + 2} axes, channels before the window`);
  if (x.rank !== rank + 2 && x.rank !== rank + 1)
    throw new ShapeError(`${op}: input ${showShape(x.shape)}; wants [N,C,${axes[rank]}] or [C,${axes[rank]}]`);
  const unbatched = x.rank === rank + 1;
  return { x: unbatched ? unsqueeze(x, 0) : x, w, unbatched };
}

/** Zeros before each spatial axis, and before and behind together. 'same' puts an odd one behind, as PyTorch does. */
function paddingOf(
  op: string,
  padding: Sizes | 'same' | 'valid',
  kernel: Shape,
  stride: readonly number[],
  dilation: readonly number[],
) {
  if (padding === 'same') {
    if (stride.some((step) => step !== 1))
      throw new ArgumentError(`${op}: padding 'same' with stride [${stride}]; wants stride 1, or padding as numbers`);
    const total = kernel.map((taps, i) => (dilation[i] as number) * ((taps ?? 1) - 1));
    return { before: total.map((sum) => Math.floor(sum / 2)), total };
  }
  const before = perAxis(op, 'padding', padding === 'valid' ? 0 : padding, stride.length, 0);
  return { before, total: before.map((n) => 2 * n) };
}

function finish(op: string, rank: number, y: Tensor, bias: TensorLike | null | undefined, unbatched: boolean): Tensor {
  let z = y;
  if (bias != null) {
    const b = toTensor(bias, op);
    const outs = y.shape[1] as number | null;
    if (b.rank !== 1 || (outs !== null && b.shape[0] !== null && b.shape[0] !== outs))
      throw new ShapeError(`${op}: bias ${showShape(b.shape)} for ${outs} out-channels; wants [${outs}]`);
    z = add(y, reshape(b, [1, b.shape[0] as number | null, ...Array<number>(rank).fill(1)]));
  }
  return unbatched ? squeeze(z, 0) : z;
}
