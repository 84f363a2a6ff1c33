/**
 * Rows along some axes, in stages. One draw goes through the rows and leaves accumulators in tables, an element a row; the
 * stores then read them, so what is written back over a row sums nothing again. A step is a texel where it can be: of four
 * elements along a row, each with an accumulator of its own, or of four rows. Few long rows are cut in chunks:
 *
 *     ├ chunk ┼ chunk ┼ chunk ┼ chunk ┤   a draw makes the accumulators of each chunk,
 *     └───────┴───┬───┴───────┘           the next joins them in the order of the chunks.
 */
import { type Accumulate, type Compute, expr as e, type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { texelsOf } from '../layout';
import { atTexel, cursor, type Place } from '../place';
import type { Program, Ref, Shader } from '../shader';
import { type Build, type Core, countNodes, fromTables, isOneDraw, storePasses, tablePass } from '../stores';
import { linear } from './packed';

export const tile = {
  /** Rows are cut into about this many chunks in all, of at least so many elements. */
  chunks: 4096,
  short: 64,
  /** Expressions of more nodes are not written four times, and of more than `tiny` not for four texels. */
  wide: 60,
  tiny: 12,
} as const;

/** An accumulator, by the number that `acc` has. arg… carries the best value and its position. */
interface Accumulator extends Accumulate {
  readonly index: number;
  readonly arg: 'max' | 'min' | null;
  /** What its table holds. */
  readonly holds: Compute;
}
interface Table {
  readonly ref: Ref;
  readonly dtype: Compute;
}
/** What is gone through: the whole row, or a chunk of it along one axis. */
interface Rows {
  readonly kernel: ReduceKernel;
  readonly title: string;
  /** The shape with 1 on reduced axes. */
  readonly shape: readonly number[];
  readonly tables: readonly Table[];
  readonly cut: { readonly axis: number; readonly chunk: number; readonly chunks: number } | null;
}

export function reduce(build: Build, kernel: ReduceKernel): Program {
  const { shape, axes, stores } = kernel;
  const rowShape = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const stages = stagesOf(kernel);
  const length = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  const title = `reduce [${shape}] along ${axes.join(',')} in ${stages.length} stages · ${sizeOf(rowShape)} rows of ${length}`;
  const tables = stages.flat().map(({ holds }) => ({ ref: build.temporary(sizeOf(rowShape)), dtype: holds }));
  const rows: Rows = { kernel, title, shape: rowShape, tables, cut: cutOf(kernel, sizeOf(rowShape), length) };
  const draws = drawsOf(build, rows, stages);
  const of = (per: 'row' | 'element') => stores.filter((store) => store.per === per);
  const each = [{ shape: rowShape, stores: of('row') }];
  const make = (draw: Accumulator[][]) =>
    rows.cut ? chunked(build, rows, draw.flat()) : whole(build, rows, draw, lanesFor(kernel, draw.flat()));
  if (draws.length === 1 && of('element').length === 0 && isOneDraw(build, each)) {
    // Nobody else reads the accumulators: the stores are made where they are.
    const [draw = []] = draws;
    const lanesOnly = !rows.cut && lanesFor(kernel, draw.flat()) !== 'across';
    storePasses(build, rows.cut ? `${title}, joined` : title, each, { make: make(draw), lanesOnly });
    return build.program();
  }
  for (const draw of draws) leave(build, rows, draw.flat(), make(draw));
  const read = { make: fromTables(build, rowShape, tables) };
  storePasses(build, `${title}, a row each`, each, read);
  storePasses(build, `${title}, over the rows`, [{ shape, stores: of('element') }], read);
  return build.program();
}

/** What each draw makes: chunks of a stage, in portions; else all stages where there are targets enough, else a stage, in portions. */
function drawsOf({ targets }: Build, { cut }: Rows, stages: Accumulator[][]): Accumulator[][][] {
  if (!cut && stages.flat().length <= targets) return [stages];
  const most = cut ? Math.max(1, Math.floor(targets / 2)) : targets;
  return stages.flatMap((stage) => portions(stage, most).map((part) => [part]));
}

/** Along the longest axis, the first of them. */
function cutOf({ shape, axes }: ReduceKernel, count: number, length: number): Rows['cut'] {
  if (count === 0 || length === 0) return null;
  const size = Math.max(...axes.map((axis) => shape[axis] as number));
  const axis = axes.find((one) => shape[one] === size) as number;
  const wanted = Math.min(size, Math.ceil(tile.chunks / count), Math.floor(length / tile.short));
  const by = axis === lastOf(shape) ? 4 : 1;
  const chunk = Math.ceil(size / Math.max(1, wanted) / by) * by;
  const chunks = Math.ceil(size / chunk);
  return chunks > 1 ? { axis, chunk, chunks } : null;
}

/** What the lanes of a step are: one element, four of a row, or one of each of four rows. */
type Lanes = 'one' | 'along' | 'across';

const lastOf = (shape: readonly number[]): number => shape.findLastIndex((size) => size !== 1);

function lanesFor({ shape, axes }: ReduceKernel, accumulators: readonly Accumulator[]): Lanes {
  const last = lastOf(shape);
  if (last < 0 || (shape[last] as number) % 4 !== 0) return 'one';
  if (countNodes(accumulators.map(({ expr }) => expr)) > tile.wide) return 'one';
  return axes.includes(last) ? 'along' : 'across';
}
const countOf = (lanes: Lanes): 1 | 4 => (lanes === 'one' ? 1 : 4);

/** Leaves accumulators in their tables, an element a row. */
function leave(build: Build, rows: Rows, own: readonly Accumulator[], make: Core): void {
  const refs = own.map(({ index }) => (rows.tables[index] as Table).ref);
  const carried = (shader: Shader, row: Place) => {
    const made = make(shader, row, rows.shape);
    return own.map((a) => made(a.index).map((text) => shader.bind(toCarried(text, a.holds))));
  };
  const title = rows.cut ? `${rows.title}, joined` : rows.title;
  if (lanesFor(rows.kernel, own) === 'across') texelsPass(build, title, rows.shape, refs, carried);
  else tablePass(build, title, rows.shape, refs, (shader, row) => carried(shader, row).map(([text]) => text as string));
}

/** All of these stages, at a row, or at four where the lanes go across. */
function whole(build: Build, rows: Rows, stages: readonly (readonly Accumulator[])[], wanted: Lanes): Core {
  return (shader, row) => {
    const lanes = wanted === 'across' && row.lanes === 1 ? 'one' : wanted;
    const before = fromTables(build, rows.shape, rows.tables)(shader, row, rows.shape);
    const finished = new Map<number, readonly string[]>();
    const acc = (index: number) => finished.get(index) ?? before(index);
    for (const stage of stages) {
      overRow(shader, rows, stage, lanes, row, acc, null);
      if (lanes === 'along') for (const a of stage) joinLanes(shader, a);
      const wide = lanes === 'across' ? [0, 1, 2, 3] : [0];
      for (const a of stage) {
        finished.set(
          a.index,
          wide.map((lane) => result(shader, a, lane)),
        );
      }
    }
    return acc;
  };
}

/** One stage: a draw over the chunks of all rows, and what joins those of a row, or of four. */
function chunked(build: Build, rows: Rows, stage: readonly Accumulator[]): Core {
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

/** Tables over a shape whose last axis is whole texels, a texel at once. */
function texelsPass(
  build: Build,
  title: string,
  shape: readonly number[],
  tables: readonly Ref[],
  body: (shader: Shader, at: Place) => readonly (readonly string[])[],
): void {
  if (sizeOf(shape) === 0) return;
  const shader = build.shader(title);
  const [first, ...rest] = body(shader, atTexel(shader, shape)).map((texts) => `[${texts.join(', ')}]`);
  rest.forEach((texel, k) => {
    shader.line(`output${k + 1}(${texel});`);
  });
  shader.line(`return ${first};`);
  build.steps.push(shader.pass(tables, texelsOf(sizeOf(shape))));
}

/**
 * Goes through a row, or the chunk whose number is `chunk` (GLSL), and takes each element into the accumulators of its lane.
 * @param row the place of the row, in all but the reduced axes; of four rows where the lanes are these
 */
function overRow(
  shader: Shader,
  { kernel, cut }: Rows,
  stage: readonly Accumulator[],
  lanes: Lanes,
  row: Place,
  acc: (index: number) => readonly string[],
  chunk: string | null,
): void {
  const { shape, axes } = kernel;
  const wide = [0, 1, 2, 3].slice(0, countOf(lanes));
  for (const a of stage) for (const lane of wide) declare(shader, a, lane);
  const at = cursor(shader, shape.length);
  const last = lastOf(shape);
  const loops = shape.flatMap((size, axis) => {
    if (!axes.includes(axis) || size === 1) return [];
    const steps = chunk !== null && cut?.axis === axis ? cut.chunk : size;
    return [{ axis, size, by: lanes === 'along' && axis === last ? 4 : 1, steps, counter: shader.name('i') }];
  });
  const name = shader.name('step');
  const position = positionOf(shape, axes, (axis) => at.global(axis));
  const lines = shape.flatMap((_, axis) => {
    const loop = loops.find((one) => one.axis === axis);
    if (!loop && axes.includes(axis)) return [`${at.global(axis)} = 0;`];
    if (!loop) return lanes === 'across' ? [] : [`${at.global(axis)} = ${row.coord(axis, 0)};`];
    const first = loop.steps === loop.size ? '' : ` + ${chunk} * ${loop.steps}`;
    return [`${at.global(axis)} = ${loop.counter}${loop.by === 4 ? ' * 4' : ''}${first};`];
  });
  const short = loops.find(({ steps, size }) => size % steps !== 0);
  const valid = short ? `${at.global(short.axis)} < ${short.size}` : null;
  const counters = loops.map(({ counter }) => counter);
  const arg = stage.some((a) => a.arg);
  const places = arg ? `${name}_position = float(${position});` : '';
  shader.native(
    name,
    counters.map(() => 'Integer' as const),
    valid ? 'Boolean' : 'Number',
    `float ${name}_position;
${valid ? 'bool' : 'float'} ${name}(${counters.map((one) => `int ${one}`).join(', ')}) { ${lines.join(' ')} ${places} return ${valid ?? '0.0'}; }`,
  );
  shader.native(`${name}_p`, [], 'Number', `float ${name}_p() { return ${name}_position; }`);
  const place: Place =
    lanes === 'one'
      ? { ...at, acc }
      : {
          lanes: 4,
          sizes: at.sizes,
          coord: (axis, lane) => {
            if (lanes === 'across') return axes.includes(axis) ? at.global(axis) : row.coord(axis, lane);
            return axis === last ? `(${at.global(axis)} + ${lane})` : at.global(axis);
          },
          shared: (axis) => axis !== last,
          aligned: true,
          acc,
        };
  const inner = loops.at(-1);
  const turns = inner ? Math.ceil(inner.steps / inner.by) : 1;
  const tiny = !arg && turns % 4 === 0 && countNodes(stage.map(({ expr }) => expr)) <= tile.tiny;
  const unrolled = tiny && !valid ? 4 : 1; // a loop's turn costs a quarter of a texel
  for (const { counter, steps, by, axis } of loops) {
    const count = Math.ceil(steps / by) / (axis === inner?.axis ? unrolled : 1);
    shader.line(`for (let ${counter} = 0; ${counter} < ${count}; ${counter}++) {`);
  }
  for (let turn = 0; turn < unrolled; turn++) {
    const texts = counters.map((counter, i) =>
      unrolled > 1 && i === counters.length - 1 ? `${counter} * ${unrolled} + ${turn}` : counter,
    );
    const call = `${name}(${texts.join(', ')})`;
    shader.line(valid ? `if (${call}) {` : `${call};`);
    const block = new Block(shader, kernel, place);
    const values = stage.map((a) => valuesOf(block, a));
    for (const lane of wide) {
      stage.forEach((a, i) => {
        const [list] = [values[i] as readonly string[]];
        const text = list[list.length === 1 ? 0 : lane] as string;
        const along = lanes === 'along' && lane > 0 ? `${name}_p() + ${lane}` : `${name}_p()`;
        if (a.arg) better(shader, a, shader.bind(text), shader.bind(along), lane);
        else add(shader, a, text, lane);
      });
    }
    if (valid) shader.line('}');
  }
  for (const _ of loops) shader.line('}');
}

/** The row-major position in the row, in GLSL. */
function positionOf(shape: readonly number[], axes: readonly number[], coord: (axis: number) => string): string {
  const reduced = shape.map((size, axis) => (axes.includes(axis) ? size : 1));
  const terms = reduced.flatMap((size, axis) =>
    size === 1 ? [] : [`${coord(axis)} * ${sizeOf(reduced.slice(axis + 1))}`],
  );
  return terms.join(' + ') || '0';
}

/** What an accumulator takes at the place of a block. */
function valuesOf(block: Block, { expr, dtype, arg }: Accumulator): readonly string[] {
  const wanted = arg ? expr : (e.cast(expr, dtype) as typeof expr);
  return block.value(wanted).map((text) => toCarried(text, wanted.dtype));
}

const accOf = ({ index }: Accumulator, lane: number): string => `acc${index}_${lane}`;
const positionAt = ({ index }: Accumulator, lane: number): string => `position${index}_${lane}`;

function declare(shader: Shader, a: Accumulator, lane: number): void {
  shader.line(`let ${accOf(a, lane)} = ${start(a.combine, a.dtype, shader)};`);
  if (a.arg) shader.line(`let ${positionAt(a, lane)} = -1;`);
}

function add(shader: Shader, a: Accumulator, value: string, lane: number): void {
  const acc = accOf(a, lane);
  shader.line(`${acc} = ${join(a.combine as 'sum', a.dtype, shader)(acc, value)};`);
}

/** Takes a value and its position where it beats the best so far, or equals it and comes before. */
function better(shader: Shader, a: Accumulator, value: string, position: string, lane: number): void {
  const [acc, at] = [accOf(a, lane), positionAt(a, lane)];
  const beat = beats(a.arg as 'max', a.dtype, shader);
  const tie = `(${position} < ${at} && !(${beat(acc, value)}))`;
  shader.line(
    `if (${position} > -0.5 && (${at} < 0 || ${beat(value, acc)} || ${tie})) { ${acc} = ${value}; ${at} = ${position}; }`,
  );
}

/** Those of the other lanes into the first. */
function joinLanes(shader: Shader, a: Accumulator): void {
  for (const lane of [1, 2, 3]) {
    if (a.arg) better(shader, a, accOf(a, lane), positionAt(a, lane), 0);
    else add(shader, a, accOf(a, lane), 0);
  }
}

/** The text of a finished accumulator. */
const result = (shader: Shader, a: Accumulator, lane: number): string =>
  a.arg
    ? shader.bind(`${shader.use('wordOfFloat')}(${shader.use('maxOf')}(${positionAt(a, lane)}, 0))`)
    : a.dtype === 'bool'
      ? shader.bind(fromCarried(accOf(a, lane), a.dtype))
      : accOf(a, lane);

function stagesOf({ stages }: ReduceKernel): Accumulator[][] {
  let index = 0;
  return stages.map((stage) =>
    stage.map((one) => {
      const arg = one.combine === 'argmax' ? 'max' : one.combine === 'argmin' ? 'min' : null;
      return { ...one, index: index++, arg, holds: arg ? 'int32' : one.dtype, dtype: arg ? one.expr.dtype : one.dtype };
    }),
  );
}

const portions = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
