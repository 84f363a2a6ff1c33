/**
 * One pass of lanes over their rows, as text: a loop, or step by step where it keeps values for later passes, which are in variables
 * of their number and step and so in registers.
 */
import type { Expr, RowStore } from '@tessera/tensor/backend';
import { all } from '../place';
import { type Block, wgslType } from '../shader';
import { Quad } from '../vector';
import type { Pass } from './passes';
import { type Reduction, storesOf } from './reduction';
import { at, atRow } from './rows';
import type { Running } from './running';

/** How the lanes of one dispatch go: the shader knows `row`, `part`, `chunk`, and `live` where a lane may have no row. */
export interface Walk extends Reduction {
  readonly lanes: number;
  readonly chunks: number;
  /** Elements of a row or chunk, and the steps in which its lanes go through them where these are written out. */
  readonly length: number;
  readonly steps: number | null;
  readonly mayBeDead: boolean;
  /** What expressions read by number. */
  readonly texts: Map<number, string>;
}

/** The lane's row as a whole. */
export const rowOf = ({ rows, texts }: Walk) => atRow(rows, 'row', (index) => texts.get(index) as string);

/** Goes through the row, or the chunk of it; without accumulators it stores. */
export function writePass(block: Block, walk: Walk, pass: Pass, running?: readonly Running[]): void {
  const { rows, wide, lanes, chunks, length, steps, texts } = walk;
  if (pass.exprs.length === 0) return;
  const ofRow = block.at(rowOf(walk));
  for (const [number, expr] of pass.ofRow) texts.set(number, ofRow.value(expr));
  const type = ({ dtype }: Expr) => (wide === 4 ? `vec4<${wgslType[dtype]}>` : wgslType[dtype]);
  for (const [number, expr] of pass.keeps) {
    for (let k = 0; k < (steps ?? 0); k++) block.line(`var kept${number}_${k}: ${type(expr)};`);
  }
  const step = (i: string, k = 0): string[] => {
    const inside = block.inside();
    const kept = (number: number) => `kept${number}_${k}`;
    const { blocks, store } = elementsAt(inside, walk, i, kept);
    if (running) {
      let next = 0;
      for (const one of running) one.take(blocks, pass.exprs.slice(next, (next += one.exprs.length)), i);
    } else store(storesOf(walk.kernel, 'element').map((one, s) => ({ ...one, expr: pass.exprs[s] as Expr })));
    for (const [number, expr] of pass.keeps) {
      const values = blocks.map((element) => element.value(expr));
      inside.line(`${kept(number)} = ${values.length > 1 ? `${type(expr)}(${values.join(', ')})` : values[0]};`);
    }
    return inside.lines;
  };
  const live = walk.mayBeDead && !running ? ['live'] : [];
  const guarded = (tests: readonly string[], lines: readonly string[]) => {
    const test = all(tests);
    return [test ? `if (${test}) {` : '{', ...lines, '}'];
  };
  const stride = lanes * wide;
  const first = wide > 1 ? `part * ${wide}u` : 'part';
  for (let k = 0; k < (steps ?? 0); k++) {
    const i = block.bind(k ? `${first} + ${k * stride}u` : first, 'i');
    const bound = (k + 1) * stride > rows.length ? [`${i} < ${rows.length}u`] : [];
    block.line(...guarded([...live, ...bound], step(i, k)));
  }
  if (steps !== null) return;
  const from = chunks > 1 ? `chunk * ${length}u + ${first}` : first;
  const end = chunks > 1 ? `min(${rows.length}u, (chunk + 1u) * ${length}u)` : `${rows.length}u`;
  const loop = `for (var i = ${from}; i < ${end}; i += ${stride}u) {`;
  block.line(...guarded(live, [loop, ...step('i'), '}']));
}

/** The elements of a lane in one step: a block for each, and how all are stored. */
function elementsAt(block: Block, { rows, wide, kernel, texts }: Walk, i: string, kept: (number: number) => string) {
  if (wide === 1) {
    const one = block.at(at(rows, 'row', i, (index) => texts.get(index) ?? kept(index)));
    return { blocks: [one], store: (stores: readonly RowStore[]) => one.store(stores) };
  }
  const { coord } = at(rows, 'row', i, () => '');
  const coords = kernel.shape.map((_, axis) => block.once(coord(axis), 'c'));
  const text = (place: number, index: number) => texts.get(index) ?? `${kept(index)}.${'xyzw'[place]}`;
  const quad = new Quad(block, coords, kernel.shape.length - 1, text);
  return { blocks: quad.four, store: (stores: readonly RowStore[]) => quad.store(stores) };
}
