/** Tensors put together and taken apart. Taking apart is views; putting together writes each part into its box of the result. */
import { ArgumentError, ShapeError } from '../errors';
import { cast, computeOf } from '../expr';
import type { DType } from '../ir';
import { axisOf, defineOp, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, tensor, toTensor } from '../tensor';
import { indexSelect } from './indexing';
import { expand, flatten, reshape, unsqueeze } from './shape';
import { narrow, select, slice } from './slice';
import { broadcastShapes, commonType } from './types';

/** The tensors one behind the other along `dim`; all other sizes are equal, dtypes promote. torch.cat.
 *  @throws ShapeError naming both shapes where other sizes differ. */
export const cat = /* @__PURE__ */ defineOp({
  name: 'cat',
  args: (tensors: readonly TensorLike[], dim: number = 0) => {
    const inputs = tensors.map((like) => toTensor(like, 'cat'));
    const first = inputs[0];
    if (!first) throw new ArgumentError('cat: no tensors; wants at least one');
    return [inputs, { axis: axisOf('cat', dim, first.shape) }];
  },
  shape: (inputs, { axis }) => {
    const shape: (number | null)[] = [...(inputs[0] as Tensor).shape];
    for (const { shape: other } of inputs.slice(1)) {
      if (
        other.length !== shape.length ||
        other.some((size, i) => i !== axis && !agree(size, shape[i] as number | null))
      )
        throw new ShapeError(
          `cat: shapes ${showShape((inputs[0] as Tensor).shape)} and ${showShape(other)} differ beside dim ${axis}; only its sizes may`,
        );
      other.forEach((size, i) => {
        if (i !== axis) shape[i] ??= size;
        else shape[i] = size === null || shape[i] == null ? null : (shape[i] as number) + size;
      });
    }
    return { shape, dtype: commonType(inputs) };
  },
  lower: (inputs, { axis }, [out]) => {
    const { shape, dtype } = out as { shape: readonly number[]; dtype: DType };
    let at = 0;
    return {
      kind: 'parts',
      parts: inputs.map((input) => {
        const start = shape.map((_, i) => (i === axis ? at : 0));
        at += input.shape[axis] as number;
        return { start, shape: input.shape, expr: cast(read(input), computeOf(dtype)) };
      }),
    };
  },
});
const agree = (a: number | null, b: number | null): boolean => a === null || b === null || a === b;

/** Tensors of one shape along a new axis put in at `dim`. torch.stack. */
export function stack(tensors: readonly TensorLike[], dim = 0): Tensor {
  const inputs = tensors.map((like) => toTensor(like, 'stack'));
  const first = inputs[0];
  if (!first) throw new ArgumentError('stack: no tensors; wants at least one');
  const other = inputs.find(
    (t) => t.rank !== first.rank || t.shape.some((size, i) => !agree(size, first.shape[i] ?? null)),
  );
  if (other)
    throw new ShapeError(
      `stack: shapes ${showShape(first.shape)} and ${showShape(other.shape)} differ; all must be equal`,
    );
  const axis = axisOf('stack', dim, first.shape, 1);
  return cat(
    inputs.map((t) => unsqueeze(t, axis)),
    axis,
  );
}

/** Pieces of `size` along `dim`, the last one maybe smaller; or pieces of the listed sizes. torch.split. */
export function split(x: TensorLike, size: number | readonly number[], dim = 0): Tensor[] {
  const t = toTensor(x, 'split');
  const axis = axisOf('split', dim, t.shape);
  const whole = sizeAlong('split', t.shape, axis);
  if (typeof size === 'number' && (size < 1 || !Number.isInteger(size)))
    throw new ArgumentError(`split: size ${size}; wants a whole number from 1`);
  const sizes =
    typeof size === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(whole / size)) }, (_, i) => Math.min(size, whole - i * size))
      : size;
  if (sizes.reduce((a, b) => a + b, 0) !== whole)
    throw new ShapeError(
      `split: sizes [${sizes}] do not add up to ${whole}, the size of dim ${axis} of ${showShape(t.shape)}`,
    );
  let at = 0;
  return sizes.map((length) => narrow(t, axis, (at += length) - length, length));
}
function sizeAlong(op: string, shape: Shape, axis: number): number {
  const size = shape[axis] as number | null;
  if (size === null)
    throw new ShapeError(
      `${op}: dim ${axis} of ${showShape(shape)} is unknown, and so is the number of pieces; split by a list of sizes`,
    );
  return size;
}
/** At most `chunks` pieces of ⌈size / chunks⌉. torch.chunk. */
export function chunk(x: TensorLike, chunks: number, dim = 0): Tensor[] {
  const t = toTensor(x, 'chunk');
  const axis = axisOf('chunk', dim, t.shape);
  if (chunks < 1) throw new ArgumentError(`chunk: ${chunks} chunks; wants at least 1`);
  return split(t, Math.max(1, Math.ceil(sizeAlong('chunk', t.shape, axis) / chunks)), axis);
}
/** The places along `dim`, each without that axis. torch.unbind. */
export function unbind(x: TensorLike, dim = 0): Tensor[] {
  const t = toTensor(x, 'unbind');
  const axis = axisOf('unbind', dim, t.shape);
  return Array.from({ length: sizeAlong('unbind', t.shape, axis) }, (_, i) => select(t, axis, i));
}

