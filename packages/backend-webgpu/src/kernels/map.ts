/**
 * A thread an element. The parts of a map are one dispatch: each has its own stretch of workgroups.
 *
 *     group   0 ┄┄┄┄┄┄ 6 │ 7 ┄┄┄ 9 │ 10 ┄┄┄┄┄┄┄┄ 31
 *               part 0       part 1        part 2
 */
import { type MapKernel, sizeOf } from '@tessera/tensor/backend';
import { bindingsOf } from '../pages';
import { atLinear } from '../place';
import { dispatch, type Given, type Program, rareOf, type Target } from '../shader';

export const tile = { threads: 64 } as const;

/** @param given sizes that a tuner has chosen: of the table's tile (map-table.ts), or of threads with several elements (map-wide.ts) */
export function map(kernel: MapKernel, target: Target, given?: Given<Record<string, number>>): Program {
  if (bindingsOf(kernel).paged.length) return rareOf(target).mapByTable(kernel, target, given);
  if (given) return rareOf(target).mapWide(kernel, target, given);
  const { threads } = tile;
  const parts = kernel.parts.filter(({ shape }) => sizeOf(shape) > 0);
  const groups = parts.map(({ shape }) => Math.ceil(sizeOf(shape) / threads));
  const total = groups.reduce((sum, count) => sum + count, 0);
  const header = headerOf(parts, `a thread an element, ${threads} a workgroup`);
  const main = dispatch(kernel, target, { header, threads, groups: total }, (block) => {
    let first = 0;
    parts.forEach(({ shape, stores }, part) => {
      const start = first;
      first += groups[part] as number;
      if (parts.length > 1) block.line(`${part ? '} else ' : ''}if (group < ${first}u) {`);
      const i = block.bind(`${start ? `(group - ${start}u)` : 'group'} * ${threads}u + lane`, 'i');
      if (sizeOf(shape) % threads) block.line(`if (${i} >= ${sizeOf(shape)}u) { return; }`);
      block.at(atLinear(i, shape)).store(stores);
    });
    if (parts.length > 1) block.line('}');
  });
  return { dispatches: [main], scratch: 0 };
}

export function headerOf(parts: readonly { readonly shape: readonly number[] }[], how: string): string[] {
  const shapes = parts.slice(0, 4).map(({ shape }) => `[${shape}]`);
  return [`map ${shapes.join(' ')}${parts.length > 4 ? ` and ${parts.length - 4} more` : ''} · ${how}`];
}
