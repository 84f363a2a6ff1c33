/**
 * Resizing. Along each axis an output is a weighted sum of neighbouring inputs; which and how much of each stands in a small
 * table made here, in PyTorch's arithmetic. The gradient is the same op with the tables turned round.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, add, apply, constant, index, mul, select } from '../expr';
import { defineOp, type Input, type Lowering, type OpExpr, type Read, read, readAt, showShape } from '../op';
import { type Tensor, type TensorLike, tensor, toTensor } from '../tensor';
import type { Move } from '../view';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './adaptive';
import { type AxisTable, tableOf } from './taps';
import { wantDtype } from './types';
import { wantWord } from './words';

/** How one axis is resampled; `transposed` maps outputs back to inputs. */
export type AxisSpec = AxisTable & { readonly axis: number; readonly transposed: boolean };
const sizesOf = ({ from, to, transposed }: AxisSpec) =>
  transposed ? { has: to, gets: from } : { has: from, gets: to };

/** y[…,o,…] = Σₜ weight[o,t]·x[…, start[o] + t, …], along several axes at once. The op behind interpolate, and its gradient. */
export const resampleAxes = /* @__PURE__ */ defineOp({
  name: 'interpolate',
  args: (x: TensorLike, specs: readonly AxisSpec[]) => {
    const known = specs.every(({ from, to }) => from !== null && to !== null);
    const tables = known ? specs.flatMap((spec) => tensorsOf(spec)) : [];
    return [[x, ...tables], { specs }];
  },
  shape: ([x], { specs }) => {
    const shape = [...(x as Tensor).shape];
    for (const spec of specs) shape[spec.axis] = sizesOf(spec).gets;
    return { shape, dtype: (x as Tensor).dtype };
  },
  lower: ([x, ...tables], { specs }, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const axes = specs.map((spec, i) => ({ spec, start: tables[2 * i] as Input, weight: tables[2 * i + 1] as Input }));
    const taps = axes.map(({ weight }) => weight.shape[1] as number);
    return taps.reduce((a, b) => a * b, 1) <= unrolled
      ? written(x as Input, axes, shape)
      : reduced(x as Input, axes, taps, shape);
  },
});
function tensorsOf(spec: AxisSpec): [start: Tensor, weight: Tensor] {
  const { start, weight, taps } = tableOf(spec, spec.transposed);
  return [tensor(start), tensor(weight, { shape: [start.length, taps] })];
}
interface Axis {
  readonly spec: AxisSpec;
  readonly start: Input;
  readonly weight: Input;
}
/** Taps over all axes that are written out as one expression; more are a reduction. Bicubic has 4·4. */
const unrolled = 16;

/** A table's values laid along `axis` of the domain; `tap` picks one column, or the last axis of the domain runs over them. */
function along(table: Input, axis: number, domain: readonly number[], tap: number | null): OpExpr {
  const size = table.shape[0] as number;
  const lined = domain.map((_, i) => (i === axis ? size : 1));
  if (table.shape.length === 1) return read(table, domain, [{ type: 'reshape', shape: lined }]);
  if (tap === null) lined[lined.length - 1] = table.shape[1] as number;
  const column: Move[] = tap === null ? [] : [{ type: 'slice', start: [0, tap], step: [1, 1], size: [size, 1] }];
  return read(table, domain, [...column, { type: 'reshape', shape: lined }]);
}
/** weight·value; turned round, tables are padded with taps of weight 0, which must not make NaN of an infinite value. */
const weighted = ({ transposed }: AxisSpec, weight: OpExpr, value: OpExpr): OpExpr =>
  transposed ? select(apply('eq', [weight, constant(0)]), constant(0), mul(weight, value)) : mul(weight, value);

/** Every combination of taps as one term; inner axes are summed first, so each weight is used as little as can be. */
function written(x: Input, axes: readonly Axis[], domain: readonly number[]): Lowering {
  const level = (depth: number, at: readonly OpExpr[]): OpExpr => {
    const axis = axes[depth];
    if (!axis) return readAt(x, at);
    const { spec, start, weight } = axis;
    const taps = weight.shape[1] as number;
    const first = along(start, spec.axis, domain, null);
    const terms = Array.from({ length: taps }, (_, tap) => {
      const place = tap === 0 ? first : add(first, constant(tap, 'int32'));
      const value = level(depth + 1, at.map((own, i) => (i === spec.axis ? place : own))); // biome-ignore format: one
      return taps === 1 && !spec.transposed ? value : weighted(spec, along(weight, spec.axis, domain, tap), value);
    });
    return terms.reduce((a, b) => add(a, b));
  };
  return { kind: 'map', outs: [level(0, domain.map((_, i): OpExpr => index(i)))] }; // biome-ignore format: one
}

/** One axis with many taps (a strong reduction, or the gradient of a strong enlargement): a sum over a last axis of taps. */
function reduced(x: Input, axes: readonly Axis[], taps: readonly number[], shape: readonly number[]): Lowering {
  const [{ spec, start, weight }] = axes as [Axis];
  const domain = [...shape, taps[0] as number];
  const place = add<Read>(along(start, spec.axis, domain, null), index(shape.length));
  const value = readAt(x, shape.map((_, i): OpExpr => (i === spec.axis ? place : index(i)))); // biome-ignore format: one
  const expr = weighted(spec, along(weight, spec.axis, domain, null), value);
  return {
    kind: 'reduce',
    shape: domain,
    axes: [shape.length],
    stages: [[{ combine: 'sum', expr, dtype: 'float32' }]],
    outs: [{ per: 'row', expr: acc(0) }],
  };
}

