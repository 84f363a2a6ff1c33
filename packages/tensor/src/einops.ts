/**
 * Rearranging tensors by the names of their axes, after einops (Rogozhnikov 2022): an entry of its own, for its `repeat` is not
 * PyTorch's. All three are shape moves and, for reduce, one reduction: differentiable by birth, and no copy of their own.
 */
import { ArgumentError, TesseraError } from './errors';
import { showShape } from './op';
import { stack } from './ops/join';
import { checkName, ellipsis, forRank, isNumber, matchSizes, type Pattern, parsePattern } from './ops/pattern';
import { all, amax, amin, any, mean, prod, sum } from './ops/reduction';
import { expand, permute, reshape } from './ops/shape';
import { type Shape, type Tensor, type TensorLike, toTensor } from './tensor';

/** Sizes of axes that do not follow from the input's shape. */
export type AxisSizes = Readonly<Record<string, number>>;
/** A reduction by name, or any function that reduces the axes it is told. */
export type Reduction =
  | 'sum'
  | 'mean'
  | 'max'
  | 'min'
  | 'prod'
  | 'any'
  | 'all'
  | ((x: Tensor, dims: readonly number[]) => Tensor);

/**
 * The same values, axes split, merged and exchanged: rearrange(x, 'b (h p) (w q) c -> b c p q h w', { p: 2, q: 2 }). `...` stands
 * for any axes, `1` and `()` for an axis of size 1; a list of tensors is stacked, its axis the first. einops.rearrange.
 * @throws ArgumentError for a malformed pattern, ShapeError where the input does not fit; both show pattern, shape and sizes.
 */
export const rearrange = (x: TensorLike | readonly TensorLike[], pattern: string, sizes: AxisSizes = {}): Tensor =>
  transform('rearrange', x, pattern, sizes, bothSides, null);

/**
 * Axes that only the left side has are reduced: reduce(x, 'b c (h 2) (w 2) -> b c h w', 'max') is max pooling. einops.reduce.
 * @throws as rearrange.
 */
export const reduce = (
  x: TensorLike | readonly TensorLike[],
  pattern: string,
  reduction: Reduction,
  sizes: AxisSizes = {},
): Tensor => transform('reduce', x, pattern, sizes, noneAppear, reductionOf(reduction));

/**
 * Axes that only the right side has repeat the values: repeat(x, 'h w -> h (w 2) c', { c: 3 }). einops.repeat.
 * @throws as rearrange.
 */
export const repeat = (x: TensorLike | readonly TensorLike[], pattern: string, sizes: AxisSizes = {}): Tensor =>
  transform('repeat', x, pattern, sizes, noneVanish, null);

type Reduce = (x: Tensor, dims: readonly number[]) => Tensor;
function reductionOf(reduction: Reduction): Reduce {
  if (typeof reduction === 'function') return reduction;
  const found = Object.entries({ sum, mean, max: amax, min: amin, prod, any, all }).find(
    ([name]) => name === reduction,
  );
  if (!found)
    throw new ArgumentError(
      `reduce: reduction is '${reduction}', wants sum, mean, max, min, prod, any, all or a function`,
    );
  return found[1];
}

// ---- which axes a side may have alone ----------------------------------------------------------------------------

type Rule = (onlyLeft: readonly string[], onlyRight: readonly string[], sizes: AxisSizes) => void;
const named = (axes: readonly string[]): string =>
  axes.map((axis) => (axis === ellipsis ? '...' : axis.split('#')[0])).join(', ');
const bothSides: Rule = (onlyLeft, onlyRight) => {
  const alone = [...onlyLeft, ...onlyRight];
  if (alone.some(isNumber))
    throw new ArgumentError(`numbers other than 1 (${named(alone.filter(isNumber))}) are no axes here; name them`);
  if (alone.length)
    throw new ArgumentError(`${named(alone)} stands on one side only; wants it on both, or reduce or repeat`);
};
const noneAppear: Rule = (_, onlyRight) => {
  if (onlyRight.length)
    throw new ArgumentError(`${named(onlyRight)} stands on the right only; new axes are made by repeat`);
};
const noneVanish: Rule = (onlyLeft, onlyRight, sizes) => {
  if (onlyLeft.length)
    throw new ArgumentError(`${named(onlyLeft)} stands on the left only; axes are taken out by reduce`);
  const open = onlyRight.filter((axis) => !isNumber(axis) && sizes[axis] === undefined);
  if (open.length) throw new ArgumentError(`the new axis ${named(open)} has no size; give it with the sizes`);
};

// ---- split, reduce, permute, repeat, merge -----------------------------------------------------------------------

function transform(
  op: string,
  like: TensorLike | readonly TensorLike[],
  pattern: string,
  sizes: AxisSizes,
  rule: Rule,
  reduction: Reduce | null,
): Tensor {
  const x = Array.isArray(like) ? stack(like as readonly TensorLike[]) : toTensor(like as TensorLike, op);
  try {
    const parsed = parsePattern(pattern);
    const [left, right] = [parsed.left.flat(), parsed.right.flat()];
    rule(
      left.filter((axis) => !right.includes(axis)),
      right.filter((axis) => !left.includes(axis)),
      sizes,
    );
    checkSizes(sizes, [...left, ...right]);
    return moved(x, forRank(parsed, x.rank), sizes, reduction);
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    const Fault = error.constructor as new (message: string, options: ErrorOptions) => TesseraError;
    const given = Object.keys(sizes).length ? `, sizes ${JSON.stringify(sizes)}` : '';
    throw new Fault(`${op} '${pattern}' of ${showShape(x.shape)}${given}: ${error.message}`, { cause: error });
  }
}

function checkSizes(sizes: AxisSizes, axes: readonly string[]): void {
  for (const [name, size] of Object.entries(sizes)) {
    checkName(name);
    if (!axes.includes(name)) throw new ArgumentError(`the size of ${name} is given, but the pattern has no such axis`);
    if (!Number.isInteger(size) || size < 1) throw new ArgumentError(`${name} is ${size}; wants a whole number from 1`);
  }
}

function moved(x: Tensor, { left, right }: Pattern, given: AxisSizes, reduction: Reduce | null): Tensor {
  const sizes = matchSizes(left, x.shape, given);
  const sizeOf = (axis: string): number | null =>
    sizes.get(axis) ?? (isNumber(axis) ? Number(axis.split('#')[0]) : (given[axis] ?? null));
  const [from, to] = [left.flat(), right.flat()];
  const split = shaped(x, from.map(sizeOf));
  const gone = from.flatMap((axis, i) => (to.includes(axis) ? [] : [i]));
  const reduced = reduction && gone.length ? reduction(split, gone) : split;
  const kept = from.filter((axis) => to.includes(axis));
  const old = to.filter((axis) => kept.includes(axis));
  const sorted = old.every((axis, i) => axis === kept[i])
    ? reduced
    : permute(reduced, old.map((axis) => kept.indexOf(axis))); // biome-ignore format: one
  const repeated =
    old.length === to.length
      ? sorted
      : expand(reshape(sorted, to.map((axis) => (old.includes(axis) ? sizeOf(axis) : 1))), to.map(sizeOf)); // biome-ignore format: one
  const product = (axes: readonly string[]) =>
    axes.map(sizeOf).reduce<number | null>((n, size) => (n === null || size === null ? null : n * size), 1);
  return shaped(repeated, right.map(product));
}
const shaped = (x: Tensor, shape: Shape): Tensor =>
  shape.length === x.rank && shape.every((size, axis) => size === x.shape[axis]) ? x : reshape(x, shape);