/** x beside itself, repeats[i] times along axis i; more repeats than axes make new ones in front. Tensor.repeat. */
export function repeat(x: TensorLike, repeats: readonly number[]): Tensor {
  const t = toTensor(x, 'repeat');
  const added = repeats.length - t.rank;
  if (added < 0 || repeats.some((n) => n < 0 || !Number.isInteger(n)))
    throw new ArgumentError(
      `repeat: repeats [${repeats}] for shape ${showShape(t.shape)}; wants a count for each axis`,
    );
  const shape = [...Array<number>(Math.max(added, 0)).fill(1), ...t.shape];
  const spread = expand(
    reshape(t, shape.flatMap((size) => [1, size])), // biome-ignore format: pairs
    shape.flatMap((size, axis) => [repeats[axis] as number, size]),
  );
  return reshape(
    spread,
    shape.map((size, axis) => (size === null ? null : size * (repeats[axis] as number))),
  );
}
/** As repeat, with fewer counts than axes meaning the last axes. torch.tile. */
export function tile(x: TensorLike, dims: readonly number[]): Tensor {
  const t = toTensor(x, 'tile');
  return repeat(t, [...Array<number>(Math.max(0, t.rank - dims.length)).fill(1), ...dims]);
}
/** Each place of `dim`, `repeats` times in a row, or place i repeats[i] times; without `dim` each element of x as one long row.
 *  torch.repeat_interleave, whose counts on the device are data: read them first. @throws ArgumentError for counts that are none, or
 *  not one for each place. */
export function repeatInterleave(x: TensorLike, repeats: number | readonly number[], dim?: number): Tensor {
  const t = toTensor(x, 'repeatInterleave');
  if (dim === undefined) return repeatInterleave(flatten(t), repeats, 0);
  const axis = axisOf('repeatInterleave', dim, t.shape);
  const [before, size, after] = [t.shape.slice(0, axis), t.shape[axis] as number | null, t.shape.slice(axis + 1)];
  const counts = typeof repeats === 'number' ? [repeats] : repeats;
  const fits = typeof repeats === 'number' || [counts.length, null].includes(size);
  if (!Array.isArray(counts) || !fits || counts.some((n) => !Number.isInteger(n) || n < 0))
    throw new ArgumentError(
      `repeatInterleave: repeats ${typeof repeats === 'number' ? repeats : `[${repeats}]`} for dim ${axis} of ${showShape(t.shape)}; wants a whole number from 0, or one for each place`,
    );
  if (typeof repeats !== 'number')
    return indexSelect(t, axis, tensor(Int32Array.from(repeats.flatMap((n, i) => Array<number>(n).fill(i)))));
  const spread = expand(unsqueeze(t, axis + 1), [...before, size, repeats, ...after]);
  return reshape(spread, [...before, size === null ? null : size * repeats, ...after]);
}

/** What leaves one end of `dim` comes back at the other: y[i] = x[(i − shift) mod size]. Without dims x is one long row meanwhile.
 *  torch.roll. @throws ArgumentError unless there is one shift for each of dims. */
export function roll(x: TensorLike, shifts: number | readonly number[], dims?: number | readonly number[]): Tensor {
  if (dims === undefined) {
    const t = toTensor(x, 'roll');
    return reshape(roll(flatten(t), shifts, 0), t.shape);
  }
  const by = typeof shifts === 'number' ? [shifts] : shifts;
  const along = typeof dims === 'number' ? [dims] : dims;
  if (by.length !== along.length)
    throw new ArgumentError(`roll: ${by.length} shifts for ${along.length} dims; wants one each`);
  return along.reduce<Tensor>(
    (t, dim, i) => {
      const axis = axisOf('roll', dim, t.shape);
      const size = t.shape[axis] as number | null;
      const shift = size ? (((by[i] as number) % size) + size) % size : 0;
      if (size === null || shift === 0) return t;
      const rest = t.shape.slice(0, axis).map(() => null);
      return cat([slice(t, [...rest, [size - shift]]), slice(t, [...rest, [0, size - shift]])], axis);
    },
    toTensor(x, 'roll'),
  );
}

/** The tensors broadcast to their common shape. torch.broadcast_tensors. */
export function broadcastTensors(...tensors: readonly TensorLike[]): Tensor[] {
  const all = tensors.map((like) => toTensor(like, 'broadcastTensors'));
  const shape = broadcastShapes('broadcastTensors', all.map((t) => t.shape)); // biome-ignore format: one thing
  return all.map((t) => expand(t, shape));
}
