/**
 * Rows along some axes, in stages. How a row is gone through depends on its length alone, so the order of sums is fixed:
 *
 *   short   a thread a row
 *   long    a workgroup a row:  lane 0 1 2 … T−1 0 1 2 … T−1 0 1 …    each lane every T-th element,
 *                                    └──────── tree ────────┘         then a tree in workgroup memory
 *   endless (few rows) a workgroup a chunk of a row, a dispatch a stage; partial results lie in scratch, and each later
 *           dispatch joins them in the order of the chunks
 */
import { type Accumulate, type Expr, type ReduceKernel, type RowStore, sizeOf } from '@tessera/tensor/backend';
import { beats, type Carried, carriedAs, fromCarried, fromWord, join, start, toCarried, toWord } from '../accumulate';
import { type Place, unravel } from '../place';
import { type Block, type Dispatch, dispatch, type Program, type Shader, type Target } from '../shader';

export const tile = {
  /** Rows up to this long are a thread's. */
  short: 32,
  threadsShort: 64,
  /** Threads of a long row: one for so many elements. */
  perThread: 4,
  threads: { least: 32, most: 256 },
  /** Rows at least this long are cut, where there are fewer than `few` of them. */
  endless: 8192,
  few: 256,
  chunk: 2048,
  mostChunks: 64,
} as const;

/** Sizes of a reduction. */
interface Rows {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  /** Sizes of the axes that are reduced, and of the others; a row is a position in the latter. */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
  readonly count: number;
  readonly length: number;
}

/** An accumulator, by the number that `acc` has. arg… carries the best value and its position, −1 while there is none. */
interface Accumulator extends Accumulate {
  readonly index: number;
  readonly arg: 'max' | 'min' | null;
  readonly type: Carried;
}

function rowsOf({ shape, axes }: ReduceKernel): Rows {
  const of = (reduced: boolean) => shape.filter((_, axis) => axes.includes(axis) === reduced);
  const [inner, outer] = [of(true), of(false)];
  return { shape, axes, inner, outer, count: sizeOf(outer), length: sizeOf(inner) };
}

/** Element `position` of row `row`, both u32. */
function at(
  { shape, axes, inner, outer, length }: Rows,
  row: string,
  position: string,
  acc: (i: number) => string,
): Place {
  const places = shape.map((_, axis) => {
    const reduced = axes.includes(axis);
    const before = shape.slice(0, axis).filter((_, other) => axes.includes(other) === reduced).length;
    return reduced ? () => unravel(position, inner, before) : () => unravel(row, outer, before);
  });
  const trailing = axes.every((axis) => shape.slice(axis).every((size, k) => size === 1 || axes.includes(axis + k)));
  const linear = length === 1 ? row : `${row} * ${length}u + ${position}`;
  return { coord: (axis) => places[axis]?.() ?? '0i', acc, ...(trailing && { linear }) };
}

/** The row as a whole, where views have size 1 on the reduced axes. */
function atRow(rows: Rows, row: string, acc: (i: number) => string): Place {
  const { coord } = at(rows, row, '0u', acc);
  return { coord: (axis) => (rows.axes.includes(axis) ? '0i' : coord(axis)), acc };
}

function accumulatorsOf({ stages }: ReduceKernel): Accumulator[][] {
  let index = 0;
  return stages.map((stage) =>
    stage.map((one) => {
      const arg = one.combine === 'argmax' ? 'max' : one.combine === 'argmin' ? 'min' : null;
      return { ...one, index: index++, arg, type: carriedAs(arg ? one.expr.dtype : one.dtype) };
    }),
  );
}

/** How expressions read finished accumulators. */
const reader = (stages: readonly Accumulator[][]) => (i: number) => {
  const { dtype, arg } = stages.flat()[i] as Accumulator;
  return arg ? `max(position${i}, 0i)` : fromCarried(`acc${i}`, dtype);
};

function declare(block: Block, { index, combine, type, arg, dtype, expr }: Accumulator): void {
  block.line(`var acc${index}: ${type} = ${start(combine, arg ? expr.dtype : dtype, block.shader)};`);
  if (arg) block.line(`var position${index} = -1i;`);
}

/** Takes the element at `position`; `element` stands there. */
function take(element: Block, accumulators: readonly Accumulator[], position: string): void {
  for (const { index, expr, dtype, arg, combine, type } of accumulators) {
    if (arg) {
      const value = element.value(expr);
      const carried = expr.dtype === 'bool' ? element.bind(toCarried(value, 'bool')) : value;
      const better = beats(arg, type, element.shader)(carried, `acc${index}`);
      element.line(
        `if (position${index} < 0i || ${better}) { acc${index} = ${carried}; position${index} = i32(${position}); }`,
      );
    } else {
      const value = toCarried(element.value(castTo(expr, dtype)), dtype);
      element.line(`acc${index} = ${joined(combine, type, element.shader)(`acc${index}`, value)};`);
    }
  }
}

