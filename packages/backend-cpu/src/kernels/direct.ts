/**
 * Convolution as sums over taps, forward and for the gradient of the input. A chunk makes some output rows of one image for
 * some output channels:
 *
 *       planes of x (packed, padded)               for each 4 output channels o: for each 8 outputs p (two vectors,
 *       ┌──────────────┐                           from one row or two), a register tile:
 *       │ ▒▒▒▒ ▒▒▒▒    │ row + r   ← tap (r, s)      for each channel c, for each tap (r, s), unrolled:
 *       │ ▒▒▒▒ ▒▒▒▒    │                               y[o…o+3][p…p+7] += w[o…o+3][c,r,s] · x[c][p…p+7 + tap]
 *       └──────────────┘
 *
 * A row that is no multiple of 4 ends in a vector that overlaps the one before: both write the same values.
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import {
  type Arg,
  type Code,
  type CpuKernel,
  type Func,
  i32,
  type Local,
  loop,
  Module,
  set,
  type Target,
  v128,
  when,
} from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { operandOf, Scratch } from './operands';
import {
  type AxisTap,
  channelSize,
  type PlaneAxis,
  type PlaneShape,
  packPlanes,
  planeElements,
  tapOffset,
} from './planes';
import { type Problem, problemOf } from './problem';
import { isBareStore } from './stores';
import { accumulators, type MultiplyAdd, multiplyAdd, tileRows, tileSteps } from './tile';
import { weightPhase } from './weights';

/** Most bytes of a chunk's planes, so that they stay in the second-level cache. */
const planeBytes = 192 << 10;
/** Taps up to this many are unrolled; beyond, their offsets come from a table. */
const maxUnrolledTaps = 64;
/** Multiplications that make a chunk worth its while. */
const chunkWork = 1 << 18;

/** How an image's rows and channels are shared out. */
function chunksOf(problem: Problem, taps: number) {
  const { n, groups, channels, made, output, axes } = problem;
  const [depth, height, width] = output as [number, number, number];
  const reach = (axis: number) => Math.max(0, ...(problem.taps[axis] as readonly AxisTap[]).map(({ ahead }) => ahead));
  const vectors = Math.max(1, Math.ceil(width / 4));
  const planeWidth = 4 * Math.ceil((Math.max(4, width) + reach(2)) / 4);
  const perRow =
    (problem.taps[0] as readonly AxisTap[]).length *
    (axes[1] as PlaneAxis).phases.length *
    (axes[2] as PlaneAxis).phases.length *
    planeWidth;
  const fits = (rows: number) => 4 * channels * perRow * (rows + reach(1)) <= planeBytes;
  let parts = 1;
  const rowsOf = () => Math.ceil(height / parts);
  const work = () => rowsOf() * width * made * channels * taps;
  while (rowsOf() > 1 && (!fits(rowsOf()) || (n * groups * depth * parts < 16 && work() > 2 * chunkWork))) parts++;
  const rows = Math.max(1, rowsOf());
  // few images and rows: share out the output channels as well, at the price of packing the planes again
  let blocks = 1;
  const blockOf = () => tileRows * Math.ceil(made / blocks / tileRows);
  while (n * groups * depth * parts * blocks < 16 && work() / blocks > 2 * chunkWork && blockOf() > 4 * tileRows)
    blocks++;
  const block = Math.max(1, Math.min(made, blockOf()));
  return {
    rows,
    rowParts: Math.ceil(height / rows),
    block,
    blocks: Math.ceil(made / block),
    vectors,
    planeWidth,
    planeRows: rows + reach(1),
  };
}

