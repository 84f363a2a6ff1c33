/**
 * Few long rows, cut in chunks:
 *
 *     ├ chunk ┼ chunk ┼ chunk ┼ chunk ┤   a draw makes the accumulators of each chunk,
 *     └───────┴───┬───┴───────┘           the next joins them in the order of the chunks.
 */
import { type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import type { Place } from '../place';
import type { Ref, Shader } from '../shader';
import type { Build, Core } from '../stores';
import { fromTables, tablePass } from '../tables';
import { type Accumulator, accOf, add, better, declare, positionAt, result } from './accumulators';
import { linear } from './blocks';
import { countOf, lanesFor, lastOf, overRow, type Rows, texelsPass } from './rows';

/** Rows are cut into about so many chunks in all, of at least so many elements. */
const [enough, least] = [4096, 64];

/** Along the longest axis, the first of them. */
export function cutOf({ shape, axes }: ReduceKernel, count: number, length: number): Rows['cut'] {
  if (count === 0 || length === 0) return null;
  const size = Math.max(...axes.map((axis) => shape[axis] as number));
  const axis = axes.find((one) => shape[one] === size) as number;
  const wanted = Math.min(size, Math.ceil(enough / count), Math.floor(length / least));
  const by = axis === lastOf(shape) ? 4 : 1;
  const chunk = Math.ceil(size / Math.max(1, wanted) / by) * by;
  const chunks = Math.ceil(size / chunk);
  return chunks > 1 ? { axis, chunk, chunks } : null;
}

/** One stage: a draw over the chunks of all rows, and what joins those of a row, or of four. */
export function chunked(build: Build, rows: Rows, stage: readonly Accumulator[]): Core {
  const { axis, chunk, chunks } = rows.cut as NonNullable<Rows['cut']>;
  const lanes = lanesFor(rows.kernel, stage);
  const count = sizeOf(rows.shape);
  // Chunks of a row stand side by side, those of four rows behind those of all.
  const shape = { one: [...rows.shape, chunks], along: [...rows.shape, chunks, 4], across: [chunks, ...rows.shape] }[
    lanes
  ];
  const at = lanes === 'across' ? 1 : 0;
  const parts = stage.map((a) => ({
    value: build.temporary(sizeOf(shape)),
    position: a.arg ? build.temporary(sizeOf(shape)) : null,
  }));
  const refs = parts.flatMap(({ value, position }) => (position ? [value, position] : [value]));
  const title = `${rows.title}, ${chunks} chunks of ${chunk} along ${axis}`;
  const made = (shader: Shader, place: Place): string[][] => {
    const four = lanes === 'across';
    const row: Place = {
      lanes: four ? 4 : 1,
      sizes: place.sizes,
      coord: (one, lane) => place.coord(one + at, lane),
      shared: (one) => !four || place.shared(one + at),
      ...(four && { aligned: true }),
    };
    const acc = fromTables(build, rows.shape, rows.tables)(shader, row, rows.shape);
    overRow(shader, rows, stage, lanes, row, acc, place.coord(four ? 0 : rows.shape.length, 0));
    const all = [0, 1, 2, 3].slice(0, countOf(lanes));
    return stage.flatMap((a) => {
      const values = all.map((lane) => accOf(a, lane));
      return a.arg ? [values, all.map((lane) => positionAt(a, lane))] : [values];
    });
  };
  if (lanes === 'one')
    tablePass(build, title, shape, refs, (shader, place) => made(shader, place).map(([text]) => text as string));
  else texelsPass(build, title, shape, refs, made);

  return (shader, row) => {
    const wide = [0, 1, 2, 3].slice(0, row.lanes);
    const position = linear(row.sizes, rows.shape, [...rows.shape.keys()]);
    const at = (lane: number) => position((axis) => row.coord(axis, lane));
    for (const a of stage) for (const lane of wide) declare(shader, a, lane);
    shader.line(`for (let k = 0; k < ${chunks}; k++) {`);
    const fetch = (returns: 'Number' | 'Array(4)', text: string): string => {
      const name = shader.name('part');
      const type = returns === 'Number' ? 'float' : 'vec4';
      shader.native(name, ['Integer'], returns, `${type} ${name}(int k) { return ${text}; }`);
      return shader.bind(`${name}(k)`);
    };
    /** What of the parts goes to each of the rows. */
    const read = (ref: Ref): readonly (readonly string[])[] => {
      const sampler = shader.sampler(ref);
      if (lanes === 'along') {
        return wide.map((lane) => {
          const bound = fetch('Array(4)', `${sampler}_texel(${at(lane)} * ${chunks} + k)`);
          return [0, 1, 2, 3].map((i) => `${bound}[${i}]`);
        });
      }
      if (lanes === 'across' && row.lanes === 4) {
        const bound = fetch('Array(4)', `${sampler}_texel((${at(0)} >> 2) + k * ${row.sizes.int(count / 4)})`);
        return wide.map((lane) => [`${bound}[${lane}]`]);
      }
      const apart = lanes === 'one' ? chunks : row.sizes.int(count);
      const element = (lane: number) => (lanes === 'one' ? `${at(lane)} * ${apart} + k` : `k * ${apart} + ${at(lane)}`);
      return wide.map((lane) => [fetch('Number', `${sampler}(${element(lane)})`)]);
    };
    stage.forEach((a, i) => {
      const { value, position } = parts[i] as (typeof parts)[number];
      const places = position && read(position);
      read(value).forEach((texts, lane) => {
        texts.forEach((text, part) => {
          if (places) better(shader, a, shader.bind(text), shader.bind(places[lane]?.[part] as string), lane);
          else add(shader, a, text, lane);
        });
      });
    });
    shader.line('}');
    const results = new Map(stage.map((a) => [a.index, wide.map((lane) => result(shader, a, lane))]));
    return (index) => results.get(index) as readonly string[];
  };
}
