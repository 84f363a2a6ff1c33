/**
 * Convolution and its two gradients. Ways to compute one, each where it pays:
 *
 *   tiles     products of matrices that are never written down (implicit GEMM), in conv-product.ts
 *   matrix    the same products of float16 on tensor cores, in matrix.ts
 *   direct    groups of few channels (depthwise), in conv-direct.ts
 *   winograd  windows of 3×3 by fewer multiplications, in winograd.ts; only the tuner takes it
 */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { type Program, rareOf, type Target } from '../shader';
import type { Order } from './conv-places';
import { collapsed, productOf, titleOf } from './conv-product';
import { type Direct, directChoices, isNarrow } from './direct-choices';
import type { ByMatrix } from './matrix';
import { sharedForSums } from './partials';
import { productBy } from './product';
import { dealtChoices, predict, sharedOf, type Tiled, tiledChoices } from './tiles';
import type { Winograd } from './winograd';

/** `order`: how k runs over channels and places of the window. */
export type ConvChoice = ((Tiled | ByMatrix) & { readonly order: Order }) | Direct | Winograd;

/** Products that are offered where groups are narrow: tiles of theirs are nearly empty. */
const mostBehind = 4;

export function convChoices(given: ConvKernel, target: Target): ConvChoice[] {
  const kernel = collapsed(given);
  const { partials } = kernel;
  // a tile's columns are a part
  const fits = (choice: Tiled | ByMatrix) =>
    !partials ||
    (columnsOf(choice) === partials.columns &&
      (choice.way === 'matrix' || sharedOf(choice.tile) + sharedForSums(partials, choice.tile) <= target.shared));
  const made = orders(kernel).flatMap((order) => {
    const { batch, m, n, k, segments, segmentsOf, a, first } = productOf(kernel, target, order);
    // Addresses: a vector of memory costs one operation an element, a place of a window and its test several.
    const cost = { a: a.four ? 0.5 : 3, b: order === 'taps' ? 2.5 : sizeOf(kernel.sizes.kernel) === 1 ? 1 : 6 };
    const extent = { batch, m, n, k, segments, cost, first: first?.words ?? 0, uneven: !!segmentsOf };
    const dealt = target.rare && !partials ? dealtChoices(extent, target) : [];
    return [...tiledChoices(extent, target), ...dealt].filter(fits).map((choice) => ({
      choice: { ...choice, order },
      seconds: predict(extent, choice, target),
    }));
  });
  const rank = (one: (typeof made)[number]) => (one.choice.shares ? 1 + one.seconds : one.seconds); // no default
  const products = made.sort((one, other) => rank(one) - rank(other)).map(({ choice }) => choice);
  const { matrix } = target;
  const byMatrix = (matrix ? orders(kernel) : []).flatMap((order) =>
    (matrix?.by.matrixChoices(kernel, productOf(kernel, target, order), target) ?? [])
      .filter(fits)
      .map((choice) => ({ ...choice, order })),
  );
  const others = [...byMatrix, ...products];
  if (partials) return others;
  const direct = directChoices(given, target);
  if (direct.length > 0 && isNarrow(given)) return [...direct, ...others.slice(0, mostBehind)];
  return [...others, ...direct, ...(target.rare?.winogradChoices(given, target) ?? [])];
}

/** The columns whose sums a workgroup, or a subgroup with tensor cores, may leave together; none of other ways. */
export function columnsOf(choice: ConvChoice | Tiled | ByMatrix): number | null {
  if (choice.way === 'tiles') return choice.tile.n;
  return choice.way === 'matrix' ? choice.tile.part[1] : null;
}

/** Orders of k that differ for this convolution. */
function orders({ direction, sizes }: ConvKernel): Order[] {
  if (direction === 'weightGrad') return ['flat'];
  const strided = direction === 'inputGrad' && sizeOf(sizes.stride) > 1;
  return sizeOf(sizes.kernel) === 1 && !strided ? ['flat'] : ['taps', 'flat'];
}

export function conv(given: ConvKernel, target: Target, choice: ConvChoice): Program {
  if (choice.way === 'direct') return rareOf(target).direct(given, target, choice, titleOf(given));
  if (choice.way === 'winograd') return rareOf(target).winograd(given, target, choice);
  const kernel = collapsed(given);
  const of = productOf(kernel, target, choice.order);
  return productBy(kernel, target, of, choice);
}