const castTo = (expr: Expr, dtype: Accumulate['dtype']): Expr =>
  expr.dtype === dtype ? expr : { op: 'apply', fn: 'cast', dtype, args: [expr] };
const joined = (combine: Accumulate['combine'], type: Carried, shader: Shader) =>
  join(combine as 'sum' | 'prod' | 'max' | 'min', type, shader);

/** Joins the accumulators with others, whose values (and positions) `other` gives as text. */
function merge(
  block: Block,
  accumulators: readonly Accumulator[],
  other: (a: Accumulator, part: 'acc' | 'position') => string,
) {
  for (const a of accumulators) {
    const { index, arg, type, combine } = a;
    if (!arg) {
      block.line(`acc${index} = ${joined(combine, type, block.shader)(`acc${index}`, other(a, 'acc'))};`);
      continue;
    }
    const [value, position] = [block.bind(other(a, 'acc')), block.bind(other(a, 'position'))];
    const better = beats(arg, type, block.shader);
    const [mine, its] = [`acc${index}`, `position${index}`];
    const tie = `(${position} < ${its} && !${better(mine, value)})`;
    block.line(
      `if (${position} >= 0i && (${its} < 0i || ${better(value, mine)} || ${tie})) { ${mine} = ${value}; ${its} = ${position}; }`,
    );
  }
}

export function reduce(kernel: ReduceKernel, target: Target): Program {
  const rows = rowsOf(kernel);
  const stages = accumulatorsOf(kernel);
  const title = `reduce [${kernel.shape}] along ${kernel.axes.join(',')} in ${stages.length} stages · ${rows.count} rows of ${rows.length}`;
  if (rows.length <= tile.short) return byThread(kernel, target, rows, stages, title);
  if (rows.length >= tile.endless && rows.count < tile.few) return inChunks(kernel, target, rows, stages, title);
  return byWorkgroup(kernel, target, rows, stages, title);
}

const storesOf = ({ stores }: ReduceKernel, per: RowStore['per']) => stores.filter((store) => store.per === per);

function byThread(kernel: ReduceKernel, target: Target, rows: Rows, stages: Accumulator[][], title: string): Program {
  const threads = tile.threadsShort;
  const groups = Math.ceil(rows.count / threads);
  const header = [title, `a thread a row, ${threads} a workgroup`];
  const acc = reader(stages);
  const main = dispatch(kernel, target, { header, threads, groups }, (block) => {
    const row = block.bind(`group * ${threads}u + lane`, 'row');
    if (rows.count % threads) block.line(`if (${row} >= ${rows.count}u) { return; }`);
    const overRow = (body: (element: Block) => void) => {
      block.line(`for (var i = 0u; i < ${rows.length}u; i++) {`);
      body(block.at(at(rows, row, 'i', acc)));
      block.line('}');
    };
    for (const stage of stages) {
      for (const accumulator of stage) declare(block, accumulator);
      overRow((element) => take(element, stage, 'i'));
    }
    if (storesOf(kernel, 'element').length) overRow((element) => element.store(storesOf(kernel, 'element')));
    block.at(atRow(rows, row, acc)).store(storesOf(kernel, 'row'));
  });
  return { dispatches: [main], scratch: 0 };
}

/** As many threads as the row feeds and the accumulators leave room for, a power of two. */
function threadsFor(length: number, words: number, target: Target): number {
  const { least, most } = tile.threads;
  let threads: number = least;
  while (threads < Math.min(most, target.threads) && threads * tile.perThread < length) threads *= 2;
  while (threads > 1 && threads * words * 4 > target.shared) threads /= 2;
  return threads;
}
const wordsOf = (accumulators: readonly Accumulator[]) => accumulators.reduce((sum, { arg }) => sum + (arg ? 2 : 1), 0);

/** The lanes' accumulators become one, which all lanes have afterwards. */
function tree(block: Block, accumulators: readonly Accumulator[], threads: number): void {
  for (const { index, type, arg } of accumulators) {
    block.shader.declare(`var<workgroup> lanes${index}: array<${type}, ${threads}>;`);
    if (arg) block.shader.declare(`var<workgroup> lanePositions${index}: array<i32, ${threads}>;`);
  }
  const write = accumulators.flatMap(({ index, arg }) => [
    `lanes${index}[lane] = acc${index};`,
    ...(arg ? [`lanePositions${index}[lane] = position${index};`] : []),
  ]);
  const read =
    (lane: string) =>
    ({ index }: Accumulator, part: 'acc' | 'position') =>
      `${part === 'acc' ? 'lanes' : 'lanePositions'}${index}[${lane}]`;
  block.line(...write, 'workgroupBarrier();');
  block.line(`for (var half = ${threads / 2}u; half > 0u; half /= 2u) {`, 'if (lane < half) {');
  merge(block, accumulators, read('lane + half'));
  block.line(...write, '}', 'workgroupBarrier();', '}');
  for (const a of accumulators) {
    block.line(`acc${a.index} = ${read('0')(a, 'acc')};`);
    if (a.arg) block.line(`position${a.index} = ${read('0')(a, 'position')};`);
  }
}

