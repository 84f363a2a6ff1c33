/**
 * The gradient of a convolution's weight: w[o, c, r] = Σ_{n,p} g[n,o,p] · x[n,c,p + r], a long sum for each of few results.
 * So the vectors lie along p, where both operands are contiguous, and nothing is splatted:
 *
 *         x(c,r)₀  x(c,r)₁  planes of x, as for the forward convolution, a column (c, r) being a fixed distance
 *    go   ┌──────┬──────┐
 *    go+1 │ Σ⃗    │ Σ⃗    │   4 × 2 accumulators of four lanes: 4 loads of g, 2 of x, 8 multiply-adds for four p
 *    go+2 │ Σ⃗    │ Σ⃗    │
 *    go+3 │ Σ⃗    │ Σ⃗    │   lanes are summed at the end; then the parts of a split sum, in order
 *         └──────┴──────┘
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import {
  type Arg,
  brIf,
  type Code,
  type CpuKernel,
  type Func,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  loop,
  Module,
  repeat,
  set,
  type Target,
  v128,
  when,
} from '../assembler';
import { argWords } from '../expression';
import { operandOf, Scratch, three } from './operands';
import { splitPoint, storeParts } from './parts';
import {
  type AxisTap,
  channelSize,
  type PlaneAxis,
  type PlaneShape,
  packPlanes,
  planeAxis,
  planeElements,
  tapOffset,
} from './planes';
import { accumulators, type MultiplyAdd, multiplyAdd, tileRows, tileSteps } from './tile';

/** Most bytes of a chunk's accumulators, and of its planes of g and x. */
const sumBytes = 192 << 10;
const planeBytes = 192 << 10;
const maxBlock = 32;
const maxBatch = 8;
/** Most bytes of a split sum's parts. */
const partBytes = 16 << 20;
const chunkWork = 1 << 18;
/** Vectors of a row that are unrolled. */
const unroll = 8;

