/**
 * Every element by itself. A part of a map is a domain; its last axis is swept in vectors, the others are rows.
 *
 *      ┌────────block───────┬───────────────────┐
 *  row │ ▒▒▒▒▒▒▒▒ unit ▒▒▒▒ │                   │   A unit is one block of one row; a long row has several, a short
 *      ├────────────────────┼───────────────────┤   one is one. Units of about `chunkElements` together are a chunk:
 *      │                    │                   │   what a worker takes at a time.
 *      └────────────────────┴───────────────────┘
 */
import { type MapKernel, type MapPart, sizeOf } from '@tessera/tensor/backend';
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
import { simplify, toNodes } from '../domain';
import { asStored, type Scope, storeAll } from '../expression';
import { chunkElements } from '../phase';
import { Sweep } from '../sweep';

export function map(kernel: MapKernel, target: Target): CpuKernel {
  const module = new Module(target);
  const run = module.func(['i32', 'i32', 'i32'], [], 'map');
  const [args, lo, hi] = run.params as [Local, Local, Local];
  const [from, to] = run.locals('i32', 2) as [Local, Local];
  let chunks = 0;
  for (const part of kernel.parts) {
    if (sizeOf(part.shape) === 0 || part.stores.length === 0) continue;
    const made = mapPart(module, kernel, part);
    // This part's share of chunks lo … hi.
    const first = chunks;
    chunks += made.chunks;
    run.emit(
      set(from, larger(lo, first, first)),
      set(to, smaller(hi, chunks, first)),
      when(i32.lt_s(from, to), made.f.call(args, from, to)),
    );
  }
  return { bytes: module.bytes(), phases: [{ name: 'map', chunks }], sharedScratch: 0, threadScratch: 0 };
}

/** max(x, bound) − by and min(x, bound) − by. */
const larger = (x: Local, bound: number, by: number): Code => i32.sub(select(x, bound, i32.gt_s(x, bound)), by);
const smaller = (x: Local, bound: number, by: number): Code => i32.sub(select(x, bound, i32.lt_s(x, bound)), by);

function mapPart(module: Module, kernel: MapKernel, { shape, stores }: MapPart): { f: Func; chunks: number } {
  const f = module.func(['i32', 'i32', 'i32']);
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const exprs = toNodes(
    stores.map((store) => asStored(scope, store)),
    shape.length,
  );
  const domain = simplify(
    shape,
    exprs,
    stores.map(({ view }) => view),
  );
  const rows = domain.shape.slice(0, -1);
  const length = domain.shape[domain.shape.length - 1] as number;
  const blocks = Math.ceil(length / chunkElements);
  // Blocks start at multiples of 16 elements, so of 64 bytes where the row does.
  const block = blocks === 1 ? length : Math.ceil(length / blocks / 16) * 16;
  const units = sizeOf(rows) * blocks;
  const perChunk = Math.max(1, Math.floor(chunkElements / block));

  const [unit, end] = f.locals('i32', 2) as [Local, Local];
  const code: Code[] = [];
  const coords = rows.map(() => f.local('i32'));
  let start: Local | number = 0;
  let count: Local | number = length;
  let row = unit;
  if (blocks > 1) {
    start = f.local('i32');
    count = f.local('i32');
    code.push(set(start, i32.mul(i32.rem_u(unit, blocks), block)));
    code.push(set(count, i32.sub(length, start)), set(count, select(count, block, i32.lt_s(count, block))));
    row = f.local('i32');
    code.push(set(row, i32.div_u(unit, blocks)));
  }
  code.push(...unravel(f, row, rows, coords));
  const sweep = new Sweep(scope, { shape: domain.shape, coords, start, count }, domain.roots);
  code.push(storeAll(sweep, domain, stores));
  f.emit(
    set(end, i32.mul(hi, perChunk)),
    set(end, select(end, units, i32.lt_u(end, units))),
    loop(unit, i32.mul(lo, perChunk), end, 1, code),
  );
  return { f, chunks: Math.ceil(units / perChunk) };
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
