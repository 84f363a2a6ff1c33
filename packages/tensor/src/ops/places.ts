/** What reading and writing at an index share: checks of the index, and the coordinates it leads to. */
import { ArgumentError, ShapeError } from '../errors';
import { index as coordinate } from '../expr';
import { type Input, type OpExpr, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { wantDtype } from './types';

/** @throws unless the index is int32 and, where its values are at hand, inside of `size`. */
export function checkIndex(op: string, index: Tensor, size: number | null): void {
  wantDtype(op, 'index', index.dtype, ['int32']);
  const { source } = index.node;
  if (source?.kind !== 'host' || size === null) return;
  const outside = (source.data as Int32Array).find((place) => place < 0 || place >= size);
  if (outside !== undefined)
    throw new ArgumentError(`${op}: index ${outside} is outside of the axis; wants 0 to ${size - 1}`);
}

/** @throws ShapeError unless an index of one place an element fits beside `axis`. */
export function fitsBeside(op: string, shape: Shape, index: Shape, axis: number): void {
  const fits = index.every(
    (size, i) => i === axis || size === null || shape[i] == null || size <= (shape[i] as number),
  );
  if (index.length !== shape.length || !shape.length || !fits)
    throw new ShapeError(
      `${op}: index ${showShape(index)} for ${showShape(shape)}; wants as many axes, none larger beside dim ${axis}`,
    );
}

/** x's coordinates from those of `domain`, where the index's axes stand for axis `axis`. */
export function rowPlaces(x: Input, index: Input, axis: number, domain: readonly number[]): OpExpr[] {
  const rank = index.shape.length;
  const lined = domain.map((_, i) => (i >= axis && i < axis + rank ? (index.shape[i - axis] as number) : 1));
  const place = read(index, domain, [{ type: 'reshape', shape: lined }]);
  return x.shape.map((_, i): OpExpr => (i === axis ? place : coordinate(i < axis ? i : i + rank - 1)));
}

/** An index of one axis at most. @throws ShapeError */
export function vector(op: string, index: TensorLike): Tensor {
  const i = toTensor(index, op);
  if (i.rank > 1)
    throw new ShapeError(`${op}: index ${showShape(i.shape)}; wants one axis, or takeRows, which takes any`);
  return i;
}
