/**
 * Products of matrices. A chunk makes one block of C and needs nothing from its neighbours:
 *
 *                    ┌─ strip ─┐        for each slab of k (▒): pack B's strip into panels of 8 columns,
 *             k slab │▒▒▒│▒▒▒▒▒│        then for each 4 rows of A: (pack them where they are not contiguous,)
 *    ┌──k slab──┐    ├───┴─────┤        a register tile for each panel.
 *    │▒▒▒▒▒▒▒▒▒▒│    │ C block │        4 rows of A stay in the first-level cache, the strip in the second.
 *    └──────────┘    └─────────┘        C's block lies in scratch, or in the output where it is stored as it is.
 *
 * Where C is small and k long, k is cut into parts, each a chunk with a C of its own in shared scratch (partials.ts). Few rows with
 * a large B have ways of their own: thin.ts where B's rows are contiguous, dots.ts where its columns are.
 */
import type { Expr, Load, MatmulKernel } from '@tessera/tensor/backend';
import {
  type Arg,
  type Code,
  type CpuKernel,
  i32,
  type Local,
  loop,
  Module,
  memory,
  set,
  type Target,
  when,
} from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { dotBlocks, dotPhases } from './dots';
import { unravel } from './map';
import { isPlain, materialise, packPanel, packRows } from './pack';
import { gatherPhase, type Partials, partialBytes } from './partials';
import { isBareStore } from './stores';
import { mostRows, thinBlocks, thinPhases } from './thin';
import { matmulTile, multiplyAdd, tileColumns, tileRows, tileVectors } from './tile';

/** Longest slab of k: a strip of `maxColumns` takes 144 kB, four rows of A 6 kB. */
const maxSlab = 384;
const maxColumns = 96;
const maxRows = 256;
/** Of so short a k blocks are wide instead: what is read and written with C, an optimizer's moments, lies along its rows. */
const [shallow, shallowRows, shallowColumns] = [32, 16, 1024];
/**
 * Of few rows of A, B is read where it lies, if its rows are contiguous: packing it would cost as much as the product. A thin
 * product is limited by memory, so its slabs are short: k rows of B are k streams.
 */
const openSlab = 64;
const thinRows = 2;
const thinSlab = 16;
const thinVectors = 4;
/** A block of C is worth a chunk from this many multiplications on. */
const chunkWork = 1 << 17;
/** Chunks to aim at. */
const wantedChunks = 32;
/** k is cut from this many times the longer side of C on, into parts no shorter than that. */
const deep = 4;
const leastPart = 256;

/** How C is cut into blocks and k into slabs, and the register tile: by shape alone. */
export function matmulBlocks(batch: number, m: number, n: number, k: number, contiguousB: boolean) {
  const open = m <= mostRows && contiguousB;
  const vectors = open && m <= thinRows ? thinVectors : tileVectors;
  const tile = 4 * vectors;
  const even = (size: number, most: number, step: number) => {
    const parts = Math.max(1, Math.ceil(size / most));
    return Math.max(1, Math.ceil(size / parts / step)) * step;
  };
  const wide = k <= shallow;
  let rows = even(m, wide ? shallowRows : maxRows, tileRows);
  let columns = even(n, wide ? shallowColumns : open ? 4 * maxColumns : maxColumns, tile);
  // enough chunks for many workers, as long as each is worth its while
  const chunks = () => batch * Math.ceil(m / rows) * Math.ceil(n / columns);
  const length = open ? Math.max(1, k) : partLength(chunks(), m, n, k);
  const parts = Math.max(1, Math.ceil(k / length));
  const large = () => Math.min(m, rows) * columns * k > 2 * chunkWork && (rows > 16 || columns > 16);
  while (parts === 1 && chunks() < wantedChunks && large()) {
    if (rows >= columns) rows = even(rows, Math.max(tileRows, Math.ceil(rows / 2)), tileRows);
    else columns = even(columns, Math.max(tile, Math.ceil(columns / 2)), tile);
  }
  const longest = open ? (m <= thinRows ? thinSlab : openSlab) : maxSlab;
  const slabs = Math.max(1, Math.ceil(length / longest));
  const slab = Math.ceil(length / slabs / 4) * 4;
  const [rowBlocks, columnBlocks] = [Math.ceil(m / rows), Math.ceil(n / columns)];
  return { open, vectors, rows, columns, length, parts, slab, rowBlocks, columnBlocks };
}