export function direct(kernel: ConvKernel, target: Target): CpuKernel {
  const problem = problemOf(kernel);
  const { n, groups, channels, made, input, output } = problem;
  const [depth, height, width] = output as [number, number, number];
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratchPlan = new Scratch();

  const spatial = kernel.sizes.input.length;
  const imageDomain = [n, groups * channels, ...input.slice(3 - spatial)];
  const weightDomain = [kernel.sizes.o, kernel.sizes.c / groups, ...kernel.sizes.kernel];
  const image = operandOf(module, kernel, problem.image, imageDomain, 'image', scratchPlan, phases);
  const weight = operandOf(module, kernel, problem.weight, weightDomain, 'weight', scratchPlan, phases);

  // the taps, and the chunk's geometry
  const [tapsD, tapsY, tapsX] = problem.taps as [readonly AxisTap[], readonly AxisTap[], readonly AxisTap[]];
  const taps = tapsD.length * tapsY.length * tapsX.length;
  const chunk = chunksOf(problem, taps);
  const shape0 = {
    depth: problem.axes[0] as PlaneAxis,
    y: problem.axes[1] as PlaneAxis,
    x: problem.axes[2] as PlaneAxis,
    slices: tapsD,
    rows: chunk.planeRows,
    width: chunk.planeWidth,
  };
  const shape: PlaneShape = {
    ...shape0,
    channel: channelSize(planeElements(shape0)),
    sourceChannel: image.strides[1],
    sourceSlice: image.strides[2],
    sourceRow: image.strides[3],
  };
  const offsets = tapsD.flatMap((_, d) => tapsY.flatMap((y) => tapsX.map((x) => 4 * tapOffset(shape, d, y, x))));
  const k = channels * taps;

  // C's block: in the output where it is stored as it is, else in scratch; rows narrower than a vector are padded to one
  const bare = isBareStore(kernel, kernel.stores) && width >= 4;
  const cWidth = Math.max(4, width);
  const cRow = bare ? 4 * depth * height * width : 4 * chunk.rows * cWidth;
  const last = Math.max(0, width - 4);

  // phase 1: weights in panels of 4 output channels, [panel][c][tap][4]
  const panels = Math.ceil(made / tileRows);
  const panelBytes = 16 * k;
  const packed = scratchPlan.reserve(groups * panels * panelBytes);
  const table = taps > maxUnrolledTaps ? scratchPlan.reserve(4 * taps) : -1;
  const sharedAt = (args: Local, offset: number): Code => i32.add(i32.load(args, 4 * words.sharedScratch), offset);
  const writeTaps = (_: unknown, put: Local, loads: readonly Code[]): Code => [
    loads.map((vector, tap) => v128.store(put, vector, 16 * tap)),
    set(put, i32.add(put, 16 * taps)),
  ];
  const writeTable = (args: Local): Code =>
    table < 0 ? [] : offsets.map((offset, i) => i32.store(sharedAt(args, table), offset, 4 * i));
  const place = { offset: packed, panelBytes };
  phases.push(weightPhase(module, kernel, problem, weight, place, writeTaps, writeTable));

  const madd = multiplyAdd(kernel.a.dtype, target.relaxed);
  const lastRows = made % tileRows;
  const tileOf = (rows: number) => convTile(module, rows, { offsets, table, channel: 4 * shape.channel, cRow }, madd);
  const wholeTile = made >= tileRows ? tileOf(tileRows) : null;
  const lastTile = lastRows ? tileOf(lastRows) : null;
  const pack = packPlanes(module, shape);

  const f = module.func(['i32', 'i32', 'i32'], [], 'convolve');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const [rest, ni, g, o0, o1, y0, rows, d] = f.locals('i32', 8) as Local[] as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const [planes, c0, w, o, v, row, col, count] = f.locals('i32', 8) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const [x0, x1, p0, p1, channel, start, length, tableAt] = f.locals('i32', 8) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const digit = (into: Local, size: number): Code => [
    set(into, i32.rem_u(rest, size)),
    set(rest, i32.div_u(rest, size)),
  ];
  const least = (into: Local, value: Arg, most: Arg): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];
  /** Sets pointers to the next vector of the block and moves on; behind the end it stays on the last one. */
  const nextVector = (x: Local, p: Local): Code => [
    set(x, i32.shl(col, 2)),
    when(i32.gt_s(x, last), set(x, last)),
    set(p, i32.add(c0, i32.shl(i32.add(i32.mul(row, cWidth), x), 2))),
    set(x, i32.add(planes, i32.shl(i32.add(i32.mul(row, shape.width), x), 2))),
    set(col, i32.add(col, 1)),
    when(i32.eq(col, chunk.vectors), [set(col, 0), set(row, i32.add(row, 1))]),
  ];
  const call = (tile: Func): Code => tile.call(w, x0, x1, p0, p1, channels, tableAt);
  const scratch = (offset: number): Code => i32.add(i32.load(args, 4 * words.threadScratch), offset);
  const blockBytes = bare ? 0 : 64 * Math.ceil((cRow * chunk.block) / 64);
  f.emit(
    table >= 0 ? set(tableAt, sharedAt(args, table)) : [],
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      digit(o0, chunk.blocks),
      set(o0, i32.mul(o0, chunk.block)),
      digit(y0, chunk.rowParts),
      set(y0, i32.mul(y0, chunk.rows)),
      digit(d, depth),
      digit(g, groups),
      set(ni, rest),
      least(o1, i32.add(o0, chunk.block), made),
      least(rows, i32.sub(height, y0), chunk.rows),
      set(planes, scratch(blockBytes)),
      pack.call(image.at(args, ni, i32.mul(g, channels)), planes, channels, y0, d),
      set(count, i32.mul(rows, chunk.vectors)),
      loop(o, o0, o1, tileRows, [
        set(
          w,
          i32.add(sharedAt(args, packed), i32.mul(i32.add(i32.mul(g, panels), i32.div_u(o, tileRows)), panelBytes)),
        ),
        bare
          ? set(
              c0,
              i32.add(
                i32.load(args, 4 * words.output(kernel.stores[0]?.output ?? 0)),
                i32.mul(
                  i32.add(
                    i32.mul(
                      i32.add(i32.mul(i32.add(i32.mul(i32.add(i32.mul(ni, groups), g), made), o), depth), d),
                      height * width,
                    ),
                    i32.mul(y0, width),
                  ),
                  4,
                ),
              ),
            )
          : set(c0, scratch(0)),
        bare ? [] : set(c0, i32.add(c0, i32.mul(i32.sub(o, o0), cRow))),
        set(row, 0),
        set(col, 0),
        loop(v, 0, count, 2, [
          nextVector(x0, p0),
          set(x1, x0),
          set(p1, p0),
          when(i32.lt_s(i32.add(v, 1), count), nextVector(x1, p1)),
          wholeTile && lastTile
            ? when(i32.le_s(o, made - tileRows), call(wholeTile), call(lastTile))
            : call((wholeTile ?? lastTile) as Func),
        ]),
      ]),
      bare
        ? []
        : loop(o, o0, o1, 1, [
            set(channel, i32.add(i32.mul(g, made), o)),
            set(c0, i32.add(scratch(0), i32.mul(i32.sub(o, o0), cRow))),
            width >= 4
              ? [
                  set(start, i32.mul(i32.add(i32.mul(d, height), y0), width)),
                  set(length, i32.mul(rows, width)),
                  emitStores(scope, kernel.stores, {
                    domain: [n, groups * made, ...output.slice(3 - spatial)],
                    outer: [ni, channel],
                    start,
                    count: length,
                    acc: [c0],
                  }),
                ]
              : loop(v, 0, rows, 1, [
                  set(start, i32.mul(i32.add(i32.mul(d, height), i32.add(y0, v)), width)),
                  emitStores(scope, kernel.stores, {
                    domain: [n, groups * made, ...output.slice(3 - spatial)],
                    outer: [ni, channel],
                    start,
                    count: width,
                    acc: [c0],
                  }),
                  set(c0, i32.add(c0, 4 * cWidth)),
                ]),
          ]),
    ]),
  );
  const empty = n * groups * made * depth * height * width === 0;
  return {
    bytes: module.bytes(),
    phases: [...phases, { name: 'convolve', chunks: empty ? 0 : n * groups * depth * chunk.rowParts * chunk.blocks }],
    sharedScratch: scratchPlan.bytes,
    threadScratch: blockBytes + 4 * shape.channel * channels + 64,
  };
}