export function weightGradient(kernel: ConvKernel, target: Target): CpuKernel {
  const { sizes } = kernel;
  const { n, groups } = sizes;
  const [channels, made] = [sizes.c / groups, sizes.o / groups];
  const [input, window, output] = [three(sizes.input, 1), three(sizes.kernel, 1), three(sizes.output, 1)];
  const [stride, dilation, padding] = [three(sizes.stride, 1), three(sizes.dilation, 1), three(sizes.padding, 0)];
  const [depth, height, width] = output;
  const module = new Module({ shared: target.shared });
  const words = argWords(kernel);
  const scratch = new Scratch();
  const phases: { name: string; chunks: number }[] = [];
  const x = operandOf(module, kernel, kernel.a, [n, sizes.c, ...sizes.input], 'image', scratch, phases);
  const g = operandOf(module, kernel, kernel.b, [n, sizes.o, ...sizes.output], 'gradient', scratch, phases);

  // planes of both operands for some rows of one image
  const axes = [0, 1, 2].map((i) =>
    planeAxis(
      input[i] as number,
      window[i] as number,
      stride[i] as number,
      dilation[i] as number,
      padding[i] as number,
    ),
  );
  const [tapsD, tapsY, tapsX] = axes.map(({ taps }) => taps) as [AxisTap[], AxisTap[], AxisTap[]];
  const taps = tapsD.length * tapsY.length * tapsX.length;
  const reach = (list: readonly AxisTap[]) => Math.max(0, ...list.map(({ ahead }) => ahead));
  const vectors = Math.max(1, Math.ceil(width / 4));
  const block = Math.min(made, maxBlock);
  const blocks = Math.ceil(made / block);
  const mostChannels = Math.max(1, Math.floor(sumBytes / (16 * block * taps)));
  const channelBlock = Math.ceil(channels / Math.ceil(channels / mostChannels));
  const channelBlocks = Math.ceil(channels / channelBlock);
  const shapeX = (rows: number): PlaneShape => {
    const shape = {
      depth: axes[0]?.axis as PlaneAxis,
      y: axes[1]?.axis as PlaneAxis,
      x: axes[2]?.axis as PlaneAxis,
      slices: tapsD,
      rows: rows + reach(tapsY),
      width: 4 * Math.ceil((4 * vectors + reach(tapsX)) / 4),
    };
    const [, sourceChannel, sourceSlice, sourceRow] = x.strides;
    return { ...shape, channel: channelSize(planeElements(shape)), sourceChannel, sourceSlice, sourceRow };
  };
  const shapeG = (rows: number): PlaneShape => {
    const own = (size: number): PlaneAxis => ({ size, step: 1, phases: [0], before: 0, spread: 1 });
    const shape = {
      depth: own(depth),
      y: own(height),
      x: own(width),
      slices: [{ phase: 0, ahead: 0 }],
      rows,
      width: 4 * vectors,
    };
    const [, sourceChannel, sourceSlice, sourceRow] = g.strides;
    return { ...shape, channel: channelSize(planeElements(shape)), sourceChannel, sourceSlice, sourceRow };
  };
  let rowParts = 1;
  const rowsOf = () => Math.max(1, Math.ceil(height / rowParts));
  while (rowsOf() > 1 && 4 * (channelBlock * shapeX(rowsOf()).channel + block * shapeG(rowsOf()).channel) > planeBytes)
    rowParts++;
  const rows = rowsOf();
  rowParts = Math.ceil(height / rows);
  const [planesX, planesG] = [shapeX(rows), shapeG(rows)];

  // the sum over images and row parts is split where there are few blocks of results
  const k = channels * taps;
  const terms = n * depth * rowParts;
  const results = groups * made * k;
  const work = terms * rows * width * results;
  const parts = Math.max(
    1,
    Math.min(
      terms,
      Math.ceil(32 / (groups * blocks * channelBlocks)),
      Math.floor(work / chunkWork),
      Math.floor(partBytes / (4 * results)),
    ),
  );
  // several images or row parts at once, so that a tile has long sums to make
  const [bytesX, bytesG] = [4 * planesX.channel * channelBlock, 4 * planesG.channel * block];
  const batch = Math.max(1, Math.min(Math.ceil(terms / parts), Math.floor(planeBytes / (bytesX + bytesG)), maxBatch));
  const partial = scratch.reserve(4 * parts * results);

  const madd = multiplyAdd(kernel.a.dtype, target.relaxed);
  const strides = {
    g: 4 * planesG.channel,
    rowG: 4 * planesG.width,
    rowX: 4 * planesX.width,
    rows,
    vectors,
    bytesG,
    bytesX,
  };
  const lastRows = (made % block || block) % tileRows;
  const wholeTile = block >= tileRows ? dotTile(module, tileRows, strides, madd) : null;
  // blocks but the last are multiples of 4
  const lastTile = lastRows ? dotTile(module, lastRows, strides, madd) : null;
  const packX = packPlanes(module, planesX);
  const packG = packPlanes(module, planesG);
  const offsets = tapsD.flatMap((_, d) => tapsY.flatMap((ty) => tapsX.map((tx) => 4 * tapOffset(planesX, d, ty, tx))));

  const f = module.func(['i32', 'i32', 'i32'], [], 'multiply');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const names = f.locals('i32', 27);
  const [rest, part, group, o0, count, c0, channelCount, columns] = names.slice(0, 8) as Eight;
  const [term, until, ni, d, y, sums, atG, atX] = names.slice(8, 16) as Eight;
  const [table, column, o, sum0, sum1, x0, x1, from] = names.slice(16, 24) as Eight;
  const [images, toG, toX] = names.slice(24) as [Local, Local, Local];
  const digit = (into: Local, size: number): Code => [
    set(into, i32.rem_u(rest, size)),
    set(rest, i32.div_u(rest, size)),
  ];
  const least = (into: Local, value: Arg, most: number): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];
  const own = (offset: number): Code => i32.add(i32.load(args, 4 * words.threadScratch), offset);
  const tableBytes = 64 * Math.ceil((4 * channelBlock * taps + 4) / 64);
  const sumsSize = 16 * tileRows * Math.ceil(block / tileRows) * channelBlock * taps;
  const call = (tile: Func): Code => tile.call(from, x0, x1, sum0, sum1, images);
  // sums [4 rows][column][row]: a tile's are neighbours, and so are those of the next column
  const sumTo = (into: Local, columnArg: Arg, row: Arg): Code =>
    set(
      into,
      i32.add(
        sums,
        i32.shl(
          i32.add(
            i32.mul(i32.add(i32.mul(i32.shr_u(row, 2), columns), columnArg), tileRows),
            i32.and(row, tileRows - 1),
          ),
          4,
        ),
      ),
    );
  const lane = f.local('v128');
  f.emit(
    set(table, own(0)),
    set(sums, own(tableBytes)),
    set(atG, own(tableBytes + sumsSize)),
    set(atX, own(tableBytes + sumsSize + batch * bytesG)),
    // column (c, tap) → where it begins in the planes of x
    set(from, table),
    loop(c0, 0, channelBlock, 1, [
      offsets.map((offset, tap) => i32.store(from, i32.add(i32.mul(c0, 4 * planesX.channel), offset), 4 * tap)),
      set(from, i32.add(from, 4 * taps)),
    ]),
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      digit(part, parts),
      digit(o0, blocks),
      set(o0, i32.mul(o0, block)),
      digit(c0, channelBlocks),
      set(c0, i32.mul(c0, channelBlock)),
      set(group, rest),
      least(count, i32.sub(made, o0), block),
      least(channelCount, i32.sub(channels, c0), channelBlock),
      set(columns, i32.mul(channelCount, taps)),
      set(from, sums),
      loop(column, 0, sumsSize / 16, 1, [v128.store(from, i32x4.const(0)), set(from, i32.add(from, 16))]),
      set(until, splitPoint(i32.add(part, 1), terms, parts)),
      set(term, splitPoint(part, terms, parts)),
      repeat(
        set(images, i32.sub(until, term)),
        when(i32.gt_s(images, batch), set(images, batch)),
        set(toX, atX),
        set(toG, atG),
        loop(column, 0, images, 1, [
          set(rest, i32.add(term, column)),
          digit(y, rowParts),
          set(y, i32.mul(y, rows)),
          digit(d, depth),
          set(ni, rest),
          packX.call(x.at(args, ni, i32.add(i32.mul(group, channels), c0)), toX, channelCount, y, d),
          packG.call(g.at(args, ni, i32.add(i32.mul(group, made), o0)), toG, count, y, d),
          set(toX, i32.add(toX, bytesX)),
          set(toG, i32.add(toG, bytesG)),
        ]),
        // rows of g outside: four of them stay in the first-level cache, while the taps of a channel read the same lines of x
        loop(o, 0, count, tileRows, [
          set(from, i32.add(atG, i32.mul(o, strides.g))),
          loop(column, 0, columns, 2, [
            set(x0, i32.add(atX, i32.load(i32.add(table, i32.shl(column, 2))))),
            set(x1, x0),
            sumTo(sum0, column, o),
            set(sum1, sum0),
            when(i32.lt_s(i32.add(column, 1), columns), [
              set(x1, i32.add(atX, i32.load(i32.add(table, i32.shl(column, 2)), 4))),
              set(sum1, i32.add(sum0, 16 * tileRows)),
            ]),
            wholeTile && lastTile
              ? when(i32.le_s(o, i32.sub(count, tileRows)), call(wholeTile), call(lastTile))
              : call((wholeTile ?? lastTile) as Func),
          ]),
        ]),
        set(term, i32.add(term, images)),
        brIf(0, i32.lt_s(term, until)),
      ),
      // lanes to one number: partial[part][group, o][c, tap]
      loop(o, 0, count, 1, [
        set(
          from,
          i32.add(
            i32.add(i32.load(args, 4 * words.sharedScratch), partial),
            i32.mul(
              i32.add(
                i32.mul(i32.add(i32.mul(i32.add(i32.mul(part, groups), group), made), i32.add(o0, o)), k),
                i32.mul(c0, taps),
              ),
              4,
            ),
          ),
        ),
        loop(column, 0, columns, 1, [
          sumTo(sum0, column, o),
          set(lane, v128.load(sum0)),
          kernel.a.dtype === 'float32'
            ? [
                set(lane, f32x4.add(lane, i32x4.shuffle(lane, lane, [2, 3, 0, 1]))),
                f32.store(from, f32.add(f32x4.extract_lane(lane, 0), f32x4.extract_lane(lane, 1))),
              ]
            : [
                set(lane, i32x4.add(lane, i32x4.shuffle(lane, lane, [2, 3, 0, 1]))),
                i32.store(from, i32.add(i32x4.extract_lane(lane, 0), i32x4.extract_lane(lane, 1))),
              ],
          set(from, i32.add(from, 4)),
        ]),
      ]),
    ]),
  );
  phases.push({ name: 'multiply', chunks: results === 0 ? 0 : groups * blocks * channelBlocks * parts });

  phases.push(storeParts(module, kernel, { parts, results, partial }));
  return {
    bytes: module.bytes(),
    phases,
    sharedScratch: scratch.bytes,
    threadScratch: tableBytes + sumsSize + batch * (bytesG + bytesX) + 64,
  };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];