function byWorkgroup(
  kernel: ReduceKernel,
  target: Target,
  rows: Rows,
  stages: Accumulator[][],
  title: string,
): Program {
  const threads = threadsFor(rows.length, wordsOf(stages.flat()), target);
  const header = [title, `a workgroup of ${threads} a row`];
  const acc = reader(stages);
  const main = dispatch(kernel, target, { header, threads, groups: rows.count }, (block) => {
    const overRow = (body: (element: Block) => void) => {
      block.line(`for (var i = lane; i < ${rows.length}u; i += ${threads}u) {`);
      body(block.at(at(rows, 'group', 'i', acc)));
      block.line('}');
    };
    for (const stage of stages) {
      for (const accumulator of stage) declare(block, accumulator);
      overRow((element) => take(element, stage, 'i'));
      tree(block, stage, threads);
    }
    if (storesOf(kernel, 'element').length) overRow((element) => element.store(storesOf(kernel, 'element')));
    const perRow = storesOf(kernel, 'row');
    if (!perRow.length) return;
    block.line('if (lane == 0u) {');
    block.at(atRow(rows, 'group', acc)).store(perRow);
    block.line('}');
  });
  return { dispatches: [main], scratch: 0 };
}

function inChunks(kernel: ReduceKernel, target: Target, rows: Rows, stages: Accumulator[][], title: string): Program {
  const chunks = Math.min(tile.mostChunks, Math.ceil(rows.length / tile.chunk));
  const chunk = Math.ceil(rows.length / chunks);
  const threads = threadsFor(chunk, Math.max(1, ...stages.map(wordsOf)), target);
  const acc = reader(stages);
  // Scratch: a word for each (accumulator or position, row, chunk).
  const firstWord = new Map<string, number>();
  for (const { index, arg } of stages.flat())
    for (const part of arg ? ['acc', 'position'] : ['acc']) firstWord.set(part + index, firstWord.size);
  const partial = (part: 'acc' | 'position', index: number, row: string, place: string) =>
    `scratch[(${firstWord.get(part + index)}u * ${rows.count}u + ${row}) * ${chunks}u + ${place}]`;

  const make = (
    what: string,
    done: Accumulator[][],
    body: (block: Block, row: string, place: string) => void,
  ): Dispatch =>
    dispatch(
      kernel,
      target,
      {
        header: [title, `${what}, in ${chunks} chunks of ${chunk}, a workgroup of ${threads} a chunk`],
        threads,
        groups: rows.count * chunks,
        scratch: stages.length > 0,
      },
      (block) => {
        const row = block.bind(`group / ${chunks}u`, 'row');
        const place = block.bind(`group % ${chunks}u`, 'chunk');
        const before = done.flat();
        for (const accumulator of before) declare(block, accumulator);
        if (before.length) {
          block.line(`for (var k = 0u; k < ${chunks}u; k++) {`);
          merge(block, before, ({ index, type }, part) =>
            fromWord(partial(part, index, row, 'k'), part === 'acc' ? type : 'i32'),
          );
          block.line('}');
        }
        body(block, row, place);
      },
    );
  const overChunk = (block: Block, row: string, place: string, body: (element: Block) => void) => {
    const end = `min(${rows.length}u, (${place} + 1u) * ${chunk}u)`;
    block.line(`for (var i = ${place} * ${chunk}u + lane; i < ${end}; i += ${threads}u) {`);
    body(block.at(at(rows, row, 'i', acc)));
    block.line('}');
  };
  const dispatches = stages.map((stage, s) =>
    make(`stage ${s + 1}`, stages.slice(0, s), (block, row, place) => {
      for (const accumulator of stage) declare(block, accumulator);
      overChunk(block, row, place, (element) => take(element, stage, 'i'));
      tree(block, stage, threads);
      block.line('if (lane == 0u) {');
      for (const { index, arg } of stage) {
        block.line(`${partial('acc', index, row, place)} = ${toWord(`acc${index}`)};`);
        if (arg) block.line(`${partial('position', index, row, place)} = ${toWord(`position${index}`)};`);
      }
      block.line('}');
    }),
  );
  const last = make('stores', stages, (block, row, place) => {
    const perElement = storesOf(kernel, 'element');
    if (perElement.length) overChunk(block, row, place, (element) => element.store(perElement));
    const perRow = storesOf(kernel, 'row');
    if (!perRow.length) return;
    block.line(`if (${place} == 0u && lane == 0u) {`);
    block.at(atRow(rows, row, acc)).store(perRow);
    block.line('}');
  });
  return { dispatches: [...dispatches, last], scratch: firstWord.size * rows.count * chunks };
}
