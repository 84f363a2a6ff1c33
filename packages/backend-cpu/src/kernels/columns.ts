/**
 * Convolution as a product of matrices: the columns that its outputs multiply are copied out of padded planes, a strip of outputs
 * and a slab of channels at a time, and never exist as a whole.
 *
 *                        outputs of an image, row after row        for each slab of k = (channel, tap) (▒):
 *                     ┌────┬─strip─┬────┐                            planes of its channels, for the rows the strip touches
 *              k slab │    │▒▒▒▒▒▒▒│    │                            columns: for each k the strip's rows, shifted by the tap
 *    ┌──k slab──┐     ├────┼───────┼────┤                            a register tile for each 4 channels made and 8 outputs
 *    │▒▒▒▒▒▒▒▒▒▒│     │    │   C   │    │
 *    └──────────┘     └────┴───────┴────┘
 *
 * Against `direct`, whose tiles read the planes themselves, columns have no ends of rows and lie in the order they are read.
 */
import type { ConvKernel } from '@tessera/tensor/backend';
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
  v128,
  when,
} from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { matmulBlocks } from './matmul';
import { operandOf, Scratch, three } from './operands';
import { channelSize, type PlaneShape, packPlanes, planeElements, tapOffset } from './planes';
import { type Problem, problemOf, reachOf } from './problem';
import { isBareStore } from './stores';
import { matmulTile, multiplyAdd, tileColumns, tileRows, tileVectors } from './tile';
import { weightPhase } from './weights';

/** Longest slab of k. */
const maxSlab = 256;
/** Most bytes of a slab's planes. */
const planeBytes = 192 << 10;
/** Most taps, which are unrolled; fewest channels made, which share the work of copying; shortest sums. */
const maxTaps = 128;
const leastMade = 32;
const leastK = 512;

/** The problem and how it is cut, or null where another way is better. */
export function columnsPlan(kernel: ConvKernel) {
  const problem = problemOf(kernel);
  const { n, groups, channels, made, input, output, depth, y, x } = problem;
  const [window] = three(kernel.sizes.kernel, 1);
  const [rowClass, columnClass] = [y.classes[0], x.classes[0]];
  if (window !== 1 || input[0] !== 1 || output[0] !== 1 || !rowClass || !columnClass) return null;
  // at stride 1 direct is as fast
  if (y.step !== 1 || x.step !== 1 || (y.plane.step === 1 && x.plane.step === 1)) return null;
  const taps = rowClass.taps.length * columnClass.taps.length;
  const [, height, width] = output;
  const outputs = height * width;
  if (taps > maxTaps || made < leastMade || channels * taps < leastK || n * outputs === 0) return null;
  const blocks = matmulBlocks(n * groups, made, outputs, channels * taps, false);
  const rows = Math.min(height, Math.floor((blocks.columns + width - 2) / width) + 1);
  const shape = {
    depth: depth.plane,
    y: y.plane,
    x: x.plane,
    slices: [{ phase: 0, ahead: 0 }],
    rows: rows + reachOf(y),
    // the copies of a row's last outputs read up to three elements on
    width: 4 * Math.ceil((width + reachOf(x) + 3) / 4),
  };
  const channel = channelSize(planeElements(shape));
  const slab = Math.max(1, Math.min(channels, Math.floor(maxSlab / taps), Math.floor(planeBytes / (4 * channel))));
  if (slab * taps < 64) return null;
  return {
    problem,
    blocks,
    rows,
    slab: Math.ceil(channels / Math.ceil(channels / slab)),
    shape: { ...shape, channel },
  };
}

