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
import { convTile, maxUnrolledTaps } from './conv-tile';
import { operandOf, Scratch, three } from './operands';
import { channelSize, type PlaneShape, packPlanes, planeElements, tapOffset } from './planes';
import { type Problem, problemOf, reachOf } from './problem';
import { isBareStore } from './stores';
import { multiplyAdd, tileRows } from './tile';
import { weightPhase } from './weights';

/** Most bytes of a chunk's planes, so that they stay in the second-level cache. */
const planeBytes = 192 << 10;
/** Chunks to aim at, so that workers find enough to share. */
const wantedChunks = 16;
/** Multiplications that make a chunk worth its while. */
const chunkWork = 1 << 18;

/** How an image's rows and channels are shared out. Rows are those of the outputs' classes: `step` rows of the output each. */
function chunksOf(problem: Problem, taps: number) {
  const { n, groups, channels, made, output, depth, y, x } = problem;
  const height = Math.ceil(output[1] / y.step);
  const width = Math.ceil(output[2] / x.step);
  const planeWidth = 4 * Math.ceil((Math.max(4, width) + reachOf(x)) / 4);
  const slices = depth.classes[0]?.taps.length ?? 0;
  const perRow = slices * y.plane.phases.length * x.plane.phases.length * planeWidth;
  const fits = (rows: number) => 4 * channels * perRow * (rows + reachOf(y)) <= planeBytes;
  const others = n * groups * output[0];
  let parts = 1;
  const rowsOf = () => Math.ceil(height / parts);
  const work = () => rowsOf() * width * made * channels * taps;
  while (rowsOf() > 1 && (!fits(rowsOf()) || (others * parts < wantedChunks && work() > 2 * chunkWork))) parts++;
  const rows = Math.max(1, rowsOf());
  // few images and rows: share out the output channels as well, at the price of packing the planes again
  let blocks = 1;
  const blockOf = () => tileRows * Math.ceil(made / blocks / tileRows);
  const large = () => work() / blocks > 2 * chunkWork && blockOf() > 4 * tileRows;
  while (others * parts * blocks < wantedChunks && large()) blocks++;
  const block = Math.max(1, Math.min(made, blockOf()));
  const planeRows = rows + reachOf(y);
  return { rows, rowParts: Math.ceil(height / rows), block, blocks: Math.ceil(made / block), planeWidth, planeRows };
}

