/**
 * Winograd for the gradient of 3×3 weights: a 4×4 patch of g is the filter, a 6×6 patch of x the input, nine results.
 *
 *     x patch 6×6 ─ V = Bᵀ·x·B ─┐                            36 products of matrices, the tiles being the long side:
 *                               ├ M[o, c] += Σ_tiles U·V     4 o × 8 c at a time
 *     g patch 4×4 ─ U = G·g·Gᵀ ─┘
 *                                 w = Aᵀ·M·A at the end
 *
 * Here four channels lie side by side in a vector, so that the sum over tiles runs down the products' inner side. What hangs
 * over an edge is zero in g.
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import {
  type Arg,
  brIf,
  type Code,
  type CpuKernel,
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
import { channelSize, type PlaneAxis, type PlaneShape, packPlanes, planeAxis, planeElements } from './planes';
import { multiplyAdd, tileColumns, tileProducts, tileRows } from './tile';
import { gradientTransform, inputTransform, weightTransform } from './transforms';

const patch = 4;
const size = patch + 2;
const places = size * size;
/** Most bytes of a chunk's sums M, and of its transformed tiles. */
const sumBytes = 320 << 10;
const tileBytes = 256 << 10;
const maxTiles = 64;
/** Most bytes of a split sum's parts; multiplications (of the plain sum) that make a part worth its while. */
const partBytes = 16 << 20;
const chunkWork = 1 << 20;
const wantedChunks = 32;

