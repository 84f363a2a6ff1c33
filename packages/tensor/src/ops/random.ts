/**
 * Random numbers by Philox-4x32-10: element i of a draw is word i of the stream that the draw's number names, under the seed's
 * key. Key and number are one state cell, so an op has them as data: eager and compiled code draw alike, and a gradient that
 * wants the same numbers reads the same version of the cell. Words and uniforms are equal bits on every backend.
 */
import { ArgumentError } from '../errors';
import { add, apply, cast, constant, index, linearIndex, mul, select, sub } from '../expr';
import { defineOp, type Input, type OpExpr, type Read, read } from '../op';
import { runtime } from '../runtime';
import { State } from '../state';
import { type Shape, type Tensor, type TensorLike, tensor, toTensor } from '../tensor';
import { sub as minus, add as plus, mul as times } from './arithmetic';
import { lt, where } from './comparison';
import { type CreateOptions, ones } from './create';
import { floating } from './elementwise';
import { broadcastShapes, typed } from './types';

/** The cell behind all draws, int32 [3]: the key's two words and the number of the next draw. Saving it saves the sequence. */
export function randomState(): State {
  runtime.counter ??= new State(tensor([...runtime.seed, 0], { dtype: 'int32' }));
  return runtime.counter;
}

/** Starts the sequence of this seed, a whole number from 0 to 2⁵³ − 1. torch.manual_seed */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ArgumentError(`manualSeed: seed is ${seed}, wants a whole number from 0 to 2^53 - 1`);
  runtime.seed = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
  randomState().assign(tensor([...runtime.seed, 0], { dtype: 'int32' }));
}

/** The cell as this draw sees it; the next draw sees the next number. */
function draw(): Tensor {
  const cell = randomState();
  const now = cell.read();
  cell.assign(nextDraw(now));
  return now;
}
const noGradient = { notDifferentiable: 'random, a function of no input' };
const nextDraw = /* @__PURE__ */ defineOp({
  name: 'nextDraw',
  args: (cell: Tensor) => [[cell], {}],
  shape: () => ({ shape: [3], dtype: 'int32' }),
  lower: ([cell]) => {
    const isNumber = cast<Read>(apply('eq', [index(0), constant(2, 'int32')]), 'int32');
    return { kind: 'map', outs: [add(read(cell as Input), isNumber)] };
  },
  ...noGradient,
});

/** Word `at` of the cell's stream, for each element of `shape`. */
function word(cell: Input, shape: readonly number[], at: OpExpr): OpExpr {
  const entry = (i: number) =>
    read(cell, shape, [
      { type: 'slice', start: [i], step: [1], size: [1] },
      { type: 'reshape', shape: [] },
    ]);
  return apply<Read>('philox', [entry(0), entry(1), entry(2), at]);
}
/** The word's upper 24 bits, as a float in [0, 1). */
const fraction = (bits: OpExpr) =>
  mul(cast(apply('shru', [bits, constant(8, 'int32')]), 'float32'), constant(2 ** -24));

/** An op that fills a shape from the random cell and, maybe, other inputs. */
const filler = (name: string, value: (word: (at: OpExpr) => OpExpr, place: OpExpr) => OpExpr) =>
  defineOp({
    name,
    args: (cell: Tensor, shape: Shape, { dtype = 'float32' }: CreateOptions = {}) => {
      const bad = shape.find((size) => size === null || !Number.isInteger(size) || size < 0);
      if (bad !== undefined) throw new ArgumentError(`${name}: shape [${shape}] holds ${bad}; sizes are whole numbers`);
      if (floating(dtype) !== dtype)
        throw new ArgumentError(`${name}: dtype is ${dtype}, wants float32 or float16; use randint for integers`);
      return [[cell], { shape: [...shape], dtype }];
    },
    shape: (_, { shape, dtype }) => ({ shape, dtype }),
    lower: ([cell], _, [out]) => {
      const { shape } = out as { shape: readonly number[] };
      return { kind: 'map', outs: [value((at) => word(cell as Input, shape, at), linearIndex<Read>(shape))] };
    },
    ...noGradient,
  });

const uniforms = /* @__PURE__ */ filler('rand', (at, place) => fraction(at(place)));
/** Uniform in [0, 1), multiples of 2⁻²⁴. torch.rand */
export const rand = (shape: Shape, options?: CreateOptions): Tensor => uniforms(draw(), shape, options);

/** Box and Muller: words 2j and 2j + 1 give radius and angle, whose cosine and sine are elements 2j and 2j + 1. */
const normals = /* @__PURE__ */ filler('randn', (at, place) => {
  const one = constant(1, 'int32');
  const odd = apply<Read>('and', [place, one]);
  const even = sub(place, odd);
  const positive = add(fraction(at(even)), constant(2 ** -24)); // (0, 1], for the logarithm
  const radius = apply<Read>('sqrt', [mul(constant(-2), apply('log', [positive]))]);
  const turn = mul(constant(2 * Math.PI), fraction(at(add(even, one))));
  const isOdd = apply('eq', [odd, one]);
  return mul(radius, select(isOdd, apply('sin', [turn]), apply('cos', [turn])));
});
/** Normal with mean 0 and deviation 1. torch.randn */
export const randn = (shape: Shape, options?: CreateOptions): Tensor => normals(draw(), shape, options);