/** How much of k is a chunk's where C has only so many blocks. */
function partLength(chunks: number, m: number, n: number, k: number): number {
  if (chunks < 1 || k < deep * Math.max(m, n)) return Math.max(1, k);
  const most = Math.floor(Math.min(k / leastPart, (m * n * k) / (2 * chunkWork)));
  const parts = Math.max(1, Math.min(most, Math.ceil(wantedChunks / chunks)));
  return Math.ceil(k / parts / 4) * 4;
}

/** One matrix operand: strides in elements, by batch axis, down and across. */
interface Matrix {
  readonly address: (args: Local) => Code;
  readonly batch: readonly number[];
  readonly down: number;
  readonly across: number;
}

/** `domain` is that of the stores: [...batch, m, n], whose last axis may be several. */
export function matmul(
  kernel: MatmulKernel,
  target: Target,
  domain: readonly number[] = [...kernel.batch, kernel.m, kernel.n],
): CpuKernel {
  const { batch, k, stores } = kernel;
  // a product with one column is one with one row, its operands changing places
  const turned = kernel.n === 1 && kernel.m > 1;
  const [m, n] = turned ? [1, kernel.m] : [kernel.m, kernel.n];
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const batches = batch.reduce((a, b) => a * b, 1);
  const phases: { name: string; chunks: number }[] = [];
  let shared = 0;

  const operand = (name: string, expr: Expr, own: readonly number[]): Matrix => {
    const rank = own.length;
    if (isPlain(kernel, expr)) return matrixOf(expr, (args) => i32.load(args, 4 * words.input(expr.input)));
    const offset = shared;
    shared += 64 * Math.ceil((4 * own.reduce((a, b) => a * b, 1) + 64) / 64);
    phases.push(materialise(module, kernel, expr, own, offset, name));
    const strides = own.map((_, axis) => own.slice(axis + 1).reduce((a, b) => a * b, 1));
    const address = (args: Local): Code => i32.add(i32.load(args, 4 * words.sharedScratch), offset);
    return { address, batch: strides.slice(0, rank - 2), down: strides[rank - 2] as number, across: 1 };
  };
  const left = operand('a', kernel.a, [...batch, kernel.m, k]);
  const right = operand('b', kernel.b, [...batch, k, kernel.n]);
  const [a, b] = turned ? [transposed(right), transposed(left)] : [left, right];

  const madd = multiplyAdd(kernel.a.dtype, target.relaxed);
  const placed = ({ address, batch: strides, down, across }: Matrix) => ({
    at: (args: Local, coordinates: readonly Local[]) => batchOffset({ address, batch: strides }, args, coordinates),
    down,
    across,
  });
  const product = { m, n, turned, domain, a: placed(a), b: placed(b) };
  const dots = a.across === 1 && b.down === 1 ? dotBlocks(batches, m, n, k) : null;
  const thin = !dots && b.across === 1 ? thinBlocks(batches, m, n, k) : null;
  const few = dots
    ? dotPhases(module, kernel, product, dots, shared, madd)
    : thin && thinPhases(module, kernel, product, thin, shared, madd);
  if (few) {
    return {
      bytes: module.bytes(),
      phases: [...phases, ...few.phases],
      sharedScratch: shared + few.sharedBytes + 64,
      threadScratch: few.threadBytes + 64,
    };
  }

  const blocks = matmulBlocks(batches, m, n, k, b.across === 1);
  const { open, vectors, rows, columns, length, parts, slab, rowBlocks, columnBlocks } = blocks;
  const tileWidth = 4 * vectors;
  const direct = parts === 1 && isBareStore(kernel, kernel.stores) && n % tileWidth === 0;
  const partials: Partials = { parts, row: 4 * tileWidth * Math.ceil(n / tileWidth), at: shared };
  const cRow = parts > 1 ? partials.row : 4 * (direct ? n : columns);
  const packedA = a.across !== 1;
  // from one tile's columns of B to the next
  // a line more than a panel takes: panels of 2ⁿ bytes would share few sets of the cache
  const panel = open ? 4 * tileWidth : 4 * tileWidth * slab + 64;
  const strides = {
    aRow: packedA ? 4 : 4 * a.down,
    aStep: packedA ? 4 * tileRows : 4,
    bStep: open ? 4 * b.down : 4 * tileWidth,
    cRow,
  };
  const tiles = new Map(
    [...new Set([Math.min(tileRows, m), m % tileRows || tileRows])].map((r) => [
      r,
      matmulTile(module, { rows: r, vectors }, strides, madd),
    ]),
  );
  const packB = open ? null : packPanel(module, tileColumns, { across: b.across, along: b.down });
  const packRowsB = !open && b.across === 1 ? packRows(module, tileColumns, b.down, panel) : null;
  const packA = packedA ? packPanel(module, tileRows, { across: a.down, along: a.across }) : null;

  const f = module.func(['i32', 'i32', 'i32'], [], 'multiply');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const local = () => f.local('i32');
  const [rest, i0, i1, j0, j1, k0, k1, depth, i, j] = f.locals('i32', 10) as Local[] as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const [baseA, baseB, baseC, strip, packedRows, from, to, height, width] = f.locals('i32', 9) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const coordinates = batch.map(local);
  const least = (into: Local, value: Arg, most: number): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];
  const at = (base: Local, { down, across }: Matrix, row: Local, column: Local): Code =>
    i32.add(base, i32.add(i32.mul(row, 4 * down), i32.mul(column, 4 * across)));
  const scratchStrip = direct || parts > 1 ? 0 : cRow * rows;
  const scratchA = scratchStrip + (open ? 0 : Math.ceil(columns / tileWidth) * panel);
  const scratch = (offset: number): Code => i32.add(i32.load(args, 4 * words.threadScratch), offset);
  const tileCall = (r: number): Code => {
    const tile = tiles.get(r);
    return tile
      ? tile.call(
          packedA ? packedRows : from,
          to,
          i32.add(baseC, i32.add(i32.mul(i32.sub(i, i0), cRow), i32.mul(i32.sub(j, j0), 4))),
          depth,
          i32.gt_s(k0, 0),
        )
      : [];
  };
  const lastRows = m % tileRows;

  f.emit(
    loop(lo, lo, hi, 1, [
      // which block: batch, rows i0 … i1, columns j0 … j1
      set(rest, lo),
      set(j0, i32.mul(i32.rem_u(rest, columnBlocks), columns)),
      set(rest, i32.div_u(rest, columnBlocks)),
      set(i0, i32.mul(i32.rem_u(rest, rowBlocks), rows)),
      set(rest, i32.div_u(rest, rowBlocks)),
      parts > 1
        ? [
            set(from, i32.add(i32.load(args, 4 * words.sharedScratch), partials.at)),
            set(baseC, i32.add(i32.mul(i32.add(i32.mul(rest, m), i0), cRow), i32.shl(j0, 2))),
            set(baseC, i32.add(baseC, from)),
            set(k0, i32.mul(i32.rem_u(rest, parts), length)),
            set(rest, i32.div_u(rest, parts)),
          ]
        : [],
      unravel(f, rest, batch, coordinates),
      least(i1, i32.add(i0, rows), m),
      least(j1, i32.add(j0, columns), n),
      set(baseA, batchOffset(a, args, coordinates)),
      set(baseB, batchOffset(b, args, coordinates)),
      parts > 1
        ? [
            set(baseA, i32.add(baseA, i32.mul(k0, 4 * a.across))),
            set(baseB, i32.add(baseB, i32.mul(k0, 4 * b.down))),
            least(k1, i32.sub(k, k0), length),
          ]
        : set(k1, k),
      parts > 1
        ? []
        : direct
          ? set(
              baseC,
              i32.add(
                i32.add(
                  i32.load(args, 4 * words.output(stores[0]?.output ?? 0)),
                  i32.mul(i32.div_u(lo, rowBlocks * columnBlocks), 4 * m * n),
                ),
                i32.add(i32.mul(i0, 4 * n), i32.mul(j0, 4)),
              ),
            )
          : set(baseC, scratch(0)),
      set(strip, scratch(scratchStrip)),
      set(packedRows, scratch(scratchA)),
      k === 0 ? [set(depth, 0), set(k0, 0)] : [],
      loop(k0, 0, parts > 1 ? k1 : Math.max(k, 1), slab || 4, [
        set(depth, i32.sub(k1, k0)),
        when(i32.gt_s(depth, slab), set(depth, slab)),
        packB
          ? [
              set(j, j0),
              set(to, strip),
              packRowsB
                ? [
                    set(width, i32.div_u(i32.sub(j1, j0), tileWidth)),
                    packRowsB.call(at(baseB, b, k0, j0), strip, depth, width),
                    set(j, i32.add(j, i32.mul(width, tileWidth))),
                    set(to, i32.add(to, i32.mul(width, panel))),
                  ]
                : [],
              loop(j, j, j1, tileWidth, [
                least(width, i32.sub(j1, j), tileWidth),
                packB.call(at(baseB, b, k0, j), to, depth, width),
                set(to, i32.add(to, panel)),
              ]),
            ]
          : set(strip, at(baseB, b, k0, j0)),
        loop(i, i0, i1, tileRows, [
          least(height, i32.sub(i1, i), tileRows),
          set(from, at(baseA, a, i, k0)),
          packA ? packA.call(from, packedRows, depth, height) : [],
          set(to, strip),
          loop(j, j0, j1, tileWidth, [
            lastRows === 0 || m < tileRows
              ? tileCall(Math.min(m, tileRows))
              : when(i32.eq(height, tileRows), tileCall(tileRows), tileCall(lastRows)),
            set(to, i32.add(to, panel)),
          ]),
        ]),
      ]),
      direct || parts > 1
        ? []
        : [
            set(from, baseC),
            set(width, i32.sub(j1, j0)),
            loop(i, i0, i1, 1, [
              isBareStore(kernel, stores)
                ? memory.copy(
                    i32.add(
                      i32.load(args, 4 * words.output(stores[0]?.output ?? 0)),
                      i32.mul(
                        4,
                        i32.add(i32.mul(i32.add(i32.mul(i32.div_u(lo, rowBlocks * columnBlocks), m), i), n), j0),
                      ),
                    ),
                    from,
                    i32.mul(width, 4),
                  )
                : emitStores(scope, stores, {
                    domain,
                    outer: turned ? coordinates : [...coordinates, i],
                    start: j0,
                    count: width,
                    acc: [from],
                  }),
              set(from, i32.add(from, cRow)),
            ]),
          ],
    ]),
  );
  const chunks = batches * m * n === 0 ? 0 : batches * parts * rowBlocks * columnBlocks;
  phases.push({ name: 'multiply', chunks });
  if (parts > 1) {
    phases.push(gatherPhase(module, kernel, product, partials));
    shared += partialBytes(batches, m, partials) + 64;
  }
  return {
    bytes: module.bytes(),
    phases,
    sharedScratch: shared,
    threadScratch: scratchA + (packedA ? 16 * slab : 0) + 64,
  };
}

/** Strides of a plain load; an axis of size 1 has stride 0. */
function matrixOf(expr: Load, address: (args: Local) => Code): Matrix {
  const { shape, strides, offset } = expr.view;
  const rank = shape.length;
  const own = strides.map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  return {
    address: (args) => (offset ? i32.add(address(args), 4 * offset) : address(args)),
    batch: own.slice(0, rank - 2),
    down: own[rank - 2] as number,
    // a single column may be read as if it were contiguous
    across: shape[rank - 1] === 1 ? 1 : (own[rank - 1] as number),
  };
}

/** Where the matrix at a batch's coordinates begins. */
const batchOffset = (
  { address, batch }: Pick<Matrix, 'address' | 'batch'>,
  args: Local,
  coordinates: readonly Local[],
): Code =>
  batch.reduce<Code>(
    (sum, stride, axis) => (stride ? i32.add(sum, i32.mul(coordinates[axis] as Local, 4 * stride)) : sum),
    address(args),
  );

const transposed = ({ down, across, ...rest }: Matrix): Matrix => ({ ...rest, down: across, across: down });
