/** How each op of ops.safetensors is called here: a row an op family. Attributes are Python's, as make_golden.py names them. */

import type { Tensor } from '@tessera/tensor';
import * as t from '@tessera/tensor';
import { type Row, type Rows, row } from './run';

type Sizes = readonly number[];
type X = Record<'x', Tensor>;

const unary = (f: (x: Tensor) => Tensor): Row => row(({ x }: Record<string, Tensor>) => f(x as Tensor));
const binary = (f: (a: Tensor, b: Tensor) => Tensor): Row =>
  row(({ a, b }: Record<string, Tensor>) => f(a as Tensor, b as Tensor));
const reduction = (f: (x: Tensor, dim: Sizes, options: { keepdim: boolean }) => Tensor): Row =>
  row<{ dim: Sizes; keepdim: boolean }>((i, { dim, keepdim }) => f((i as X).x, dim, { keepdim }));
const along = (f: (x: Tensor, dim: number) => Tensor): Row => row<{ dim: number }>((i, { dim }) => f((i as X).x, dim));
const window = (f: (x: Tensor, a: Window) => Tensor): Row => row<Window>((i, a) => f((i as X).x, a));
interface Window {
  readonly kernel_size: number;
  readonly stride: number;
  readonly padding: number;
  readonly ceil_mode: boolean;
  readonly count_include_pad: boolean;
}

const convolutions = (): Rows => ({
  conv2d: row<{ stride: Sizes; padding: Sizes; dilation: Sizes; groups: number }>((i, a) => {
    const { x, w, b } = i as Record<'x' | 'w' | 'b', Tensor>;
    return t.conv2d(x, w, { bias: b, ...a });
  }),
  conv_transpose2d: row<{ stride: number; padding: number; output_padding: number; dilation: number }>((i, a) => {
    const { x, w, b } = i as Record<'x' | 'w' | 'b', Tensor>;
    const { output_padding: outputPadding, ...rest } = a;
    return t.convTranspose2d(x, w, { bias: b, outputPadding, ...rest });
  }),
});

const pools = (): Rows => ({
  max_pool2d: window((x, a) =>
    t.maxPool2d(x, a.kernel_size, { stride: a.stride, padding: a.padding, ceilMode: a.ceil_mode }),
  ),
  avg_pool2d: window((x, a) =>
    t.avgPool2d(x, a.kernel_size, {
      stride: a.stride,
      padding: a.padding,
      ceilMode: a.ceil_mode,
      countIncludePad: a.count_include_pad,
    }),
  ),
  adaptive_avg_pool2d: row<{ output_size: Sizes }>((i, a) => t.adaptiveAvgPool2d((i as X).x, a.output_size)),
  adaptive_max_pool2d: row<{ output_size: Sizes }>((i, a) => t.adaptiveMaxPool2d((i as X).x, a.output_size)),
});

interface BatchNorm {
  readonly training: boolean;
  readonly momentum: number;
  readonly eps: number;
}
type Running = Record<'running_mean' | 'running_var', Tensor>;
const norms = (): Rows => ({
  batch_norm: row<BatchNorm>((i, { training, eps }, { name, inputsOf }) => {
    const { x, w, b } = i as Record<'x' | 'w' | 'b', Tensor>;
    // the running statistics are those of the case beside it
    const { running_mean, running_var } = inputsOf(name.replace('batch_norm', 'batch_norm_stats')) as Running;
    return t.batchNorm(x, { weight: w, bias: b, training, eps, runningMean: running_mean, runningVar: running_var });
  }),
  batch_norm_stats: row<BatchNorm>((i, { training, momentum, eps }) => {
    const { x, running_mean, running_var } = i as X & Running;
    if (!training) return { running_mean, running_var };
    const [, mean, variance] = t.batchNormTraining(x, { eps });
    const count = x.size / (x.shape[1] as number);
    const [m, v] = t.runningStatistics([running_mean, running_var], [mean, variance], count, momentum);
    return { running_mean: m, running_var: v };
  }),
  local_response_norm: row<{ size: number; alpha: number; beta: number; k: number }>((i, { size, ...a }) =>
    t.localResponseNorm((i as X).x, size, a),
  ),
  layer_norm: row<{ normalized_shape: Sizes; eps: number }>((i, { normalized_shape, eps }) => {
    const { x, w, b } = i as Record<'x' | 'w' | 'b', Tensor>;
    return t.layerNorm(x, normalized_shape, { weight: w, bias: b, eps });
  }),
  group_norm: row<{ num_groups: number; eps: number }>((i, { num_groups, eps }) => {
    const { x, w, b } = i as Record<'x' | 'w' | 'b', Tensor>;
    return t.groupNorm(x, num_groups, { weight: w, bias: b, eps });
  }),
});

