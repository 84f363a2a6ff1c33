/**
 * Rows along some axes, in stages. How a row is gone through depends on its length, their number and how they lie in memory
 * alone, so the order of sums is fixed. A workgroup has `rows` rows of `lanes` lanes each:
 *
 *   memory lies together      lane  0 1 2 3 0 1 2 3 0 1 …      each lane every lanes-th vector of four (or element) of the row;
 *   along a row                     ├ row 0 ┤                  what a later stage wants again stays in registers, so that
 *                                   0 1 2 3 0 1 2 3 0 1 …      memory is read once
 *                                   ├ row 1 ┤
 *
 *   across rows                row  0 1 2 3 4 5 6 7            neighbouring lanes have neighbouring rows, and the lanes of
 *                         lane 0 ↓  ▒ ▒ ▒ ▒ ▒ ▒ ▒ ▒            a row are `rows` apart
 *                              1 ↓  ▒ ▒ ▒ ▒ ▒ ▒ ▒ ▒
 *
 *   few long rows              chunk 0 │ chunk 1 │ chunk 2      a workgroup a chunk, a dispatch a stage; partial results lie in
 *                                                              scratch, and each later dispatch joins them in the same order
 *
 *   sums left by another       part 0 │ part 1 │ …             no stages: what a convolution has left of each (partials.ts) is
 *   kernel                                                     joined like chunks, for all chunks that store by a dispatch before
 */
import type { Load, ReduceKernel } from '@tessera/tensor/backend';
import { fromWord, toWord } from '../accumulate';
import { all } from '../place';
import { type Block, bindingOf, type Dispatch, dispatch, type Program, type Target } from '../shader';
import { loadsOf } from '../vector';
import { joinLanes, type Lanes } from './lanes';
import { type Pass, passesOf } from './passes';
import { type ByRows, type Reduction, reductionOf, storesOf, tile } from './reduction';
import { rowOf, type Walk, writePass } from './row-pass';
import { alongRow } from './rows';
import { type Part, type Running, reading, runningStages } from './running';

export function reduce(original: ReduceKernel, target: Target, choice: ByRows): Program {
  const plan = planOf(reductionOf(original), choice);
  return choice.chunks === 1 ? whole(plan, target, choice) : chunked(plan, target, choice);
}

/** The passes over a row, the accumulators of each, and how lanes walk; the last pass is that of the stores. */
interface RowPlan {
  readonly stages: readonly (readonly Running[])[];
  readonly passes: readonly Pass[];
  readonly walk: Walk;
  /** Does a row stay in registers? */
  readonly held: boolean;
}

export function planOf(of: Reduction, { lanes, rows: beside, chunks, again }: ByRows): RowPlan {
  const { kernel, rows, wide } = of;
  const stride = lanes * wide;
  const length = Math.ceil(rows.length / chunks / stride) * stride;
  const steps = Math.ceil(rows.length / stride);
  const accumulates = kernel.stages.flat();
  const along = (leaf: Load | number) => (typeof leaf === 'number' ? kernel.axes.includes(leaf) : alongRow(rows, leaf));
  const stores = storesOf(kernel, 'element').map(({ expr }) => expr);
  const made = (hold: boolean) => {
    const stages = runningStages(kernel.stages, rows.length, !hold);
    const roots = [...stages.map((stage) => stage.flatMap(({ exprs }) => exprs)), stores];
    return { stages, passes: passesOf(roots, accumulates.length, along, hold) };
  };
  const inRegisters = made(!again);
  const kept = inRegisters.passes.reduce((sum, { keeps }) => sum + keeps.size, 0);
  const held = chunks === 1 && kept > 0 && steps <= tile.steps && kept * steps * wide <= tile.held;
  const { stages, passes } = held ? inRegisters : made(false);
  const texts = new Map(accumulates.map((one, index) => [index, reading(index, one)]));
  const written = held || (chunks === 1 && steps <= 1) ? steps : null;
  const walk = { ...of, lanes, chunks, length, steps: written, mayBeDead: rows.count % beside > 0, texts };
  return { stages, passes, walk, held };
}

function rowsDispatch(
  { kernel, rows: { count, length }, vectors, wide, chunks: cut, mayBeDead }: Walk,
  target: Target,
  { lanes, rows, across }: ByRows,
  { what, chunks = cut, scratch = false }: { what: string; chunks?: number; scratch?: boolean },
  body: (block: Block) => void,
): Dispatch {
  const header = [
    `reduce [${kernel.shape}] along ${kernel.axes.join(',')} in ${kernel.stages.length} stages · ${count} rows of ${length}`,
    `${what}, ${lanes} lanes a row, ${rows} rows ${across ? 'across memory ' : ''}a workgroup${wide > 1 ? ', by vectors' : ''}`,
  ];
  const options = { header, threads: lanes * rows, groups: Math.ceil(count / rows) * chunks, scratch, vectors };
  return dispatch(kernel, target, options, (block) => {
    if (chunks > 1) block.line(`let chunk = group % ${chunks}u;`);
    const part = across ? `lane / ${rows}u` : rows === 1 ? 'lane' : `lane % ${lanes}u`;
    const beside = lanes === 1 ? 'lane' : across ? `lane % ${rows}u` : `lane / ${lanes}u`;
    const group = chunks > 1 ? `group / ${chunks}u` : 'group';
    const row = rows === 1 ? group : `${group} * ${rows}u + ${beside}`;
    block.line(`let part = ${lanes === 1 ? '0u' : part};`);
    // Lanes beyond the last row go through it again, for all must come to the barriers.
    if (mayBeDead) block.line(`let live = ${row} < ${count}u;`, `let row = min(${row}, ${count - 1}u);`);
    else block.line(`let row = ${row};`);
    body(block);
  });
}