/** Uniform in [low, high). torch.Tensor.uniform_. Composed: gradients reach the bounds. */
export const uniform = (low: TensorLike, high: TensorLike, shape?: Shape): Tensor =>
  plus(times(rand(shape ?? sharedShape('uniform', low, high)), minus(high, low)), low);
/** Normal with this mean and deviation, of their shape unless told. torch.normal. Composed: gradients reach both. */
export const normal = (mean: TensorLike, std: TensorLike, shape?: Shape): Tensor =>
  plus(times(randn(shape ?? sharedShape('normal', mean, std)), std), mean);
const sharedShape = (op: string, ...likes: TensorLike[]): Shape =>
  broadcastShapes(
    op,
    likes.map((like) => toTensor(like, op).shape),
  );

/** 1 with probability p, else 0, in p's dtype and shape (a number: 1 element). torch.bernoulli. Composed. */
export function bernoulli(p: TensorLike, shape?: Shape): Tensor {
  const chance = toTensor(p, 'bernoulli');
  const drawn = lt(rand(shape ?? chance.shape), chance);
  return where(drawn, ones([], { dtype: floating(chance.dtype) }), 0);
}

const integers = /* @__PURE__ */ defineOp({
  name: 'randint',
  args: (cell: Tensor, low: number, range: number, shape: Shape) => [
    [cell, ...typed('randint', [cell, low, range]).slice(1)],
    { shape: [...shape] },
  ],
  shape: (_, { shape }) => ({ shape, dtype: 'int32' }),
  lower: (inputs, _, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const [cell, low, range] = inputs as [Input, Input, Input];
    const bits = apply('shru', [word(cell, shape, linearIndex<Read>(shape)), constant(1, 'int32')]);
    const [from, many] = [low, range].map((input) => cast(read(input, shape) as OpExpr, 'int32')) as [OpExpr, OpExpr];
    return { kind: 'map', outs: [add(from, apply('mod', [bits, many]))] };
  },
  ...noGradient,
});
/** Whole numbers in [low, high), int32. torch.randint. The bias of the lower ones is at most (high − low)/2³¹. */
export function randint(low: number, high: number, shape: Shape): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low || high - low > 2 ** 31 - 1)
    throw new ArgumentError(
      `randint: low ${low} and high ${high}; wants whole numbers, low below high, less than 2^31 apart`,
    );
  return integers(draw(), low, high - low, shape);
}

const permutation = /* @__PURE__ */ defineOp({
  name: 'randperm',
  args: (cell: Tensor, n: number) => [[cell], { n }],
  shape: (_, { n }) => ({ shape: [n], dtype: 'int32' }),
  lower: ([cell], { n }) => ({
    kind: 'sort',
    shape: [n],
    axis: 0,
    descending: false,
    k: n,
    a: word(cell as Input, [n], index(0)),
    outs: [{ op: 'acc', dtype: 'int32', index: 1 }],
  }),
  ...noGradient,
});
/** 0 … n−1 in random order, int32 [n]: a sort by random words. torch.randperm */
export function randperm(n: number): Tensor {
  if (!Number.isInteger(n) || n < 0) throw new ArgumentError(`randperm: n is ${n}, wants a whole number from 0 on`);
  return permutation(draw(), n);
}

/** x/(1−p) where the draw of `cell` is ≥ p, else 0. `dropout` with the draw in hand; it and its gradient store no mask. */
export const dropoutWith = /* @__PURE__ */ defineOp({
  name: 'dropout',
  args: (x: TensorLike, p: TensorLike, cell: Tensor) => [[x, p, cell], {}],
  shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: floating((x as Tensor).dtype) }),
  lower: (inputs, _, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const [x, chance, cell] = inputs as [Input, Input, Input];
    const p = read(chance, shape) as OpExpr;
    const kept = apply('ge', [fraction(word(cell, shape, linearIndex<Read>(shape))), p]);
    const scale = apply('div', [constant(1), sub(constant(1), p)]);
    return { kind: 'map', outs: [select(kept, mul(cast(read(x) as OpExpr, 'float32'), scale), constant(0))] };
  },
});
/**
 * In training, elements are 0 with probability p (0.5) and the others grow by 1/(1−p); otherwise x. F.dropout (Srivastava 2014).
 * @throws ArgumentError for p outside of [0, 1].
 */
export function dropout(
  x: TensorLike,
  { p = 0.5, training = true }: { readonly p?: number; readonly training?: boolean } = {},
): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`dropout: p is ${p}, wants a probability between 0 and 1`);
  return training && p > 0 ? dropoutWith(x, p, draw()) : toTensor(x, 'dropout');
}