export function winogradWeight(kernel: ConvKernel, target: Target): CpuKernel {
  const { sizes } = kernel;
  const { n, groups } = sizes;
  const [channels, made] = [sizes.c / groups, sizes.o / groups];
  const [, inputHeight, inputWidth] = three(sizes.input, 1);
  const [, height, width] = three(sizes.output, 1);
  const [, paddingY, paddingX] = three(sizes.padding, 0);
  const [tilesY, tilesX] = [Math.ceil(height / patch), Math.ceil(width / patch)];
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratch = new Scratch();
  const x = operandOf(module, kernel, kernel.a, [n, sizes.c, ...sizes.input], 'image', scratch, phases);
  const g = operandOf(module, kernel, kernel.b, [n, sizes.o, ...sizes.output], 'gradient', scratch, phases);
  const madd = multiplyAdd('float32', target.relaxed);

  // blocks of results, such that M stays in the second-level cache
  const even = (total: number, most: number, step: number) =>
    Math.min(total, step * Math.ceil(total / Math.ceil(total / most) / step));
  const mostPairs = sumBytes / (4 * places);
  const channelBlock = even(channels, Math.max(32, Math.floor(mostPairs / made)), tileColumns);
  const block = even(made, Math.max(tileRows, Math.floor(mostPairs / channelBlock)), tileRows);
  const [channelBlocks, blocks] = [Math.ceil(channels / channelBlock), Math.ceil(made / block)];
  const [octets, quads] = [Math.ceil(channelBlock / tileColumns), Math.ceil(block / tileRows)];
  // a term: some rows of tiles of an image; several terms are transformed before they are multiplied
  const most = Math.max(tileColumns, Math.min(maxTiles, Math.floor(tileBytes / (4 * places * (channelBlock + block)))));
  const rows = Math.max(1, Math.min(tilesY, Math.floor(most / tilesX)));
  const rowParts = Math.ceil(tilesY / rows);
  const batch = Math.max(1, Math.floor(most / (rows * tilesX)));
  const terms = n * rowParts;
  const results = groups * made * channels * 9;
  const work = terms * rows * patch * width * results;
  const parts = Math.max(
    1,
    Math.min(
      Math.ceil(terms / batch),
      Math.ceil(wantedChunks / (groups * blocks * channelBlocks)),
      Math.floor(work / chunkWork),
      Math.floor(partBytes / (4 * results)),
    ),
  );
  const partial = scratch.reserve(4 * parts * results);

  const planes = (source: typeof x, y: PlaneAxis, xs: PlaneAxis, reach: number): PlaneShape => {
    const depth: PlaneAxis = { size: 1, step: 1, phases: [0], before: 0, spread: 1 };
    const shape = {
      depth,
      y,
      x: xs,
      slices: [{ phase: 0, ahead: 0 }],
      rows: patch * rows + reach,
      width: patch * tilesX + 2 * reach,
    };
    const [, sourceChannel, sourceSlice, sourceRow] = source.strides;
    return { ...shape, channel: channelSize(planeElements(shape)), sourceChannel, sourceSlice, sourceRow };
  };
  const planesX = planes(
    x,
    planeAxis(inputHeight, 3, 1, 1, paddingY).axis,
    planeAxis(inputWidth, 3, 1, 1, paddingX).axis,
    2,
  );
  const planesG = planes(g, planeAxis(height, 1, 1, 1, 0).axis, planeAxis(width, 1, 1, 1, 0).axis, 0);

  // thread scratch. V: [8 c][place][tile][8], U: [4 o][place][tile][4], M: [4 o][8 c][place][4][8]
  const own = new Scratch();
  const tiles = batch * rows * tilesX;
  const [placeV, placeU] = [4 * channelSize(tileColumns * tiles), 4 * channelSize(tileRows * tiles)];
  const [atV, atU] = [own.reserve(octets * places * placeV), own.reserve(quads * places * placeU)];
  const productBytes = 128 * places;
  const atM = own.reserve(quads * octets * productBytes);
  // what a transform keeps between its passes, and room for the results of lanes that stand for no channel
  const atPass = own.reserve(16 * places + 64);
  const atX = own.reserve(4 * planesX.channel * channelBlock);
  const atG = own.reserve(4 * planesG.channel * block);

  const packX = packPlanes(module, planesX);
  const packG = packPlanes(module, planesG);
  const transformX = inputTransform(module, size, planesX.width, placeV, madd);
  const transformG = gradientTransform(module, size, planesG.width, placeU, madd);
  const transformW = weightTransform(module, size, madd);
  const products = tileProducts(module, places, { placeU, placeV, add: true }, madd);

  const f = module.func(['i32', 'i32', 'i32'], [], 'multiply');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const names = f.locals('i32', 24);
  const [rest, part, group, o0, count, c0, channelCount, mine] = names.slice(0, 8) as Eight;
  const [term, until, ni, y, terms1, done, i, j] = names.slice(8, 16) as Eight;
  const [c, t, from, to, at, toPart, row, col] = names.slice(16, 24) as Eight;
  const lanes = f.locals('i32', 4);
  const digit = (into: Local, of: number): Code => [set(into, i32.rem_u(rest, of)), set(rest, i32.div_u(rest, of))];
  const least = (into: Local, value: Arg, limit: Arg): Code => [
    set(into, value),
    when(i32.gt_s(into, limit), set(into, limit)),
  ];
  const my = (offset: number): Code => i32.add(mine, offset);
  /** Transforms the tiles of all channels of planes: four channels a vector, the last again where there are no four. */
  const transformAll = (
    planeAt: number,
    shape: PlaneShape,
    many: Local,
    into: (channel: Local) => Code,
    step: number,
    call: (to: Local) => Code,
  ): Code =>
    loop(c, 0, many, 4, [
      lanes.map((lane, l) => [
        least(lane, i32.add(c, l), i32.sub(many, 1)),
        set(lane, i32.add(my(planeAt), i32.mul(lane, 4 * shape.channel))),
      ]),
      set(to, i32.add(into(c), i32.mul(done, step))),
      loop(row, 0, rows, 1, [
        loop(col, 0, tilesX, 1, [
          call(to),
          set(to, i32.add(to, step)),
          lanes.map((lane) => set(lane, i32.add(lane, 4 * patch))),
        ]),
        lanes.map((lane) => set(lane, i32.add(lane, 4 * patch * (shape.width - tilesX)))),
      ]),
    ]);
  f.emit(
    set(mine, i32.load(args, 4 * words.threadScratch)),
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
      set(at, my(atM)),
      loop(i, 0, (quads * octets * productBytes) / 16, 1, [v128.store(at, i32x4.const(0)), set(at, i32.add(at, 16))]),
      set(until, splitPoint(i32.add(part, 1), terms, parts)),
      set(term, splitPoint(part, terms, parts)),
      repeat(
        least(terms1, i32.sub(until, term), batch),
        set(done, 0),
        loop(t, 0, terms1, 1, [
          set(rest, i32.add(term, t)),
          digit(y, rowParts),
          set(y, i32.mul(y, patch * rows)),
          set(ni, rest),
          packX.call(x.at(args, ni, i32.add(i32.mul(group, channels), c0)), my(atX), channelCount, y, 0),
          packG.call(g.at(args, ni, i32.add(i32.mul(group, made), o0)), my(atG), count, y, 0),
          transformAll(
            atX,
            planesX,
            channelCount,
            (channel) =>
              i32.add(
                my(atV),
                i32.add(i32.mul(i32.shr_u(channel, 3), places * placeV), i32.shl(i32.and(channel, 4), 2)),
              ),
            4 * tileColumns,
            (v) => transformX.call(...lanes, v, my(atPass)),
          ),
          transformAll(
            atG,
            planesG,
            count,
            (channel) => i32.add(my(atU), i32.mul(i32.shr_u(channel, 2), places * placeU)),
            4 * tileRows,
            (u) => transformG.call(...lanes, u, my(atPass)),
          ),
          set(done, i32.add(done, rows * tilesX)),
        ]),
        set(at, my(atM)),
        loop(i, 0, i32.shr_u(i32.add(count, tileRows - 1), 2), 1, [
          loop(j, 0, octets, 1, [
            products.call(
              i32.add(my(atU), i32.mul(i, places * placeU)),
              i32.add(my(atV), i32.mul(j, places * placeV)),
              at,
              done,
            ),
            set(at, i32.add(at, productBytes)),
          ]),
        ]),
        set(term, i32.add(term, terms1)),
        brIf(0, i32.lt_s(term, until)),
      ),
      // w of each pair, to this part's place
      set(
        toPart,
        i32.add(
          i32.add(i32.load(args, 4 * words.sharedScratch), partial),
          i32.mul(i32.mul(i32.add(i32.mul(part, groups), group), made), 36 * channels),
        ),
      ),
      loop(i, 0, count, 1, [
        loop(j, 0, channelCount, 4, [
          set(
            from,
            i32.add(
              my(atM),
              i32.add(
                i32.mul(i32.add(i32.mul(i32.shr_u(i, 2), octets), i32.shr_u(j, 3)), productBytes),
                i32.add(i32.shl(i32.and(i, 3), 5), i32.shl(i32.and(j, 4), 2)),
              ),
            ),
          ),
          lanes.map((lane, l) => [
            set(lane, i32.add(j, l)),
            set(lane, i32.add(toPart, i32.mul(i32.add(i32.mul(i32.add(o0, i), channels), i32.add(c0, lane)), 36))),
            // lanes behind the last channel write where nobody reads
            when(i32.ge_s(i32.add(j, l), channelCount), set(lane, my(atPass + 16 * places))),
          ]),
          transformW.call(from, ...lanes, my(atPass)),
        ]),
      ]),
    ]),
  );
  phases.push({ name: 'multiply', chunks: groups * blocks * channelBlocks * parts });
  phases.push(storeParts(module, kernel, { parts, results, partial }));
  return { bytes: module.bytes(), phases, sharedScratch: scratch.bytes, threadScratch: own.bytes };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];