export function direct(kernel: ConvKernel, target: Target): CpuKernel {
  const problem = problemOf(kernel);
  const { n, groups, channels, made, input, output } = problem;
  const [depth, height, width] = output;
  const [stepY, stepX] = [problem.y.step, problem.x.step];
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratchPlan = new Scratch();

  const spatial = kernel.sizes.input.length;
  const imageDomain = [n, groups * channels, ...input.slice(3 - spatial)];
  const weightDomain = [kernel.sizes.o, kernel.sizes.c / groups, ...kernel.sizes.kernel];
  const image = operandOf(module, kernel, problem.image, imageDomain, 'image', scratchPlan, phases);
  const weight = operandOf(module, kernel, problem.weight, weightDomain, 'weight', scratchPlan, phases);

  // the chunk's geometry
  const tapsD = problem.depth.classes[0]?.taps ?? [];
  const [, windowY, windowX] = three(kernel.sizes.kernel, 1);
  const chunk = chunksOf(problem, tapsD.length * windowY * windowX);
  const shape0 = {
    depth: problem.depth.plane,
    y: problem.y.plane,
    x: problem.x.plane,
    slices: tapsD,
    rows: chunk.planeRows,
    width: chunk.planeWidth,
  };
  const [, sourceChannel, sourceSlice, sourceRow] = image.strides;
  const shape: PlaneShape = {
    ...shape0,
    channel: channelSize(planeElements(shape0)),
    sourceChannel,
    sourceSlice,
    sourceRow,
  };

  // C's block: in the output where it is stored as it is, else in scratch; there, narrow rows have room for whole vectors
  const narrow = problem.x.classes.some(({ count }) => count < 4);
  const bare = isBareStore(kernel, kernel.stores) && !narrow;
  const cWidth = narrow ? Math.max(width, 4 * stepX) : width;
  const cRow = bare ? 4 * depth * height * width : 4 * chunk.rows * stepY * cWidth;

  // each class of outputs has its own taps: which of the window's, and where they read
  let before = 0;
  const classes = problem.y.classes.flatMap((y) =>
    problem.x.classes.map((x) => {
      const pairs = tapsD.flatMap((_, d) =>
        y.taps.flatMap((ty, i) =>
          x.taps.map((tx, j) => ({
            which: (d * windowY + (y.which[i] as number)) * windowX + (x.which[j] as number),
            offset: 4 * tapOffset(shape, d, ty, tx),
          })),
        ),
      );
      const start = before;
      before += pairs.length;
      return { y, x, start, which: pairs.map(({ which }) => which), offsets: pairs.map(({ offset }) => offset) };
    }),
  );
  const taps = before;

  // phase 1: weights in panels of 4 output channels, [panel][class][c][tap][4]
  const panels = Math.ceil(made / tileRows);
  const panelBytes = 16 * channels * taps;
  const packed = scratchPlan.reserve(groups * panels * panelBytes);
  const tabled = classes.some(({ offsets }) => offsets.length > maxUnrolledTaps);
  const table = scratchPlan.reserve(tabled ? 4 * taps : 0);
  const sharedAt = (args: Local, offset: number): Code => i32.add(i32.load(args, 4 * words.sharedScratch), offset);
  const writeTaps = (_: Func, put: Local, loads: readonly Code[], c: Local): Code =>
    classes.flatMap(({ start, which }) =>
      which.map((tap, t) =>
        v128.store(i32.add(put, i32.mul(c, 16 * which.length)), loads[tap] as Code, 16 * (channels * start + t)),
      ),
    );
  const allOffsets = tabled ? classes.flatMap(({ offsets }) => offsets) : [];
  const writeTable = (args: Local): Code =>
    allOffsets.map((offset, i) => i32.store(sharedAt(args, table), offset, 4 * i));
  const place = { offset: packed, panelBytes };
  phases.push(weightPhase(module, kernel, problem, weight, place, writeTaps, writeTable));

  const madd = multiplyAdd(kernel.a.dtype, target.relaxed);
  const lastRows = made % tileRows;
  const tileOf = (rows: number, offsets: readonly number[]) =>
    convTile(module, { rows, offsets, channel: 4 * shape.channel, cRow, step: stepX }, madd);
  const tiles = classes.map(({ offsets }) => ({
    whole: made >= tileRows ? tileOf(tileRows, offsets) : null,
    last: lastRows ? tileOf(lastRows, offsets) : null,
  }));
  const pack = packPlanes(module, shape);

  const f = module.func(['i32', 'i32', 'i32'], [], 'convolve');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const names = f.locals('i32', 24);
  const [rest, ni, g, o0, o1, y0, rows, d] = names.slice(0, 8) as Eight;
  const [planes, c0, w, o, v, row, col, count] = names.slice(8, 16) as Eight;
  const [x0, x1, p0, p1, channel, start, length, panel] = names.slice(16) as Eight;
  const digit = (into: Local, size: number): Code => [
    set(into, i32.rem_u(rest, size)),
    set(rest, i32.div_u(rest, size)),
  ];
  const least = (into: Local, value: Arg, most: Arg): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];
  type Class = (typeof classes)[number];
  /** Sets pointers to the next vector of the block and moves on. */
  const nextVector = ({ x, y }: Class, from: Local, to: Local): Code => [
    set(from, i32.shl(col, 2)),
    when(i32.gt_s(from, Math.max(0, x.count - 4)), set(from, Math.max(0, x.count - 4))),
    set(
      to,
      i32.add(
        c0,
        i32.shl(
          i32.add(i32.mul(i32.add(i32.mul(row, stepY), y.first), cWidth), i32.add(i32.mul(from, stepX), x.first)),
          2,
        ),
      ),
    ),
    set(from, i32.add(planes, i32.shl(i32.add(i32.mul(row, shape.width), from), 2))),
    set(col, i32.add(col, 1)),
    when(i32.eq(col, Math.ceil(x.count / 4)), [set(col, 0), set(row, i32.add(row, 1))]),
  ];
  /** All tiles of a class of outputs for the channels from o on. */
  const tilesOf = (one: Class, { whole, last }: (typeof tiles)[number]): Code => {
    const tableAt = sharedAt(args, table + 4 * one.start);
    const call = (tile: Func): Code => tile.call(w, x0, x1, p0, p1, channels, tableAt);
    return [
      set(w, i32.add(panel, 16 * channels * one.start)),
      least(count, i32.sub(one.y.count, y0), chunk.rows),
      set(count, i32.mul(count, Math.ceil(one.x.count / 4))),
      set(row, 0),
      set(col, 0),
      loop(v, 0, count, 2, [
        nextVector(one, x0, p0),
        set(x1, x0),
        set(p1, p0),
        when(i32.lt_s(i32.add(v, 1), count), nextVector(one, x1, p1)),
        whole && last ? when(i32.le_s(o, made - tileRows), call(whole), call(last)) : call((whole ?? last) as Func),
      ]),
    ];
  };
  const storeRow = (rowStart: Code, many: Arg): Code => [
    set(start, rowStart),
    set(length, many),
    emitStores(scope, kernel.stores, {
      domain: [n, groups * made, ...output.slice(3 - spatial)],
      outer: [ni, channel],
      start,
      count: length,
      acc: [c0],
    }),
  ];
  const scratch = (offset: number): Code => i32.add(i32.load(args, 4 * words.threadScratch), offset);
  const blockBytes = bare ? 0 : 64 * Math.ceil((cRow * chunk.block) / 64);
  f.emit(
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
      // rows of the output
      least(rows, i32.sub(height, i32.mul(y0, stepY)), chunk.rows * stepY),
      set(planes, scratch(blockBytes)),
      pack.call(image.at(args, ni, i32.mul(g, channels)), planes, channels, y0, d),
      loop(o, o0, o1, tileRows, [
        set(
          panel,
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
                    i32.mul(y0, stepY * width),
                  ),
                  4,
                ),
              ),
            )
          : set(c0, scratch(0)),
        bare ? [] : set(c0, i32.add(c0, i32.mul(i32.sub(o, o0), cRow))),
        classes.map((one, i) => tilesOf(one, tiles[i] as (typeof tiles)[number])),
      ]),
      bare
        ? []
        : loop(o, o0, o1, 1, [
            set(channel, i32.add(i32.mul(g, made), o)),
            set(c0, i32.add(scratch(0), i32.mul(i32.sub(o, o0), cRow))),
            narrow
              ? loop(v, 0, rows, 1, [
                  storeRow(i32.mul(i32.add(i32.mul(d, height), i32.add(i32.mul(y0, stepY), v)), width), width),
                  set(c0, i32.add(c0, 4 * cWidth)),
                ])
              : storeRow(i32.mul(i32.add(i32.mul(d, height), i32.mul(y0, stepY)), width), i32.mul(rows, width)),
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

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];