export function columns(
  kernel: ConvKernel,
  target: Target,
  { problem, blocks, rows: most, slab, shape: plane }: NonNullable<ReturnType<typeof columnsPlan>>,
): CpuKernel {
  const { n, groups, channels, made, input, output } = problem;
  const [, height, width] = output;
  const outputs = height * width;
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratch = new Scratch();
  const spatial = kernel.sizes.input.length;
  const imageDomain = [n, groups * channels, ...input.slice(3 - spatial)];
  const weightDomain = [kernel.sizes.o, kernel.sizes.c / groups, ...kernel.sizes.kernel];
  const image = operandOf(module, kernel, problem.image, imageDomain, 'image', scratch, phases);
  const weight = operandOf(module, kernel, problem.weight, weightDomain, 'weight', scratch, phases);
  const [, sourceChannel, sourceSlice, sourceRow] = image.strides;
  const shape: PlaneShape = { ...plane, sourceChannel, sourceSlice, sourceRow };
  const { which, offsets } = tapsOf(kernel, problem, shape);
  const taps = which.length;

  // weights in panels of 4 channels made: [panel][c][tap][4]
  const panelBytes = 16 * channels * taps;
  const panels = Math.ceil(made / tileRows);
  const packed = scratch.reserve(groups * panels * panelBytes);
  phases.push(
    weightPhase(module, kernel, problem, weight, { offset: packed, panelBytes }, (_, put, loads, c) =>
      which.map((tap, t) => v128.store(i32.add(put, i32.mul(c, 16 * taps)), loads[tap] as Code, 16 * t)),
    ),
  );

  const { rows, columns, rowBlocks, columnBlocks } = blocks;
  const cRow = 4 * columns;
  // half lines, of an odd number so that rows spread over a cache's sets, with room for what reaches over the end
  const bRow = 32 * (Math.ceil((columns + 3) / 8) | 1);
  const madd = multiplyAdd(kernel.a.dtype, target.relaxed);
  const strides = { aRow: 4, aStep: 4 * tileRows, bStep: bRow, cRow };
  const tileOf = (rows: number) => matmulTile(module, { rows, vectors: tileVectors }, strides, madd);
  const lastRows = made % tileRows;
  const [whole, last] = [made >= tileRows ? tileOf(tileRows) : null, lastRows ? tileOf(lastRows) : null];
  const pack = packPlanes(module, shape);
  const copy = copyColumns(module, offsets, 4 * shape.channel, bRow);

  const own = new Scratch();
  const atC = own.reserve(cRow * rows);
  const atB = own.reserve(slab * taps * bRow);
  const atTable = own.reserve(12 * (most + 1));
  const atPlanes = own.reserve(4 * shape.channel * slab + 16);

  const f = module.func(['i32', 'i32', 'i32'], [], 'convolve');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const [mine, rest, ni, group, o0, o1, p0, p1] = f.locals('i32', 8) as Eight;
  const [y0, y, x, c0, many, o, p, at] = f.locals('i32', 8) as Eight;
  const [a, b, put, length, channel, segments] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const my = (offset: number): Code => i32.add(mine, offset);
  const digit = (into: Local, of: number): Code => [set(into, i32.rem_u(rest, of)), set(rest, i32.div_u(rest, of))];
  const least = (into: Local, value: Arg, limit: Arg): Code => [
    set(into, value),
    when(i32.gt_s(into, limit), set(into, limit)),
  ];
  const call = (tile: NonNullable<typeof whole>): Code =>
    tile.call(a, b, i32.add(at, i32.shl(p, 2)), i32.mul(many, taps), i32.gt_s(c0, 0));
  const bareOutput = i32.load(args, 4 * words.output(kernel.stores[0]?.output ?? 0));
  f.emit(
    set(mine, i32.load(args, 4 * words.threadScratch)),
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      digit(o0, rowBlocks),
      set(o0, i32.mul(o0, rows)),
      least(o1, i32.add(o0, rows), made),
      digit(p0, columnBlocks),
      set(p0, i32.mul(p0, columns)),
      least(p1, i32.add(p0, columns), outputs),
      digit(group, groups),
      set(ni, rest),
      // the strip's pieces of rows: where in the planes, where in the columns, how many vectors
      set(y0, i32.div_u(p0, width)),
      set(put, my(atTable)),
      set(p, p0),
      loop(segments, 0, most + 1, 1, [
        set(y, i32.div_u(p, width)),
        set(x, i32.sub(p, i32.mul(y, width))),
        least(length, i32.sub(p1, p), i32.sub(width, x)),
        i32.store(put, i32.shl(i32.add(i32.mul(i32.sub(y, y0), shape.width), x), 2)),
        i32.store(put, i32.shl(i32.sub(p, p0), 2), 4),
        i32.store(put, i32.shr_u(i32.add(length, 3), 2), 8),
        set(put, i32.add(put, 12)),
        set(p, i32.add(p, length)),
      ]),
      loop(c0, 0, channels, slab, [
        least(many, i32.sub(channels, c0), slab),
        pack.call(image.at(args, ni, i32.add(i32.mul(group, channels), c0)), my(atPlanes), many, y0, 0),
        copy.call(my(atPlanes), my(atB), many, my(atTable), my(atTable + 12 * (most + 1))),
        set(at, my(atC)),
        loop(o, o0, o1, tileRows, [
          set(
            a,
            i32.add(
              i32.add(i32.load(args, 4 * words.sharedScratch), packed),
              i32.add(
                i32.mul(i32.add(i32.mul(group, panels), i32.div_u(o, tileRows)), panelBytes),
                i32.mul(c0, 16 * taps),
              ),
            ),
          ),
          set(b, my(atB)),
          set(length, i32.sub(p1, p0)),
          loop(p, 0, length, tileColumns, [
            whole && last
              ? when(i32.le_s(o, made - tileRows), call(whole), call(last))
              : call((whole ?? last) as never),
            set(b, i32.add(b, 4 * tileColumns)),
          ]),
          set(at, i32.add(at, tileRows * cRow)),
        ]),
      ]),
      set(at, my(atC)),
      set(length, i32.sub(p1, p0)),
      loop(o, o0, o1, 1, [
        set(channel, i32.add(i32.mul(group, made), o)),
        isBareStore(kernel, kernel.stores)
          ? memory.copy(
              i32.add(
                bareOutput,
                i32.shl(i32.add(i32.mul(i32.add(i32.mul(ni, groups * made), channel), outputs), p0), 2),
              ),
              at,
              i32.shl(length, 2),
            )
          : emitStores(scope, kernel.stores, {
              domain: [n, groups * made, ...output.slice(3 - spatial)],
              outer: [ni, channel],
              start: p0,
              count: length,
              acc: [at],
            }),
        set(at, i32.add(at, cRow)),
      ]),
    ]),
  );
  phases.push({ name: 'convolve', chunks: n * groups * rowBlocks * columnBlocks });
  return { bytes: module.bytes(), phases, sharedScratch: scratch.bytes, threadScratch: own.bytes };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];

