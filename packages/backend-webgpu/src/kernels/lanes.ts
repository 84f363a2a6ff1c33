/**
 * What the lanes of a row have each becomes one, which all of them have afterwards. Lanes of a subgroup exchange in registers,
 * a lane with the one whose number differs in one bit; beyond it, and where there are no subgroups, in workgroup memory:
 *
 *     lane  0 1 2 3 4 5 6 7        subgroups of 4: after two exchanges 0 … 3 have one result, 4 … 7 another;
 *           ╰┬╯ ╰┬╯ ╰┬╯ ╰┬╯        their first lanes write them, barrier, and all join the two
 *            ╰─┬─╯   ╰─┬─╯
 *              ╰───┬───╯           none: a tree in workgroup memory, a barrier a level
 *
 * Lanes are taken to lie in their subgroups in the order of their numbers, as they do on every driver that was met.
 */
import { all } from '../place';
import type { Block, Target } from '../shader';
import type { Part, Running } from './running';

export interface Lanes {
  /** Lanes of a row, rows of a workgroup: powers of two. */
  readonly lanes: number;
  readonly rows: number;
  /** Are neighbours of neighbouring rows, and not of the same? */
  readonly across: boolean;
}

/** The shader knows a lane's place in its row as `part`. */
export function joinLanes(
  block: Block,
  running: readonly Running[],
  { lanes, rows, across }: Lanes,
  { subgroup }: Target,
): void {
  const parts = running.flatMap((one) => one.parts);
  if (lanes === 1 || parts.length === 0) return;
  const merge = (other: (part: Part) => string) => {
    for (const one of running) one.merge(block, other);
  };
  const exchange = (count: number) => {
    block.shader.direct('enable subgroups;');
    block.line(`for (var bit = 1u; bit < ${count}u; bit *= 2u) {`);
    merge(({ name }) => `subgroupShuffleXor(${name}, bit)`);
    block.line('}');
  };
  const direct = across || subgroup === null ? 1 : Math.min(lanes, subgroup);
  if (direct > 1) exchange(direct);
  if (direct === lanes) return;

  // What is left of a row, in workgroup memory: `each` of them, of a row side by side, or of neighbouring rows.
  const each = lanes / direct;
  for (const { name, type } of parts) {
    block.shader.declare(`var<workgroup> lanes_${name}: array<${type}, ${each * rows}>;`);
  }
  const slot = across ? 'lane' : direct > 1 ? `lane / ${direct}u` : 'lane';
  const firstOf = across ? `lane % ${rows}u` : rows === 1 ? '0u' : `lane / ${lanes}u * ${each}u`;
  const write = parts.map(({ name }) => `lanes_${name}[${slot}] = ${name};`);
  const read = (at: string) => (part: Part) => `lanes_${part.name}[${at}]`;
  const take = (at: string) => parts.map((part) => `${part.name} = ${read(at)(part)};`);
  const guarded = (lines: string[]) => (direct > 1 ? [`if (lane % ${direct}u == 0u) {`, ...lines, '}'] : lines);
  block.line(...guarded(write), 'workgroupBarrier();');
  if (direct > 1 && each <= direct) {
    block.line(`let first_${parts[0]?.name} = ${firstOf} + lane % ${each}u;`);
    block.line(...take(`first_${parts[0]?.name}`));
    exchange(each);
    return;
  }
  const stride = across ? rows : 1;
  block.line(`for (var half = ${each / 2}u; half > 0u; half /= 2u) {`);
  const place = direct > 1 ? `part / ${direct}u` : 'part';
  block.line(`if (${all([...(direct > 1 ? [`part % ${direct}u == 0u`] : []), `${place} < half`])}) {`);
  merge(read(`${slot} + half${stride > 1 ? ` * ${stride}u` : ''}`));
  block.line(...write, '}', 'workgroupBarrier();', '}', ...take(firstOf));
}