const elements = (): Rows => ({
  relu: unary(t.relu),
  leaky_relu: unary((x) => t.leakyRelu(x, 0.1)),
  elu: unary((x) => t.elu(x)),
  gelu: unary((x) => t.gelu(x)),
  silu: unary(t.silu),
  sigmoid: unary(t.sigmoid),
  tanh: unary(t.tanh),
  softplus: unary((x) => t.softplus(x)),
  hardswish: unary(t.hardswish),
  exp: unary(t.exp),
  sin: unary(t.sin),
  cos: unary(t.cos),
  abs: unary(t.abs),
  square: unary(t.square),
  erf: unary(t.erf),
  floor: unary(t.floor),
  log: unary(t.log),
  sqrt: unary(t.sqrt),
  rsqrt: unary(t.rsqrt),
  reciprocal: unary(t.reciprocal),
  add: binary(t.add),
  sub: binary(t.sub),
  mul: binary(t.mul),
  div: binary(t.div),
  maximum: binary(t.maximum),
  minimum: binary(t.minimum),
});

const rowsAndProducts = (): Rows => ({
  matmul: binary(t.matmul),
  linear: row((i) => {
    const { x, w, b } = i as Record<'x' | 'w' | 'b', Tensor>;
    return t.linear(x, w, b);
  }),
  sum: reduction(t.sum),
  mean: reduction(t.mean),
  amax: reduction(t.amax),
  amin: reduction(t.amin),
  var: reduction((x, dim, options) => t.variance(x, dim, { correction: 0, ...options })),
  logsumexp: reduction(t.logsumexp),
  softmax: along(t.softmax),
  log_softmax: along(t.logSoftmax),
  cumsum: along(t.cumsum),
});

const losses = (): Rows => ({
  cross_entropy: row<{ label_smoothing: number; reduction: 'mean' | 'none' | 'sum'; ignore_index?: number }>((i, a) => {
    const { x, target } = i as Record<'x' | 'target', Tensor>;
    const { label_smoothing: labelSmoothing, reduction, ignore_index: ignoreIndex = -100 } = a;
    return t.crossEntropy(x, target, { labelSmoothing, reduction, ignoreIndex });
  }),
  binary_cross_entropy_with_logits: row((i) => {
    const { x, target } = i as Record<'x' | 'target', Tensor>;
    return t.binaryCrossEntropyWithLogits(x, target);
  }),
  smooth_l1_loss: row<{ beta: number }>((i, a) => {
    const { x, target } = i as Record<'x' | 'target', Tensor>;
    return t.smoothL1Loss(x, target, a);
  }),
});

type Interpolation = 'nearest' | 'bilinear' | 'bicubic';
const places = (): Rows => ({
  interpolate: row<{ size: Sizes; mode: Interpolation; align_corners?: boolean; antialias?: boolean }>((i, a) => {
    const { size, mode, align_corners: alignCorners = false, antialias = false } = a;
    return t.interpolate((i as X).x, { size, mode, alignCorners, antialias });
  }),
  grid_sample: row<{
    mode: 'bilinear' | 'nearest';
    padding_mode: 'zeros' | 'border' | 'reflection';
    align_corners: boolean;
  }>((i, { mode, padding_mode: paddingMode, align_corners: alignCorners }) => {
    const { x, grid } = i as Record<'x' | 'grid', Tensor>;
    return t.gridSample(x, grid, { mode, paddingMode, alignCorners });
  }),
  pad: row<{ pad: Sizes; mode: 'constant' | 'reflect' | 'replicate' }>((i, { pad, mode }) =>
    t.pad((i as X).x, pad, { mode }),
  ),
  gather: row<{ dim: number }>((i, { dim }) => {
    const { x, index } = i as Record<'x' | 'index', Tensor>;
    return t.gather(x, dim, index);
  }),
  index_select: row<{ dim: number }>((i, { dim }) => {
    const { x, index } = i as Record<'x' | 'index', Tensor>;
    return t.indexSelect(x, dim, index);
  }),
  scatter_add: row<{ dim: number }>((i, { dim }) => {
    const { x, index, src } = i as Record<'x' | 'index' | 'src', Tensor>;
    return t.scatterAdd(x, dim, index, src);
  }),
  topk: row<{ k: number; dim: number }>((i, { k, dim }) => {
    const [values, indices] = t.topk((i as X).x, k, { dim }) as [Tensor, Tensor];
    return { values, indices };
  }),
  sort: row<{ dim: number; descending: boolean }>((i, { dim, descending }) => {
    const [values, indices] = t.sort((i as X).x, dim, { descending });
    return { values, indices };
  }),
  argmax: along((x, dim) => t.argmax(x, dim)),
});

/** Every op of the file; what other packages bring (optimizers, later models and transforms) comes in `more`. */
export const goldenOps = (more: Rows = {}): Rows => ({
  ...convolutions(),
  ...pools(),
  ...norms(),
  ...elements(),
  ...rowsAndProducts(),
  ...losses(),
  ...places(),
  ...more,
});
