/** Drawing places by weight. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, div, minimum, mul, neg } from './arithmetic';
import { eq, where } from './comparison';
import { searchsorted } from './counting';
import { log } from './math';
import { rand } from './random';
import { cumsum } from './scan';
import { narrow } from './slice';
import { topk } from './sorting';
import { wantDtype } from './types';

/**
 * `samples` places of each row, each with a chance proportional to its weight; without `replacement` each at most once, the
 * weight of those drawn taken out.  weights [C] or [N,C], not negative → [samples] or [N,samples] int32. torch.multinomial.
 * Without replacement places of weight 0 come last, where too few others are. No gradient: the result is a place.
 * @throws ArgumentError where there are fewer places than samples, ShapeError on another rank.
 */
export function multinomial(
  weights: TensorLike,
  samples: number,
  { replacement = false }: { readonly replacement?: boolean } = {},
): Tensor {
  const w = toTensor(weights, 'multinomial');
  wantDtype('multinomial', 'weights', w.dtype, ['float32', 'float16']);
  if (w.rank !== 1 && w.rank !== 2)
    throw new ShapeError(`multinomial: weights ${showShape(w.shape)}; wants [C] or [N,C]`);
  const classes = w.shape[w.rank - 1] as number | null;
  if (
    !Number.isInteger(samples) ||
    samples < 1 ||
    classes === 0 ||
    (!replacement && classes !== null && samples > classes)
  )
    throw new ArgumentError(
      `multinomial: ${samples} samples of ${classes} places; wants at least 1${replacement ? '' : ', and no more than places without replacement'}`,
    );
  if (!replacement) {
    // The order of w/e for exponential e is that of drawing one after the other (Efraimidis and Spirakis 2006).
    const e = neg(log(add(rand(w.shape), 2 ** -25)));
    return topk(where(eq(w, 0), -1, div(w, e)), samples)[1];
  }
  const until = cumsum(w, -1);
  const total = narrow(until, -1, (classes ?? 1) - 1, 1);
  const drawn = mul(rand([...w.shape.slice(0, -1), samples]), total);
  // A product that rounds up to the total stays at the last place with a weight: the first that reaches it.
  return minimum(searchsorted(until, drawn, { right: true }), searchsorted(until, total));
}
