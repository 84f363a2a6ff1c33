/** Where a grid's number lies along an axis of an image, and the pixels around it with their weights, as expressions. */
import { add, apply, cast, constant, div, mul, select, sub } from '../expr';
import type { OpExpr, Read } from '../op';

export type GridAttributes = {
  readonly mode: 'bilinear' | 'nearest' | 'bicubic';
  readonly paddingMode: 'zeros' | 'border' | 'reflection';
  readonly alignCorners: boolean;
};

export const num = (value: number): OpExpr => constant(value);
export const int = (value: number): OpExpr => constant(value, 'int32');

/** A coordinate along one axis of `size`, in pixels, and its slope by the grid's number. */
interface Along {
  readonly at: OpExpr;
  readonly slope: OpExpr;
}
/** One pixel along one axis: where, how much of it, and the slope of that by `at`. */
export interface Tap {
  readonly place: OpExpr;
  readonly weight: OpExpr;
  readonly slope: OpExpr;
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
  const odd = apply('ne', [apply('mod', [turns, num(2)]), num(0)]);
  const back = add(select(odd, sub(num(span), rest), rest), num(low));
  const sign = select(apply('lt', [from, num(0)]), num(-1), num(1));
  return { at: back, slope: mul(slope, select(odd, apply('neg', [sign]), sign)) };
}
function padded(along: Along, size: number, attributes: GridAttributes): Along {
  if (attributes.paddingMode === 'zeros') return along;
  const inside = attributes.paddingMode === 'border' ? along : reflected(along, size, attributes);
  return clipped(inside, size);
}

/** The taps along one axis for the grid's number g. Tap weights and places are expressions of the tap's number too. */
export function tapsOf(
  g: OpExpr,
  size: number,
  attributes: GridAttributes,
): { count: number; tap: (k: OpExpr) => Tap } {
  const raw = unnormalized(g, size, attributes);
  if (attributes.mode === 'bicubic') {
    const first = apply<Read>('floor', [raw.at]);
    const part = sub(raw.at, first);
    const tap = (k: OpExpr): Tap => {
      const place = add(first, cast(sub(k, int(1)), 'float32'));
      // Bicubic pads pixel by pixel, so that the curve itself is not bent at the edge.
      const at = padded({ at: place, slope: num(0) }, size, attributes).at;
      const distance = sub(cast(sub(k, int(1)), 'float32'), part);
      const { value, slope } = cubic(distance);
      return { place: cast(at, 'int32'), weight: value, slope: apply('neg', [mul(slope, raw.slope)]) };
    };
    return { count: 4, tap };
  }
  const { at, slope } = padded(raw, size, attributes);
  if (attributes.mode === 'nearest')
    return { count: 1, tap: () => ({ place: cast(apply('round', [at]), 'int32'), weight: num(1), slope: num(0) }) };
  const first = apply<Read>('floor', [at]);
  const part = sub(at, first);
  const tap = (k: OpExpr): Tap => {
    const right = apply('eq', [k, int(1)]);
    return {
      place: add(cast(first, 'int32'), k),
      weight: select(right, part, sub(num(1), part)),
      slope: select(right, slope, apply('neg', [slope])),
    };
  };
  return { count: 2, tap };
}
/** Keys' cubic with slope −0.75 at 1, of a signed distance within ±2, and its derivative. */
function cubic(distance: OpExpr): { value: OpExpr; slope: OpExpr } {
  const a = -0.75;
  const x = apply<Read>('abs', [distance]);
  const near = apply('le', [x, num(1)]);
  const poly = (...factors: number[]) => factors.slice(1).reduce<OpExpr>((sum, f) => add(mul(sum, x), num(f)), num(factors[0] as number)); // biome-ignore format: one
  const value = select(near, poly(a + 2, -(a + 3), 0, 1), poly(a, -5 * a, 8 * a, -4 * a));
  const slope = select(near, poly(3 * (a + 2), -2 * (a + 3), 0), poly(3 * a, -10 * a, 8 * a));
  return { value, slope: mul(slope, apply('sign', [distance])) };
}