/** Which of the window's taps there are, and the bytes from an output's place in the planes to where each reads. */
function tapsOf(kernel: ConvKernel, { y, x }: Problem, shape: PlaneShape) {
  const [, , across] = three(kernel.sizes.kernel, 1);
  const [rows, columns] = [y.classes[0], x.classes[0]];
  const pairs = (rows?.taps ?? []).flatMap((ty, i) =>
    (columns?.taps ?? []).map((tx, j) => ({
      which: (rows?.which[i] as number) * across + (columns?.which[j] as number),
      offset: 4 * tapOffset(shape, 0, ty, tx),
    })),
  );
  return { which: pairs.map(({ which }) => which), offsets: pairs.map(({ offset }) => offset) };
}

/**
 * (planes, to, channels, table, end): rows of columns, one for each channel and tap, `row` bytes apart. A piece ends in a vector that
 * may reach over the next piece's beginning, which is written behind it.
 */
function copyColumns(module: Module, offsets: readonly number[], channel: number, row: number) {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [planes, to, channels, table, end] = f.params as [Local, Local, Local, Local, Local];
  const [c, piece, from, put, v, vectors] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  f.emit(
    loop(c, 0, channels, 1, [
      loop(piece, table, end, 12, [
        set(from, i32.add(planes, i32.load(piece))),
        set(put, i32.add(to, i32.load(piece, 4))),
        set(vectors, i32.load(piece, 8)),
        loop(v, 0, vectors, 1, [
          offsets.map((offset, tap) => v128.store(put, v128.load(from, offset), tap * row)),
          set(from, i32.add(from, 16)),
          set(put, i32.add(put, 16)),
        ]),
      ]),
      set(planes, i32.add(planes, channel)),
      set(to, i32.add(to, offsets.length * row)),
    ]),
  );
  return f;
}