/** (g, x0, x1, sum0, sum1, images): adds the products over the planes' rows to 4-lane sums, those of a column's rows being neighbours. */
function dotTile(
  module: Module,
  rows: number,
  at: {
    readonly g: number;
    readonly rowG: number;
    readonly rowX: number;
    readonly rows: number;
    readonly vectors: number;
    readonly bytesG: number;
    readonly bytesX: number;
  },
  madd: MultiplyAdd,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [g, x0, x1, sum0, sum1, images] = f.params as [Local, Local, Local, Local, Local, Local];
  const acc = accumulators(f, rows);
  const scratch = { a: f.locals('v128', rows), b: f.locals('v128', 2) };
  const [y, v, image] = f.locals('i32', 3) as [Local, Local, Local];
  const steps = (count: number) => {
    const place = (step: number, row: number) => Math.floor(step / at.vectors) * row + 16 * (step % at.vectors);
    return tileSteps(
      count,
      acc,
      scratch,
      madd,
      (row, step) => v128.load(g, row * at.g + place(step, at.rowG)),
      (vector, step) => v128.load(vector ? x1 : x0, place(step, at.rowX)),
      images,
    );
  };
  const move = (bytesG: number, bytesX: number): Code => [
    set(g, i32.add(g, bytesG)),
    set(x0, i32.add(x0, bytesX)),
    set(x1, i32.add(x1, bytesX)),
  ];
  const whole = at.vectors > unroll ? Math.floor(at.vectors / unroll) * unroll : 0;
  // short rows: several at once
  let together = whole ? 1 : Math.max(1, Math.min(at.rows, Math.floor((2 * unroll) / at.vectors)));
  while (at.rows % together) together--;
  const sums = [sum0, sum1];
  f.emit(
    acc.flatMap((row, i) => row.map((value, j) => set(value, v128.load(sums[j] as Local, 16 * i)))),
    loop(image, 0, images, 1, [
      loop(y, 0, at.rows, together, [
        whole ? loop(v, 0, whole, unroll, [steps(unroll), move(16 * unroll, 16 * unroll)]) : [],
        steps(together * at.vectors - whole),
        move(together * at.rowG - 16 * whole, together * at.rowX - 16 * whole),
      ]),
      move(at.bytesG - at.rows * at.rowG, at.bytesX - at.rows * at.rowX),
    ]),
    acc.flatMap((row, i) => row.map((value, j) => v128.store(sums[j] as Local, value, 16 * i))),
  );
  return f;
}
