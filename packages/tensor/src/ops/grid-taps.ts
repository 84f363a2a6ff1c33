/** Where a grid's number lies along an axis of an image, and the pixels around it with their weights, as expressions. */
import { add, apply, cast, constant, div, mul, select, sub } from '../expr';
import type { OpExpr, Read } from '../op';

export type GridAttributes = {
  readonly mode: 'bilinear' | 'nearest' | 'bicubic';
  readonly paddingMode: 'zeros' | 'border' | 'reflection';
  readonly alignCorners: boolean;
  /** How often the weights along each spatial axis are differentiated by the grid's number: 0 for sampling itself. */
  readonly orders: readonly number[];
};
/** Orders from which on all weights are 0. */
export const flatFrom = { nearest: 1, bilinear: 2, bicubic: 4 } as const;

export const num = (value: number): OpExpr => constant(value);
export const int = (value: number): OpExpr => constant(value, 'int32');

/** A coordinate along one axis of `size`, in pixels, and its slope by the grid's number. */
interface Along {
  readonly at: OpExpr;
  readonly slope: OpExpr;
}
/** One pixel along one axis: where, and how much of it. */
export interface Tap {
  readonly place: OpExpr;
  readonly weight: OpExpr;
}

/** −1 … 1 → pixels: corner centres (alignCorners) or outer corners lie at ±1. */
function unnormalized(g: OpExpr, size: number, { alignCorners, paddingMode }: GridAttributes): Along {
  const slope = alignCorners ? (size - 1) / 2 : size / 2;
  const at = add(mul(g, num(slope)), num((size - 1) / 2));
  // NaN and ∞ would turn the weight of a pixel that is not there into NaN; like PyTorch, take a place that is finite.
  const known = select(apply('isNan', [at]), num(paddingMode === 'zeros' ? -far : 0), at);
  return { at: apply('min', [apply('max', [known, num(-far)]), num(far)]), slope: num(slope) };
}
/** Beyond any image, and whole in float32. */
const far = 2 ** 24;

/** Outside coordinates moved to the nearest edge; flat there. */
function clipped({ at, slope }: Along, size: number): Along {
  const outside = apply<Read>('or', [apply('le', [at, num(0)]), apply('ge', [at, num(size - 1)])]);
  return { at: apply('min', [apply('max', [at, num(0)]), num(size - 1)]), slope: select(outside, num(0), slope) };
}
/** Outside coordinates mirrored at the edge: at pixel centres (alignCorners) or at outer corners. */
function reflected({ at, slope }: Along, size: number, { alignCorners }: GridAttributes): Along {
  const [low, span] = alignCorners ? [0, size - 1] : [-0.5, size];
  if (span === 0) return { at: num(0), slope: num(0) };
  const from = sub(at, num(low));
  const away = apply('abs', [from]);
  const turns = apply('floor', [div(away, num(span))]);
  const rest = sub(away, mul(turns, num(span)));
  // whole and at most 2²⁴: halving and doubling is exact, and a long way shorter than a remainder
  const odd = apply('ne', [mul(apply('floor', [mul(turns, num(0.5))]), num(2)), turns]);
  const back = add(select(odd, sub(num(span), rest), rest), num(low));
  const sign = select(apply('lt', [from, num(0)]), num(-1), num(1));
  return { at: back, slope: mul(slope, select(odd, apply('neg', [sign]), sign)) };
}
function padded(along: Along, size: number, attributes: GridAttributes): Along {
  if (attributes.paddingMode === 'zeros') return along;
  const inside = attributes.paddingMode === 'border' ? along : reflected(along, size, attributes);
  return clipped(inside, size);
}

/** The taps along one axis for the grid's number g, by the tap's number; weights are differentiated `order` times. */
export function tapsOf(
  g: OpExpr,
  size: number,
  order: number,
  attributes: GridAttributes,
): { count: number; tap: (k: OpExpr) => Tap } {
  const raw = unnormalized(g, size, attributes);
  if (attributes.mode === 'bicubic') {
    const first = apply<Read>('floor', [raw.at]);
    const part = sub(raw.at, first);
    const tap = (k: OpExpr): Tap => {
      const from = cast(sub(k, int(1)), 'float32');
      // Bicubic pads pixel by pixel, so that the curve itself is not bent at the edge.
      const { at } = padded({ at: add(first, from), slope: num(0) }, size, attributes);
      // The distance shrinks as g grows.
      const weight = mul(cubic(sub(from, part), order), power(apply('neg', [raw.slope]), order));
      return { place: cast(at, 'int32'), weight };
    };
    return { count: 4, tap };
  }
  const { at, slope } = padded(raw, size, attributes);
  if (attributes.mode === 'nearest')
    return { count: 1, tap: () => ({ place: cast(apply('round', [at]), 'int32'), weight: num(order === 0 ? 1 : 0) }) };
  const first = apply<Read>('floor', [at]);
  const part = sub(at, first);
  const [left, right] = [
    [sub(num(1), part), part],
    [apply<Read>('neg', [slope]), slope],
    [num(0), num(0)],
  ][Math.min(order, 2)] as [OpExpr, OpExpr];
  const tap = (k: OpExpr): Tap => ({
    place: add(cast(first, 'int32'), k),
    weight: select(apply('eq', [k, int(1)]), right, left),
  });
  return { count: 2, tap };
}
const power = (x: OpExpr, times: number): OpExpr =>
  Array<OpExpr>(times)
    .fill(x)
    .reduce((a, b) => mul(a, b), num(1));

/** Keys' cubic with slope −0.75 at 1, or a derivative of it, of a signed distance within ±2. */
function cubic(distance: OpExpr, order: number): OpExpr {
  const a = -0.75;
  const x = apply<Read>('abs', [distance]);
  const within = derivative([a + 2, -(a + 3), 0, 1], order);
  const beyond = derivative([a, -5 * a, 8 * a, -4 * a], order);
  const at = (factors: readonly number[]): OpExpr =>
    factors.reduce<OpExpr>((sum, factor) => add(mul(sum, x), num(factor)), num(0));
  const value = select(apply('le', [x, num(1)]), at(within), at(beyond));
  return order % 2 === 0 ? value : mul(value, apply('sign', [distance]));
}
/** Of a polynomial, highest power first. */
const derivative = (factors: readonly number[], order: number): readonly number[] =>
  order === 0
    ? factors
    : derivative(
        factors.slice(0, -1).map((factor, i) => factor * (factors.length - 1 - i)),
        order - 1,
      );
