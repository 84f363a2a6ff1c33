/**
 * Initial values, `nn.init`. Each function assigns a parameter and returns it; a drawn one is a random op, which runs where
 * and when the parameter is first used. Fans are those of a weight [O, I, …window]: fanIn = I·window, fanOut = O·window,
 * groups or not.
 */
import {
  ArgumentError,
  add,
  argsort,
  clamp,
  constantFill,
  erf,
  erfinv,
  eye as identity,
  lt,
  mul,
  normal as normalDraw,
  pad,
  repeat,
  reshape,
  type State,
  type Tensor,
  tensor,
  transpose,
  uniform as uniformDraw,
  wantWord,
  where,
} from '@tessera/tensor';

/** What follows a layer, as far as its gain is concerned. */
export type Nonlinearity = 'linear' | 'conv' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

/** How much a nonlinearity takes from the deviation: 1, tanh 5/3, relu √2, leakyRelu √(2/(1 + slope²)), selu 3/4.
 *  torch.nn.init.calculate_gain @throws ArgumentError for another name. */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  const gains = {
    linear: 1,
    conv: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.SQRT2,
    leakyRelu: Math.sqrt(2 / (1 + slope * slope)),
    selu: 3 / 4,
  };
  const gain = Object.hasOwn(gains, nonlinearity) ? gains[nonlinearity] : undefined;
  if (gain === undefined)
    throw new ArgumentError(`calculateGain: '${nonlinearity}'; wants one of ${Object.keys(gains).join(', ')}`);
  return gain;
}

// ---- constants -----------------------------------------------------------------------------------------------------

/** All elements `value`. torch.nn.init.constant_ */
export const constant = <S extends State>(state: S, value: number): S =>
  set(state, constantFill(state.shape, value, state.dtype));
/** torch.nn.init.zeros_ */
export const zeros = <S extends State>(state: S): S => constant(state, 0);
/** torch.nn.init.ones_ */
export const ones = <S extends State>(state: S): S => constant(state, 1);

// ---- identities ----------------------------------------------------------------------------------------------------

/** w[i,i] = 1, else 0. torch.nn.init.eye_ @throws ArgumentError unless it has two axes. */
export function eye<S extends State>(state: S): S {
  const [rows, columns, ...more] = state.shape as readonly number[];
  if (rows === undefined || columns === undefined || more.length)
    throw new ArgumentError(`eye: [${state.shape}] is no matrix, wants [O,I]; take dirac for a convolution`);
  return set(state, identity(rows, columns, { dtype: state.dtype }));
}
/**
 * A convolution that gives the channels it gets, as far as there are any: in each group w[i,i,middle] = 1, else 0.
 * torch.nn.init.dirac_ @throws ArgumentError unless it is [O,I,…window] with groups that divide O.
 */
export function dirac<S extends State>(state: S, groups = 1): S {
  const [o = 0, i = 0, ...window] = state.shape as readonly number[];
  if (!window.length || !Number.isInteger(o / groups))
    throw new ArgumentError(`dirac: [${state.shape}], ${groups} groups; wants [O,I,…window] and groups that divide O`);
  const channels = repeat(identity(o / groups, i, { dtype: state.dtype }), [groups, 1]);
  const middle = reshape(channels, [o, i, ...window.map(() => 1)]);
  const around = [...window].reverse().flatMap((taps) => [Math.floor(taps / 2), Math.ceil(taps / 2) - 1]);
  return set(state, pad(middle, around));
}

// ---- plain draws ---------------------------------------------------------------------------------------------------

/** U(a, b). torch.nn.init.uniform_ */
export const uniform = <S extends State>(state: S, a = 0, b = 1): S => set(state, uniformDraw(a, b, state.shape));

export interface NormalOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Default 1. */
  readonly std?: number;
}
/** N(mean, std²). torch.nn.init.normal_ */
export const normal = <S extends State>(state: S, { mean = 0, std = 1 }: NormalOptions = {}): S =>
  set(state, normalDraw(mean, std, state.shape));