/** (w, x0, x1, c0, c1, channels, table): a tile of `rows` output channels and two vectors of outputs. */
function convTile(
  module: Module,
  rows: number,
  at: { readonly offsets: readonly number[]; readonly table: number; readonly channel: number; readonly cRow: number },
  madd: MultiplyAdd,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [w, x0, x1, c0, c1, channels, table] = f.params as [Local, Local, Local, Local, Local, Local, Local];
  const acc = accumulators(f, rows);
  const scratch = { a: f.locals('v128', rows), b: f.locals('v128', 2) };
  const [c, t, y0, y1] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const splat = (row: number, step: number) => v128.load32_splat(w, 16 * step + 4 * row);
  const taps = at.offsets.length;
  f.emit(
    loop(c, 0, channels, 1, [
      at.table < 0
        ? [
            tileSteps(
              taps,
              acc,
              scratch,
              madd,
              splat,
              (vector, step) => v128.load(vector ? x1 : x0, at.offsets[step]),
              c,
            ),
            set(w, i32.add(w, 16 * taps)),
          ]
        : loop(t, 0, taps, 1, [
            set(y0, i32.load(i32.add(table, i32.shl(t, 2)))),
            set(y1, i32.add(x1, y0)),
            set(y0, i32.add(x0, y0)),
            tileSteps(1, acc, scratch, madd, splat, (vector) => v128.load(vector ? y1 : y0), c),
            set(w, i32.add(w, 16)),
          ]),
      set(x0, i32.add(x0, at.channel)),
      set(x1, i32.add(x1, at.channel)),
    ]),
    acc.map(([first, second], i) => [
      v128.store(c0, first as Local, i * at.cRow),
      v128.store(c1, second as Local, i * at.cRow),
    ]),
  );
  return f;
}
