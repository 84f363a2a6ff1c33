/**
 * A map whose threads have several elements each, or whose workgroups have other sizes: what a tuner tries in place of map.ts.
 *
 *     each 2    lane 0 1 2 3 0 1 2 3      in turn, so that lanes stay neighbours
 *     wide 4    lane 0 0 0 0 1 1 1 1      four that follow each other, read and stored as vectors
 */
import { type MapKernel, type Store, sizeOf } from '@tessera/tensor/backend';
import { bindingsOf } from '../pages';
import { atLinear, unravel } from '../place';
import { type Block, dispatch, type Given, type Program, type Target } from '../shader';
import { Quad, vectorStores } from '../vector';
import { flattened } from './flatten';
import { headerOf, tile as one } from './map';
import { tableTiles } from './map-table';

export const tile = { ...one, each: 1, wide: 1 } as const;
const tiles = [{ threads: 128 }, { threads: 256 }, { each: 4 }, { threads: 256, each: 4 }];
const vectors = [{ wide: 4 }, { threads: 128, wide: 4 }, { threads: 256, wide: 4 }];

/** What a tuner tries in place of a thread an element: nothing where one workgroup has them all. */
export function mapTiles(kernel: MapKernel): readonly Given<typeof tile>[] {
  if (!kernel.parts.some(({ shape }) => sizeOf(shape) > tile.threads)) return [];
  if (bindingsOf(kernel).paged.length) return tableTiles;
  return partsOf(kernel, true).every(({ names }) => names) ? [...tiles, ...vectors] : tiles;
}

/** A part as it is gone through by vectors, and the bindings that are vectors for it: null where it stores none. */
interface Part {
  readonly shape: readonly number[];
  readonly stores: readonly Store[];
  readonly names: readonly string[] | null;
}

function partsOf(kernel: MapKernel, wide: boolean): Part[] {
  const parts = kernel.parts.filter(({ shape }) => sizeOf(shape) > 0);
  return parts.map((part) => {
    const flat = wide ? flattened([], part.stores, 0, part.shape.length) : null;
    const shape = flat ? [sizeOf(part.shape)] : part.shape;
    const stores = flat?.stores ?? part.stores;
    const names = wide && shape.length > 0 ? vectorStores(stores, shape.length - 1, kernel) : null;
    return { shape, stores, names };
  });
}

export function mapWide(kernel: MapKernel, target: Target, given: Given<typeof tile>): Program {
  const { threads, each, wide } = { ...tile, ...given };
  const parts = partsOf(kernel, wide > 1);
  const groups = parts.map(({ shape }) => Math.ceil(sizeOf(shape) / (threads * each * wide)));
  const header = headerOf(parts, `a thread ${each} times ${wide}, ${threads} a workgroup`);
  const options = {
    header,
    threads,
    groups: groups.reduce((sum, count) => sum + count, 0),
    vectors: new Set(parts.flatMap(({ names }) => names ?? [])),
  };
  const main = dispatch(kernel, target, options, (block) => {
    let first = 0;
    parts.forEach((part, p) => {
      const group = first ? `(group - ${first}u)` : 'group';
      first += groups[p] as number;
      if (parts.length > 1) block.line(`${p ? '} else ' : ''}if (group < ${first}u) {`);
      const from = block.bind(`${group} * ${threads * each}u + lane`, 'from');
      const count = sizeOf(part.shape) / wide;
      const inside = block.inside();
      const i = each > 1 ? inside.bind(`${from} + k * ${threads}u`, 'i') : from;
      const element = inside.inside();
      storeAt(element, part, i, wide);
      const ragged = count % (threads * each) > 0;
      inside.line(...(ragged ? [`if (${i} < ${count}u) {`, ...element.lines, '}'] : element.lines));
      block.line(...(each > 1 ? [`for (var k = 0u; k < ${each}u; k++) {`, ...inside.lines, '}'] : inside.lines));
    });
    if (parts.length > 1) block.line('}');
  });
  return { dispatches: [main], scratch: 0 };
}

/** An element of a part, or vector of them, by its number. */
function storeAt(block: Block, { shape, stores }: Part, i: string, wide: number): void {
  const axis = shape.length - 1;
  if (wide === 1) block.at(atLinear(i, shape)).store(stores);
  else {
    const fours = shape.with(axis, (shape[axis] as number) / wide);
    const coords = fours.map((_, k) => block.once(`${unravel(i, fours, k)}${k === axis ? ` * ${wide}i` : ''}`, 'c'));
    new Quad(block, coords, axis).store(stores);
  }
}