export interface TruncNormalOptions extends NormalOptions {
  /** The smallest value, not a count of deviations. Default −2. */
  readonly a?: number;
  /** The largest. Default 2. */
  readonly b?: number;
}
/**
 * N(mean, std²) within [a, b], by the inverse of its distribution: u ~ U(2Φ(l)−1, 2Φ(h)−1), x = mean + std·√2·erfinv(u),
 * l and h the bounds in deviations. torch.nn.init.trunc_normal_ @throws ArgumentError unless a < b and std > 0.
 */
export function truncNormal<S extends State>(state: S, options: TruncNormalOptions = {}): S {
  const { mean = 0, std = 1, a = -2, b = 2 } = options;
  if (!(a < b && std > 0)) throw new ArgumentError(`truncNormal: a ${a}, b ${b}, std ${std}; wants a < b and std > 0`);
  const [low, high] = [a, b].map((bound) => erf((bound - mean) / (std * Math.SQRT2))) as [Tensor, Tensor];
  // One draw in 2²⁴ is −1 itself, and would be −∞: with bounds far out, a weight of −2 among weights of 0.01.
  const u = clamp(uniformDraw(low, high, state.shape), -almostOne, almostOne);
  return set(state, clamp(add(mul(erfinv(u), std * Math.SQRT2), mean), a, b));
}
const almostOne = 1 - 2 ** -23;

/** N(0, std²), but in each column the same share of elements, drawn and rounded up, is 0. std is 0.01 unless told.
 *  torch.nn.init.sparse_ (Martens 2010) @throws ArgumentError unless it is a matrix, and 0 ≤ sparsity ≤ 1. */
export function sparse<S extends State>(
  state: S,
  sparsity: number,
  { std = 0.01 }: Pick<NormalOptions, 'std'> = {},
): S {
  const [rows, ...more] = state.shape as readonly number[];
  if (rows === undefined || more.length !== 1)
    throw new ArgumentError(`sparse: [${state.shape}] is no matrix, wants [O,I]; reshape it first`);
  if (!(sparsity >= 0 && sparsity <= 1)) throw new ArgumentError(`sparse: sparsity is ${sparsity}, wants 0 to 1`);
  const order = argsort(argsort(uniformDraw(0, 1, state.shape), 0), 0);
  return set(state, where(lt(order, Math.ceil(sparsity * rows)), 0, normalDraw(0, std, state.shape)));
}

// ---- rotations -----------------------------------------------------------------------------------------------------

/**
 * Of [O,I·window…] the rows, or where O is more the columns, are orthogonal and `gain` long: Q of the QR decomposition of a normal
 * draw, R's diagonal being positive, so that all rotations are as likely. On the host, in float64: 3 s for [512,4608].
 * Async, for it reads the draw. torch.nn.init.orthogonal_ (Saxe 2013) @throws ArgumentError below rank 2.
 */
export async function orthogonal<S extends State>(state: S, gain = 1): Promise<S> {
  const [o, i, ...window] = state.shape as readonly number[];
  if (o === undefined || i === undefined)
    throw new ArgumentError(`orthogonal: [${state.shape}] has no rows and columns, wants [O,I,…]; take normal for it`);
  const columns = window.reduce((product, size) => product * size, i);
  const [count, length] = [Math.min(o, columns), Math.max(o, columns)];
  if (count === 0) return state;
  const vectors = Float64Array.from(await normalDraw(0, 1, [count, length]).data());
  orthonormalise(vectors, length);
  const q = mul(tensor(vectors, { shape: [count, length], dtype: state.dtype }), gain);
  return set(state, reshape(o < columns ? q : transpose(q), state.shape));
}
/** Gram and Schmidt, modified: each vector, made of length 1, is taken out of those behind it. */
function orthonormalise(vectors: Float64Array, length: number): void {
  const count = vectors.length / length;
  const none = new Float64Array(length);
  const at = (k: number) => (k < count ? vectors.subarray(k * length, (k + 1) * length) : none);
  for (let k = 0; k < count; k++) {
    const q = at(k);
    const norm = Math.sqrt(q.reduce((sum, x) => sum + x * x, 0));
    for (let i = 0; i < length; i++) q[i] = (q[i] as number) / norm;
    for (let j = k + 1; j < count; j += 4) takeOut(q, at(j), at(j + 1), at(j + 2), at(j + 3));
  }
}
/** Four at a time: one sum waits for its last addition, four of them do not. */
function takeOut(q: Float64Array, a: Float64Array, b: Float64Array, c: Float64Array, d: Float64Array): void {
  let [ofA, ofB, ofC, ofD] = [0, 0, 0, 0];
  for (let i = 0; i < q.length; i++) {
    const x = q[i] as number;
    ofA += x * (a[i] as number);
    ofB += x * (b[i] as number);
    ofC += x * (c[i] as number);
    ofD += x * (d[i] as number);
  }
  for (let i = 0; i < q.length; i++) {
    const x = q[i] as number;
    a[i] = (a[i] as number) - ofA * x;
    b[i] = (b[i] as number) - ofB * x;
    c[i] = (c[i] as number) - ofC * x;
    d[i] = (d[i] as number) - ofD * x;
  }
}

