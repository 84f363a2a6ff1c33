/**
 * Rows along some axes, in stages. One draw goes through the rows and leaves accumulators in tables, an element a row; the
 * stores then read them, so what is written back over a row sums nothing again. Few long rows are cut in chunks:
 *
 *     ├ chunk ┼ chunk ┼ chunk ┼ chunk ┤   a draw makes the accumulators of each chunk,
 *     └───────┴───┬───┴───────┘           the next joins them in the order of the chunks.
 */
import { type Accumulate, type Compute, expr as e, type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { cursor, type Place } from '../place';
import type { Program, Ref, Shader } from '../shader';
import { type Build, countNodes, fromTables, storePasses, tablePass } from '../stores';

export const tile = {
  /** Rows at least this long are cut, where there are fewer than `few` of them, into about this many chunks in all. */
  long: 1024,
  few: 1024,
  chunks: 4096,
  /** Expressions of more nodes are not written four times. */
  wide: 60,
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
  if (rows.cut) {
    const most = Math.max(1, Math.floor(build.targets / 2));
    for (const part of stages.flatMap((stage) => portions(stage, most))) chunked(build, rows, part);
  } else {
    // One draw for all stages where it has targets enough, else a draw for each, in portions.
    const together = stages.flat().length <= build.targets;
    const draws = together ? [stages] : stages.flatMap((stage) => portions(stage, build.targets).map((part) => [part]));
    for (const draw of draws) whole(build, rows, draw);
  }
  const read = { make: fromTables(build, rowShape, tables) };
  const of = (per: 'row' | 'element') => stores.filter((store) => store.per === per);
  storePasses(build, `${title}, a row each`, [{ shape: rowShape, stores: of('row') }], read);
  storePasses(build, `${title}, over the rows`, [{ shape, stores: of('element') }], read);
  return build.program();
}

/** Along the longest axis, the first of them. */
function cutOf({ shape, axes }: ReduceKernel, count: number, length: number): Rows['cut'] {
  if (length < tile.long || count >= tile.few || count === 0) return null;
  const size = Math.max(...axes.map((axis) => shape[axis] as number));
  const axis = axes.find((one) => shape[one] === size) as number;
  const wanted = Math.min(size, Math.ceil(tile.chunks / count), Math.ceil(length / 64));
  const chunk = Math.ceil(size / wanted / 4) * 4;
  const chunks = Math.ceil(size / chunk);
  return chunks > 1 ? { axis, chunk, chunks } : null;
}

/** All of these stages, a row an element. */
function whole(build: Build, rows: Rows, stages: readonly (readonly Accumulator[])[]): void {
  const own = stages.flat();
  const made = own.map(({ index }) => (rows.tables[index] as Table).ref);
  tablePass(build, rows.title, rows.shape, made, (shader, row) => {
    const before = fromTables(build, rows.shape, rows.tables)(shader, row, rows.shape);
    const finished = new Map<number, string>();
    const acc = (index: number) => {
      const text = finished.get(index);
      return text === undefined ? before(index) : [text];
    };
    for (const stage of stages) {
      for (const a of stage) declare(shader, a);
      overRow(shader, rows, stage, (axis) => row.coord(axis, 0), acc, null);
      for (const a of stage) finished.set(a.index, result(shader, a));
    }
    return own.map((a) => shader.bind(toCarried(finished.get(a.index) as string, a.holds)));
  });
}

/** One stage: a draw over the chunks of all rows, and one that joins them. */
function chunked(build: Build, rows: Rows, stage: readonly Accumulator[]): void {
  const { axis, chunk, chunks } = rows.cut as NonNullable<Rows['cut']>;
  const shape = [...rows.shape, chunks];
  const parts = stage.map((a) => ({
    value: build.temporary(sizeOf(shape)),
    position: a.arg ? build.temporary(sizeOf(shape)) : null,
  }));
  const refs = parts.flatMap(({ value, position }) => (position ? [value, position] : [value]));
  tablePass(build, `${rows.title}, ${chunks} chunks of ${chunk} along ${axis}`, shape, refs, (shader, place) => {
    const row: Place = { lanes: 1, coord: (one) => place.coord(one, 0), shared: () => true };
    const acc = fromTables(build, rows.shape, rows.tables)(shader, row, rows.shape);
    for (const a of stage) declare(shader, a);
    overRow(shader, rows, stage, (one) => place.coord(one, 0), acc, place.coord(rows.shape.length, 0));
    return stage.flatMap(({ index, arg }) => (arg ? [`acc${index}`, `position${index}`] : [`acc${index}`]));
  });
  const made = stage.map(({ index }) => (rows.tables[index] as Table).ref);
  tablePass(build, `${rows.title}, joined`, rows.shape, made, (shader, row) => {
    for (const a of stage) declare(shader, a);
    const read = (ref: Ref): string => {
      const name = shader.name('part');
      shader.native(
        name,
        ['Integer'],
        'Number',
        `float ${name}(int k) { return ${shader.sampler(ref)}(${row.linear} * ${chunks} + k); }`,
      );
      return `${name}(k)`;
    };
    shader.line(`for (let k = 0; k < ${chunks}; k++) {`);
    stage.forEach((a, i) => {
      const { value, position } = parts[i] as (typeof parts)[number];
      const text = shader.bind(read(value));
      if (position) better(shader, a, text, shader.bind(read(position)));
      else add(shader, a, text);
    });
    shader.line('}');
    return stage.map((a) => shader.bind(toCarried(result(shader, a), a.holds)));
  });
}

/**
 * Goes through a row, or the chunk whose number is `chunk` (GLSL), and takes each element. Along the last axis four at a time,
 * where they are whole texels.
 */
function overRow(
  shader: Shader,
  { kernel, cut }: Rows,
  stage: readonly Accumulator[],
  row: (axis: number) => string,
  acc: (index: number) => readonly string[],
  chunk: string | null,
): void {
  const { shape, axes } = kernel;
  const at = cursor(shader, shape.length);
  const last = shape.findLastIndex((size) => size !== 1);
  const nodes = countNodes(stage.map(({ expr }) => expr));
  const fours = axes.includes(last) && (shape[last] as number) % 4 === 0 && nodes <= tile.wide;
  const loops = shape.flatMap((size, axis) => {
    if (!axes.includes(axis) || size === 1) return [];
    const steps = chunk !== null && cut?.axis === axis ? cut.chunk : size;
    return [{ axis, size, by: fours && axis === last ? 4 : 1, steps, counter: shader.name('i') }];
  });
  const name = shader.name('step');
  const position = positionOf(shape, axes, (axis) => at.global(axis));
  const lines = shape.map((_, axis) => {
    const loop = loops.find((one) => one.axis === axis);
    if (!loop) return `${at.global(axis)} = ${axes.includes(axis) ? '0' : row(axis)};`;
    const first = loop.steps === loop.size ? '' : ` + ${chunk} * ${loop.steps}`;
    return `${at.global(axis)} = ${loop.counter}${loop.by === 4 ? ' * 4' : ''}${first};`;
  });
  const short = loops.find(({ steps, size }) => size % steps !== 0);
  const valid = short ? `${at.global(short.axis)} < ${short.size}` : 'true';
  const counters = loops.map(({ counter }) => counter);
  shader.native(
    name,
    counters.map(() => 'Integer' as const),
    'Boolean',
    `float ${name}_position;\nbool ${name}(${counters.map((one) => `int ${one}`).join(', ')}) { ${lines.join(' ')} ${name}_position = float(${position}); return ${valid}; }`,
  );
  shader.native(`${name}_p`, [], 'Number', `float ${name}_p() { return ${name}_position; }`);
  for (const { counter, steps, by } of loops) {
    shader.line(`for (let ${counter} = 0; ${counter} < ${Math.ceil(steps / by)}; ${counter}++) {`);
  }
  shader.line(`if (${name}(${counters.join(', ')})) {`);
  const place: Place = fours
    ? {
        lanes: 4,
        coord: (axis, lane) => (axis === last ? `(${at.global(axis)} + ${lane})` : at.global(axis)),
        shared: (axis) => axis !== last,
        aligned: true,
        acc,
      }
    : { ...at, acc };
  const block = new Block(shader, kernel, place);
  const texts = stage.map((a) => valuesOf(block, a));
  for (let lane = 0; lane < place.lanes; lane++) {
    stage.forEach((a, i) => {
      const [list] = [texts[i] as readonly string[]];
      const text = list[list.length === 1 ? 0 : lane] as string;
      if (a.arg) better(shader, a, shader.bind(text), shader.bind(lane ? `${name}_p() + ${lane}` : `${name}_p()`));
      else add(shader, a, text);
    });
  }
  for (const _ of [...loops, 'if']) shader.line('}');
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

function declare(shader: Shader, { index, combine, dtype, arg }: Accumulator): void {
  shader.line(`let acc${index} = ${start(combine, dtype, shader)};`);
  if (arg) shader.line(`let position${index} = -1;`);
}

function add(shader: Shader, { index, combine, dtype }: Accumulator, value: string): void {
  shader.line(`acc${index} = ${join(combine as 'sum', dtype, shader)(`acc${index}`, value)};`);
}

/** Takes a value and its position where it beats the best so far, or equals it and comes before. */
function better(shader: Shader, { index, arg, dtype }: Accumulator, value: string, position: string): void {
  const [acc, at] = [`acc${index}`, `position${index}`];
  const beat = beats(arg as 'max', dtype, shader);
  const tie = `(${position} < ${at} && !(${beat(acc, value)}))`;
  shader.line(
    `if (${position} > -0.5 && (${at} < 0 || ${beat(value, acc)} || ${tie})) { ${acc} = ${value}; ${at} = ${position}; }`,
  );
}

/** The text of a finished accumulator. */
const result = (shader: Shader, { index, arg, dtype }: Accumulator): string =>
  arg
    ? shader.bind(`${shader.use('wordOfFloat')}(${shader.use('maxOf')}(position${index}, 0))`)
    : dtype === 'bool'
      ? shader.bind(fromCarried(`acc${index}`, dtype))
      : `acc${index}`;

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
