/**
 * fuse: a model for inference, without the layers that only training needs. Which batch norm follows which convolution is
 * found by a forward pass of shapes, so that a `forward` written by hand is understood as a Sequential is.
 */
import {
  ArgumentError,
  add,
  isTensor,
  meta,
  mul,
  reshape,
  rsqrt,
  type Shape,
  type State,
  showShape,
  sub,
  type Tensor,
} from '@tessera/tensor';
import { Identity } from './activation';
import { AlphaDropout } from './alpha-dropout';
import { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './conv';
import { Dropout, Dropout1d, Dropout2d, Dropout3d, DropPath, StochasticDepth } from './dropout';
import { addForwardHook } from './hooks';
import { Linear } from './linear';
import { isContainer, type Module, Parameter } from './module';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d, FrozenBatchNorm2d } from './norm';
import { replaceModules } from './replace';
import { shapeOfInput, wantedShape } from './summary';

const transposed = [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d] as const;
const products = [Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Linear] as const;
const norms = [BatchNorm1d, BatchNorm2d, BatchNorm3d, FrozenBatchNorm2d] as const;
const dropouts = [Dropout, Dropout1d, Dropout2d, Dropout3d, StochasticDepth, DropPath, AlphaDropout] as const;

type Product = InstanceType<(typeof products)[number]>;
type Norm = InstanceType<(typeof norms)[number]>;

/**
 * A copy of a model for inference, evaluating: batch norm is folded into the convolution, transposed convolution or linear
 * layer before it, w′ = w·s and b′ = (b − mean)·s + β with s = γ/√(var + eps) per out-channel, and dropout is taken out; in
 * both places stands an `Identity`. Outputs are the model's in eval mode, but for rounding. `shape` is an input's, as for
 * `summary` (null: an unknown size); by default that of the model's `Input`, or else what its first layer takes, [N,C,…] for a
 * convolution and [N,C] for a linear layer, of unknown sizes but for C.
 *
 * What the norm follows must be used by nothing else, and both must be called once: else they stay, and so does what the
 * pass did not call. The copy has nothing left to train with: go on training the model itself, which is not changed.
 * torch.nn.utils.fusion.fuse_conv_bn_eval, for whole models
 * @throws ArgumentError without a shape, where that does not pass; ShapeError where layers do not fit the given one, or are open.
 */
export function fuse<M extends Module<never, unknown>>(model: M, shape?: Shape): M {
  model.parameters(); // none of an open layer: that throws
  const fused = model.clone().eval();
  const replaced = new Map<unknown, Module>();
  for (const [product, norm] of foundPairs(fused, shape ?? shapeOfInput(fused))) {
    fold(product, norm);
    replaced.set(norm, new Identity());
  }
  for (const [, module] of fused.namedModules()) if (isOne(dropouts, module)) replaced.set(module, new Identity());
  return replaceModules(fused, (module) => replaced.get(module) ?? null).eval();
}

/** The pairs of this shape; where none is told, of the one that the first layer takes. */
function foundPairs(model: Module<never, unknown>, told: Shape | null): (readonly [Product, Norm])[] {
  if (told) return pairs(model, told);
  const shape = shapeOfFirst(model);
  if (!shape) throw new ArgumentError(`fuse: no shape, and no Input or first layer that tells it; ${wantedShape}`);
  try {
    return pairs(model, shape);
  } catch (cause) {
    throw new ArgumentError(
      `fuse: no shape, and no Input layer that tells it; the model does not take ${showShape(shape)}, as its first layer would; ${wantedShape}`,
      { cause },
    );
  }
}
/** What the model's first product takes: its channels are known from the weight. */
function shapeOfFirst(model: Module<never, unknown>): Shape | null {
  for (const [, module] of model.namedModules()) {
    if (!isOne(products, module)) continue;
    const [first, second, ...window] = module.weight.shape as readonly [number, number, ...number[]];
    const channels = isOne(transposed, module)
      ? first
      : module instanceof Linear
        ? second
        : second * module.options.groups;
    return [null, channels, ...window.map(() => null)];
  }
  return null;
}

/** Layers and the norms that alone use what they make. */
function pairs(model: Module<never, unknown>, shape: Shape): (readonly [Product, Norm])[] {
  const made = new Map<unknown, { readonly product: Product; readonly y: Tensor }>();
  const followed: { readonly product: Product; readonly y: Tensor; readonly norm: Norm }[] = [];
  const hooks = model.namedModules().flatMap(([, module]) => {
    const on = (hook: (input: unknown, output: unknown) => void) =>
      addForwardHook<readonly unknown[], unknown>(module as never, ([input], output) => {
        hook(input, output);
      });
    if (isOne(products, module))
      // of another rank it is no batch, or axes stand before the features: a norm there is of another axis
      return on((_, y) => {
        if (isTensor(y) && y.rank === module.weight.shape.length) made.set(y.node, { product: module, y });
      });
    if (isOne(norms, module) && module.runningVar)
      return on((x) => {
        const before = isTensor(x) && made.get(x.node);
        if (before) followed.push({ ...before, norm: module });
      });
    return [];
  });
  const output = model.forward(...([meta(shape)] as unknown as never));
  for (const off of hooks) off();
  const returned = new Set(nodesIn(output));
  return followed
    .filter(
      ({ product, y, norm }) =>
        !returned.has(y.node) && [y, product.weight.read(), (norm.runningVar as State).read()].every(isUsedOnce),
    )
    .map(({ product, norm }) => [product, norm]);
}
/** By the ops of the pass: a layer called twice has a weight used twice, as has one that shares it with another. */
const isUsedOnce = ({ node }: Tensor): boolean => node.consumers === 1;

function* nodesIn(value: unknown): Generator<Tensor['node']> {
  if (isTensor(value)) yield value.node;
  else if (isContainer(value)) for (const inner of Object.values(value)) yield* nodesIn(inner);
}

/** Is it of one of these classes, or of a subclass that computes the same? */
const isOne = <Kind extends abstract new (...options: never) => Module>(
  kinds: readonly Kind[],
  module: Module<never, unknown>,
): module is InstanceType<Kind> & typeof module =>
  kinds.some((kind) => module instanceof kind && module.forward === (kind.prototype as Module).forward);

/** Gives the layer the weight and bias that it and the norm have together. */
function fold(layer: Product, { weight: gamma, bias: beta, runningMean, runningVar, eps }: Norm): void {
  const { weight, bias } = layer;
  const root = rsqrt(add(runningVar as State, eps));
  const scale = gamma ? mul(gamma, root) : root;
  const shift = mul(sub(bias ?? 0, runningMean as State), scale);
  // a row for each out-channel; a transposed convolution has them group by group, behind the group's in-channels
  const [rows, columns, ...window] = weight.shape as readonly [number, number, ...number[]];
  const groups = isOne(transposed, layer) ? layer.options.groups : null;
  const sizes = groups ? [groups, rows / groups, columns, ...window] : weight.shape;
  const along = sizes.map((size, axis) => (axis === 0 || (groups && axis === 2) ? size : 1));
  const scaled = mul(reshape(weight, sizes), reshape(scale, along));
  const parameter = (value: Tensor) => Object.assign(new Parameter(value), { requiresGrad: weight.requiresGrad });
  Object.assign(layer, {
    weight: parameter(reshape(scaled, weight.shape)),
    bias: parameter(beta ? add(shift, beta) : shift),
  });
}