// ---- by fan --------------------------------------------------------------------------------------------------------

/** U(−b, b), b = gain·√(6 / (fanIn + fanOut)). torch.nn.init.xavier_uniform_ (Glorot 2010) @throws ArgumentError below rank 2. */
export function xavierUniform<S extends State>(state: S, gain = 1): S {
  const [fanIn, fanOut] = fans('xavierUniform', state.shape);
  return symmetric(state, gain * Math.sqrt(6 / (fanIn + fanOut)));
}
/** N(0, gain²·2 / (fanIn + fanOut)). torch.nn.init.xavier_normal_ (Glorot 2010) @throws ArgumentError below rank 2. */
export function xavierNormal<S extends State>(state: S, gain = 1): S {
  const [fanIn, fanOut] = fans('xavierNormal', state.shape);
  return normal(state, { std: gain * Math.sqrt(2 / (fanIn + fanOut)) });
}

export interface KaimingOptions {
  /** Slope of leakyRelu below 0. Default 0. */
  readonly a?: number;
  /** Keep the variance of values ('fanIn') or of gradients ('fanOut'). Default 'fanIn'. */
  readonly mode?: 'fanIn' | 'fanOut';
  /** Default 'leakyRelu', which with a = 0 is relu. */
  readonly nonlinearity?: Nonlinearity;
}
/** U(−b, b), b = gain·√(3 / fan). torch.nn.init.kaiming_uniform_ (He 2015) @throws ArgumentError below rank 2. */
export const kaimingUniform = <S extends State>(state: S, options: KaimingOptions = {}): S =>
  symmetric(state, Math.sqrt(3) * kaimingStd('kaimingUniform', state, options));
/** N(0, gain² / fan). torch.nn.init.kaiming_normal_ (He 2015) @throws ArgumentError below rank 2. */
export const kaimingNormal = <S extends State>(state: S, options: KaimingOptions = {}): S =>
  normal(state, { std: kaimingStd('kaimingNormal', state, options) });

function kaimingStd(name: string, { shape }: State, options: KaimingOptions): number {
  const { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' } = options;
  wantWord(name, 'mode', mode, ['fanIn', 'fanOut']);
  const [fanIn, fanOut] = fans(name, shape);
  const fan = mode === 'fanIn' ? fanIn : fanOut;
  // An empty weight has nothing to draw.
  return fan > 0 ? calculateGain(nonlinearity, a) / Math.sqrt(fan) : 0;
}

function fans(name: string, shape: State['shape']): [fanIn: number, fanOut: number] {
  if (shape.length < 2)
    throw new ArgumentError(`${name}: [${shape}] has no fans, wants [O,I,…]; take normal or constant for it`);
  const [o, i, ...window] = shape as readonly number[];
  const places = window.reduce((product, size) => product * size, 1);
  return [(i as number) * places, (o as number) * places];
}
const symmetric = <S extends State>(state: S, bound: number): S => uniform(state, -bound, bound);

function set<S extends State>(state: S, value: Tensor): S {
  state.assign(value);
  return state;
}