/** Lines of one lane of each row. */
function once(block: Block, { lanes, mayBeDead }: Walk, lines: readonly string[], first: readonly string[] = []): void {
  const test = all([...(mayBeDead ? ['live'] : []), ...(lanes > 1 ? ['part == 0u'] : []), ...first]);
  block.line(...(test ? [`if (${test}) {`, ...lines, '}'] : lines));
}
function storeRow(block: Block, walk: Walk, first: readonly string[] = []): void {
  const stores = storesOf(walk.kernel, 'row');
  if (stores.length === 0) return;
  if (overwrites(walk.kernel)) block.line('storageBarrier();');
  const inside = block.inside();
  inside.at(rowOf(walk)).store(stores);
  once(block, walk, inside.lines, first);
}

/** Do elements read what their row writes over? Then the row comes after all of them. */
function overwrites(kernel: ReduceKernel): boolean {
  const elements = loadsOf([...kernel.stages.flat(), ...storesOf(kernel, 'element')].map(({ expr }) => expr));
  const over = storesOf(kernel, 'row').map(({ output }) => kernel.aliases[output]);
  return elements.some(({ input }) => over.includes(input));
}

/** What was left of each part of a row: how many parts, and what of one. */
interface Parts {
  readonly count: number;
  value(block: Block, part: Part, k: string): string;
}

/** Joins what was left, in all lanes. */
function recall(block: Block, running: readonly Running[], { count, value }: Parts, choice: Lanes, target: Target) {
  if (running.length === 0) return;
  for (const one of running) one.declare(block);
  block.line(`for (var k = part; k < ${count}u; k += ${choice.lanes}u) {`);
  for (const one of running) one.merge(block, (part) => value(block, part, 'k'));
  block.line('}');
  joinLanes(block, running, choice, target);
}

/** What a convolution left: sum `acc<i>` of each row lies at i. */
function partsOf({ kernel, rows }: Walk): Parts | null {
  if (!kernel.joins) return null;
  const { input, columns } = kernel.joins;
  const count = Math.ceil(rows.length / columns);
  const value = (block: Block, { name }: Part, k: string) => {
    if (name.startsWith('count')) return `f32(min(${columns}u, ${rows.length}u - ${k} * ${columns}u))`;
    return block.element(bindingOf(kernel, input), `(${name.slice(3)}u * ${rows.count}u + row) * ${count}u + ${k}`);
  };
  return { count, value };
}

function whole({ stages, passes, walk, held }: RowPlan, target: Target, choice: ByRows): Program {
  const parts = partsOf(walk);
  const what = parts ? 'sums joined' : held ? 'kept in registers' : 'a stage at a time';
  const main = rowsDispatch(walk, target, choice, { what }, (block) => {
    if (parts) recall(block, stages.flat(), parts, choice, target);
    passes.forEach((pass, p) => {
      const running = stages[p];
      if (running && parts) return;
      for (const one of running ?? []) one.declare(block);
      writePass(block, walk, pass, running);
      if (running) joinLanes(block, running, choice, target);
    });
    storeRow(block, walk);
  });
  return { dispatches: [main], scratch: 0 };
}

function chunked({ stages, passes, walk }: RowPlan, target: Target, choice: ByRows): Program {
  const { count } = walk.rows;
  const { chunks } = choice;
  const words = new Map<string, number>();
  for (const { name } of stages.flat().flatMap(({ parts }) => parts)) words.set(name, words.size);
  const parts = partsOf(walk);
  const found = parts ? 1 : chunks;
  const partial = ({ name }: Part, chunk: string) =>
    `scratch[(${words.get(name)}u * ${count}u + row) * ${found}u + ${chunk}]`;
  const keep = (block: Block, running: readonly Running[], chunk: string) => {
    const all = running.flatMap((one) => one.parts);
    once(
      block,
      walk,
      all.map((part) => `${partial(part, chunk)} = ${toWord(part.name)};`),
    );
  };
  /** What the dispatches before have found. */
  const before: Parts = { count: found, value: (_, part, k) => fromWord(partial(part, k), part.type) };
  const joined = (parts: Parts) =>
    rowsDispatch(walk, target, choice, { what: 'sums joined', chunks: 1, scratch: true }, (block) => {
      recall(block, stages.flat(), parts, choice, target);
      keep(block, stages.flat(), '0u');
    });
  const dispatches = parts
    ? [joined(parts)]
    : stages.map((running, p) => {
        const what = `stage ${p + 1} in ${chunks} chunks of ${walk.length}`;
        return rowsDispatch(walk, target, choice, { what, scratch: true }, (block) => {
          recall(block, stages.slice(0, p).flat(), before, choice, target);
          for (const one of running) one.declare(block);
          writePass(block, walk, passes[p] as Pass, running);
          joinLanes(block, running, choice, target);
          keep(block, running, 'chunk');
        });
      });
  const elements = storesOf(walk.kernel, 'element').length > 0;
  const storing = (chunks: number, what: string, body: (block: Block) => void) =>
    rowsDispatch(walk, target, choice, { what, chunks, scratch: stages.length > 0 }, (block) => {
      recall(block, stages.flat(), before, choice, target);
      body(block);
    });
  const pass = (block: Block) => writePass(block, walk, passes[stages.length] as Pass);
  const stores =
    elements && overwrites(walk.kernel)
      ? [storing(chunks, 'stores', pass), storing(1, 'stores of rows', (block) => storeRow(block, walk))]
      : [
          storing(elements ? chunks : 1, 'stores', (block) => {
            pass(block);
            storeRow(block, walk, elements ? ['chunk == 0u'] : []);
          }),
        ];
  return { dispatches: [...dispatches, ...stores], scratch: words.size * count * found };
}
