/**
 * Every element by itself. A part of a map is a domain; its last axis is swept in vectors, the others are rows.
 *
 *      ┌────────block───────┬───────────────────┐
 *  row │ ▒▒▒▒▒▒▒▒ unit ▒▒▒▒ │                   │   A unit is one block of one row; a long row has several, a short
 *      ├────────────────────┼───────────────────┤   one is one. Units of about `chunkElements` together are a chunk:
 *      │                    │                   │   what a worker takes at a time.
 *      └────────────────────┴───────────────────┘
 */
import { type DType, type MapKernel, type MapPart, type Store, sizeOf } from '@tessera/tensor/backend';
import {
  type Code,
  type CpuKernel,
  type Func,
  get,
  i32,
  type Local,
  loop,
  Module,
  select,
  set,
  type Target,
  when,
} from '../assembler';
import { type Domain, type Node, replaceNodes, simplify, toNodes } from '../domain';
import { asStored, type Scope, storeAll } from '../expression';
import { chunkElements } from '../phase';
import { split } from '../split';
import { Sweep } from '../sweep';
import {
  copyTurned,
  type Transposed,
  type TurnedCopy,
  tile,
  transposed,
  turnedCopy,
  turnedView,
  turnTiles,
} from './transpose';

export function map(kernel: MapKernel, target: Target): CpuKernel {
  const module = new Module(target);
  const run = module.func(['i32', 'i32', 'i32'], [], 'map');
  const [args, lo, hi] = run.params as [Local, Local, Local];
  const [from, to] = run.locals('i32', 2) as [Local, Local];
  let chunks = 0;
  let threadScratch = 0;
  for (const part of kernel.parts) {
    if (sizeOf(part.shape) === 0 || part.stores.length === 0) continue;
    for (const made of mapPart(module, kernel, part)) {
      // This part's share of chunks lo … hi.
      const first = chunks;
      chunks += made.chunks;
      threadScratch = Math.max(threadScratch, made.scratch);
      run.emit(
        set(from, larger(lo, first, first)),
        set(to, smaller(hi, chunks, first)),
        when(i32.lt_s(from, to), made.f.call(args, from, to)),
      );
    }
  }
  return { bytes: module.bytes(), phases: [{ name: 'map', chunks }], sharedScratch: 0, threadScratch };
}

/** The function that does a part, in how many chunks, and the scratch that a worker needs for it. */
interface Made {
  readonly f: Func;
  readonly chunks: number;
  readonly scratch: number;
}

/** max(x, bound) − by and min(x, bound) − by. */
const larger = (x: Local, bound: number, by: number): Code => i32.sub(select(x, bound, i32.gt_s(x, bound)), by);
const smaller = (x: Local, bound: number, by: number): Code => i32.sub(select(x, bound, i32.lt_s(x, bound)), by);

function mapPart(module: Module, kernel: MapKernel, { shape, stores }: MapPart): Made[] {
  const make = (): Scope => {
    const f = module.func(['i32', 'i32', 'i32']);
    return { module, f, args: f.params[0] as Local, kernel };
  };
  const exprs = toNodes(
    stores.map((store) => asStored({ kernel }, store)),
    shape.length,
  );
  const domain = simplify(
    shape,
    exprs,
    stores.map(({ view }) => view),
  );
  return split(domain).map((box) => {
    const copy = turnedCopy(box, kernel, stores);
    if (copy) return moves(make(), copy);
    const turned = transposed(box, (input) => elementBytes(kernel.inputs[input]?.dtype));
    return turned ? tiles(make(), box, stores, turned) : rows(make(), box, stores);
  });
}

const elementBytes = (dtype: DType | undefined): number => (dtype === 'bool' || dtype === 'uint8' ? 1 : 4);

/** Emits the loop over units; `unitElements` decides how many make a chunk. */
function overUnits(scope: Scope, units: number, unitElements: number, body: (unit: Local) => Code): Made {
  const { f } = scope;
  const [, lo, hi] = f.params as [Local, Local, Local];
  const perChunk = Math.max(1, Math.floor(chunkElements / unitElements));
  const [unit, end] = f.locals('i32', 2) as [Local, Local];
  f.emit(
    set(end, i32.mul(hi, perChunk)),
    set(end, select(end, units, i32.lt_u(end, units))),
    loop(unit, i32.mul(lo, perChunk), end, 1, body(unit)),
  );
  return { f, chunks: Math.ceil(units / perChunk), scratch: 0 };
}

