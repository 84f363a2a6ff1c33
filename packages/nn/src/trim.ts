/** Maps of nearly one size brought to one. */
import { ArgumentError, ShapeError, showShape, slice, type Tensor } from '@tessera/tensor';

export interface TrimOptions {
  /** 'least': of each axis the smallest size there is; 'first': the first tensor's. Default 'least'. */
  readonly to?: 'least' | 'first';
  /** Which axes. Default: all behind the first two, [N,C,…]. */
  readonly dims?: readonly number[];
  /** The most that may be cut off an axis; null: any. Default null. */
  readonly slop?: number | null;
}
/**
 * The tensors with the ends of their axes cut off, so that these have one size: what a network of two ways makes of an odd image,
 * before cat or add. torchmore's layers.conform (slop 2 there) and conform1
 * @throws ShapeError where ranks differ, sizes are unknown, or more than `slop` would go.
 */
export function trimTo(tensors: readonly Tensor[], options: TrimOptions = {}): Tensor[] {
  const [first] = tensors;
  if (!first) throw new ArgumentError('trimTo: no tensors; wants at least one');
  const {
    to = 'least',
    slop = null,
    dims = Array.from({ length: Math.max(0, first.rank - 2) }, (_, i) => i + 2),
  } = options;
  const shown = tensors.map(({ shape }) => showShape(shape)).join(' and ');
  const sizes = dims.map((dim) => {
    const all = tensors.map(({ shape }) => shape[dim]);
    if (tensors.some(({ rank }) => rank !== first.rank) || !all.every((size) => typeof size === 'number'))
      throw new ShapeError(`trimTo: ${shown}; wants tensors of one rank with known sizes`);
    const size = to === 'first' ? (all[0] as number) : Math.min(...all);
    const odd = all.find((own) => own < size || (slop !== null && own - size > slop));
    if (odd !== undefined)
      throw new ShapeError(
        `trimTo: ${shown} have ${odd} and ${size} on axis ${dim}${slop === null ? '' : `, slop ${slop}`}; pad the smaller, or allow for more`,
      );
    return size;
  });
  return tensors.map((tensor) =>
    dims.every((dim, i) => tensor.shape[dim] === sizes[i])
      ? tensor
      : slice(
          tensor,
          tensor.shape.map((_, axis) => (dims.includes(axis) ? [0, sizes[dims.indexOf(axis)] as number] : null)),
        ),
  );
}