/** resampleAxes in one kernel where there are few taps, else an axis at a time, what shrinks first. */
export function resample(x: TensorLike, specs: readonly AxisSpec[]): Tensor {
  const t = toTensor(x, 'interpolate');
  const changed = specs.filter((spec) => !isIdentity(spec));
  if (changed.length < 2) return changed.length ? resampleAxes(t, changed) : t;
  const known = changed.every(({ from, to }) => from !== null && to !== null);
  const taps = known ? changed.reduce((all, spec) => all * tableOf(spec, spec.transposed).taps, 1) : 1;
  if (taps <= unrolled) return resampleAxes(t, changed);
  const growth = (spec: AxisSpec) => (sizesOf(spec).gets as number) / (sizesOf(spec).has as number);
  return [...changed].sort((a, b) => growth(a) - growth(b)).reduce((y, spec) => resampleAxes(y, [spec]), t);
}
/** Equal sizes and no scale of its own: every output is its input. */
const isIdentity = ({ from, to, scale }: AxisSpec): boolean =>
  from !== null && from === to && (scale === null || scale === 1);

export interface InterpolateOptions {
  /** Sizes to make of the spatial axes. */
  readonly size?: number | readonly number[];
  /** Or factors: ⌊size·factor⌋. */
  readonly scaleFactor?: number | readonly number[];
  /** Default 'nearest'. 'linear' is for [N,C,W], 'bilinear' and 'bicubic' for [N,C,H,W], 'trilinear' for [N,C,D,H,W]. */
  readonly mode?: 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic' | 'area';
  /** Let the centres of the corner pixels coincide, rather than their outer corners. Default false. */
  readonly alignCorners?: boolean;
  /** Average over what a smaller picture's pixel covers ('bilinear', 'bicubic'). Default false. */
  readonly antialias?: boolean;
  /** Work with the factor that the sizes come to instead of scaleFactor. Default false. */
  readonly recomputeScaleFactor?: boolean;
}

const ranks: Record<string, number> = { linear: 1, bilinear: 2, bicubic: 2, trilinear: 3 };
const modes = ['nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic', 'area'];

/** x [N,C,…spatial] resized. torch.nn.functional.interpolate.
 *  @throws ArgumentError on both or neither of size and scaleFactor, or an option that the mode does not have; ShapeError on a
 *  rank that it does not. */
export function interpolate(x: TensorLike, options: InterpolateOptions): Tensor {
  const { mode = 'nearest', alignCorners = false, antialias = false } = options;
  const t = toTensor(x, 'interpolate');
  wantDtype('interpolate', 'input', t.dtype, ['float32', 'float16']);
  wantWord('interpolate', 'mode', mode, modes);
  const rank = t.rank - 2;
  if (rank < 1 || rank > 3 || (ranks[mode] ?? rank) !== rank)
    throw new ShapeError(
      `interpolate: input ${showShape(t.shape)} in mode ${mode}; wants [N,C] and ${ranks[mode] ?? '1 to 3'} spatial axes`,
    );
  if (alignCorners && !(mode in ranks))
    throw new ArgumentError(`interpolate: alignCorners in mode ${mode}; wants linear, bilinear, trilinear or bicubic`);
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic')
    throw new ArgumentError(`interpolate: antialias in mode ${mode}; wants bilinear or bicubic`);
  const { sizes, scales } = targets(t, rank, options);
  if (mode === 'area') return area(t, rank, sizes);
  const kind = mode === 'nearest' || mode === 'nearest-exact' ? mode : mode === 'bicubic' ? 'cubic' : 'linear';
  const specs = sizes.map(
    (to, i): AxisSpec => ({
      axis: i + 2,
      from: t.shape[i + 2] as number | null,
      to,
      scale: scales[i] ?? null,
      kind,
      alignCorners,
      antialias,
      transposed: false,
    }),
  );
  return resample(t, specs);
}

function targets(t: Tensor, rank: number, { size, scaleFactor, recomputeScaleFactor = false }: InterpolateOptions) {
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ArgumentError(
      `interpolate: saw ${size === undefined ? 'neither size nor' : 'both size and'} scaleFactor; wants one of them`,
    );
  const given = size ?? scaleFactor ?? 1;
  const each = typeof given === 'number' ? Array<number>(rank).fill(given) : given;
  if (each.length !== rank || each.some((n) => !(n > 0)))
    throw new ArgumentError(
      `interpolate: ${size === undefined ? 'scaleFactor' : 'size'} [${each}]; wants ${rank} numbers above 0`,
    );
  if (size !== undefined) return { sizes: each as (number | null)[], scales: [] as number[] };
  const sizes = each.map((factor, i) => {
    const own = t.shape[i + 2] as number | null;
    return own === null ? null : Math.floor(own * factor);
  });
  if (sizes.includes(0)) throw new ShapeError(`interpolate: ${showShape(t.shape)} by [${each}] leaves nothing`);
  return { sizes, scales: recomputeScaleFactor ? [] : [...each] };
}

/** Means of the inputs under each output: adaptive pooling, under the name PyTorch gives it here. */
function area(t: Tensor, rank: number, sizes: readonly (number | null)[]): Tensor {
  const pool = [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d][rank - 1] as typeof adaptiveAvgPool1d;
  return pool(t, sizes);
}