/** Blocks of rows, as in the picture above. */
function rows(scope: Scope, domain: Domain, stores: readonly Store[]): Made {
  const { f } = scope;
  const outer = domain.shape.slice(0, -1);
  const length = domain.shape[domain.shape.length - 1] as number;
  const blocks = Math.ceil(length / chunkElements);
  // Blocks start at multiples of 16 elements, so of 64 bytes where the row does.
  const block = blocks === 1 ? length : Math.ceil(length / blocks / 16) * 16;
  return overUnits(scope, sizeOf(outer) * blocks, block, (unit) => {
    const code: Code[] = [];
    const coords = outer.map(() => f.local('i32'));
    let start: Local | number = 0;
    let count: Local | number = length;
    let row = unit;
    if (blocks > 1) {
      [start, count, row] = f.locals('i32', 3) as [Local, Local, Local];
      code.push(set(start, i32.mul(i32.rem_u(unit, blocks), block)));
      code.push(set(count, i32.sub(length, start)), set(count, select(count, block, i32.lt_s(count, block))));
      code.push(set(row, i32.div_u(unit, blocks)));
    }
    code.push(...unravel(f, row, outer, coords));
    const sweep = new Sweep(scope, { shape: domain.shape, coords, start, count, aligned: true }, domain.roots);
    code.push(storeAll(sweep, domain, stores));
    return code;
  });
}

/** Tiles of rows, some of whose operands are turned first. */
function tiles(scope: Scope, domain: Domain, stores: readonly Store[], turned: Transposed): Made {
  const { f } = scope;
  const { axis } = turned;
  const last = domain.shape.length - 1;
  const outer = domain.shape.slice(0, last);
  const length = domain.shape[last] as number;
  const [down, across] = [Math.ceil((outer[axis] as number) / tile.q), Math.ceil(length / tile.l)];
  const steps = outer.map((size, i) => (i === axis ? down : size));
  const made = overUnits(scope, sizeOf(steps) * across, tile.q * tile.l, (unit) => {
    const coords = outer.map(() => f.local('i32'));
    const q = coords[axis] as Local;
    const [l, rest, more, row] = f.locals('i32', 4) as [Local, Local, Local, Local];
    const count = { q: f.local('i32'), l: f.local('i32') };
    const [turn, view] = [turnTiles(scope, turned, coords, l, count), turnedView(domain, turned)];
    const replaced = new Map<Node, Node>(turned.loads.map((load) => [load, { ...load, view }]));
    const bases = new Map(turned.loads.map((load, i) => [replaced.get(load) as Node, turn.bases[i] as Local]));
    const inTile: Domain = { ...domain, roots: replaceNodes(domain.roots, replaced) };
    const at = coords.map((coord, i) => (i === axis ? row : coord));
    const sweep = new Sweep(scope, { shape: domain.shape, coords: at, start: l, count: count.l, bases }, inTile.roots);
    const clip = (local: Local, left: Code, most: number): Code => [
      set(local, left),
      set(local, select(local, most, i32.lt_s(local, most))),
    ];
    return [
      set(l, i32.mul(i32.rem_u(unit, across), tile.l)),
      set(rest, i32.div_u(unit, across)),
      unravel(f, rest, steps, coords),
      set(q, i32.mul(q, tile.q)),
      clip(count.l, i32.sub(length, l), tile.l),
      clip(count.q, i32.sub(outer[axis] as number, q), tile.q),
      turn.code,
      set(more, i32.add(q, count.q)),
      loop(row, q, more, 1, storeAll(sweep, inTile, stores)),
    ];
  });
  return { ...made, scratch: turned.scratch };
}

/** Strips of a transpose that computes nothing; neighbouring ones follow one another. */
function moves(scope: Scope, copy: TurnedCopy): Made {
  const { f } = scope;
  const { axis, size, steps } = copy;
  const order = [...steps.keys()].filter((i) => i !== axis).concat(axis);
  const sizes = order.map((i) => steps[i] as number);
  const made = overUnits(scope, sizeOf(sizes), size.strip * size.q, (unit) => {
    const coords = steps.map(() => f.local('i32'));
    const inOrder = order.map((i) => coords[i] as Local);
    return [unravel(f, unit, sizes, inOrder), copyTurned(scope, copy, coords)];
  });
  return { ...made, scratch: copy.scratch };
}

/** Sets `coords` from a row-major number of `sizes`. */
export function unravel(f: Func, row: Local, sizes: readonly number[], coords: readonly Local[]): Code[] {
  const code: Code[] = [];
  let rest = row;
  for (let axis = sizes.length - 1; axis > 0; axis--) {
    const next = f.local('i32');
    code.push(set(coords[axis] as Local, i32.rem_u(rest, sizes[axis] as number)));
    code.push(set(next, i32.div_u(rest, sizes[axis] as number)));
    rest = next;
  }
  if (sizes.length > 0) code.push(set(coords[0] as Local, get(rest)));
  return code;
}
