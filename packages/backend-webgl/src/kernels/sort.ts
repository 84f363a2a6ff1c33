/** Sorting along an axis goes to the host: a GPU without workgroups takes log² passes for it, and loses to one core. */
import { type SortKernel, sizeOf } from '@tessera/tensor/backend';
import { turn } from '../layout';
import type { Program } from '../shader';
import { type Build, storePasses } from '../stores';
import { fromTables, tabulate } from '../tables';

export function sort(build: Build, kernel: SortKernel): Program {
  const { shape, axis, descending, k, a, stores } = kernel;
  const kept = shape.map((size, i) => (i === axis ? k : size));
  const title = `sort [${shape}] along ${axis}${descending ? ', descending' : ''}, the first ${k}`;
  if (sizeOf(kept) === 0) return build.program();
  const table = tabulate(build, `${title}, values`, a, shape);
  const [values, places] = [build.temporary(sizeOf(kept)), build.temporary(sizeOf(kept))];
  build.steps.push({
    title,
    reads: [{ ref: table, size: sizeOf(shape) }],
    writes: [values, places].map((ref) => ({ ref, size: sizeOf(kept) })),
    run: ([floats]) => sortRows(kernel, floats as Float32Array),
  });
  const read = fromTables(build, kept, [
    { ref: values, dtype: a.dtype },
    { ref: places, dtype: 'int32' },
  ]);
  storePasses(build, title, [{ shape: kept, stores }], { make: read });
  return build.program();
}

/** Values as they lie in textures, sorted, and the words of where they were. */
function sortRows({ shape, axis, descending, k, a }: SortKernel, floats: Float32Array): Float32Array[] {
  const words = new Int32Array(floats.buffer, floats.byteOffset, floats.length);
  const keys: ArrayLike<number> = a.dtype === 'int32' ? words.map((word) => word ^ turn) : floats;
  const [length, step] = [shape[axis] as number, sizeOf(shape.slice(axis + 1))];
  const slabs = sizeOf(shape.slice(0, axis));
  const values = new Int32Array(slabs * k * step);
  const places = new Int32Array(slabs * k * step);
  const order = new Int32Array(length);
  for (let row = 0; row < slabs * step; row++) {
    const [slab, column] = [Math.floor(row / step), row % step];
    const at = (i: number) => keys[slab * length * step + i * step + column] as number;
    for (let i = 0; i < length; i++) order[i] = i;
    order.sort((i, j) => {
      const [x, y] = descending ? [at(j), at(i)] : [at(i), at(j)];
      return +Number.isNaN(x) - +Number.isNaN(y) || +(x > y) - +(x < y) || i - j;
    });
    for (let rank = 0; rank < k; rank++) {
      const from = order[rank] as number;
      const to = slab * k * step + rank * step + column;
      values[to] = words[slab * length * step + from * step + column] as number;
      places[to] = from ^ turn;
    }
  }
  return [new Float32Array(values.buffer), new Float32Array(places.buffer)];
}
