/**
 * Convolutions of few tiles with many weights (small maps, many channels; lines): the weights are most of the bytes and their
 * transforms much of the work, so each is read once, transformed where it is used, and never written out.
 *
 *      image      V of all tiles, once, to shared scratch: [8 tiles][place][part][c][8]
 *      convolve   a chunk makes some output channels of the tiles of some images. For each block of c (▒):
 *
 *            c                            U = transformed weights of the block, in the second-level cache
 *        ┌───┬▒▒▒┬───┐     ┌─ tiles ─┐    M[o, tile] += U·V for each place
 *      o │   │▒▒▒│   │   c │▒▒▒▒▒▒▒▒▒│    last, y of each o and tile from its M
 *        └───┴▒▒▒┴───┘     └─────────┘
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import {
  type Arg,
  type Code,
  type CpuKernel,
  type Func,
  i32,
  i32x4,
  type Local,
  loop,
  Module,
  set,
  type Target,
  v128,
  when,
} from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { operandOf, type Planar, Scratch } from './operands';
import { channelSize, type PlaneAxis, type PlaneShape, packPlanes, planeElements } from './planes';
import { problemOf } from './problem';
import { gridOf, type Scheme, type WeightPlaces } from './schemes';
import { isBareStore } from './stores';
import { multiplyAdd, tileProducts, tileRows } from './tile';
import { loadTaps } from './transforms';

/** Most bytes of a chunk's transformed weights. */
const weightBytes = 160 << 10;
/** Most output channels of a chunk, and chunks to aim at, so that workers find enough to share. */
const maxBlock = 32;
const wantedChunks = 16;
/** Channels whose images are transformed by one chunk, and most tiles of a block of images. */
const imageChannels = 16;
const blockTiles = 512;

export function few(kernel: ConvKernel, target: Target, scheme: Scheme): CpuKernel {
  const problem = problemOf(kernel);
  const backward = kernel.direction === 'inputGrad';
  const { n, groups, channels, made, input, output } = problem;
  const [, height, width] = output;
  const { places, parts } = scheme;
  const { down, across } = gridOf(scheme, height, width);
  const imageBlocks = Math.ceil(n / Math.max(1, Math.floor(blockTiles / (down * across))));
  const images = Math.ceil(n / imageBlocks);
  const tiles = images * down * across;
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratch = new Scratch();
  const imageDomain = [n, groups * channels, ...input.slice(1)];
  const image = operandOf(module, kernel, problem.image, imageDomain, 'image', scratch, phases);
  const weightDomain = [kernel.sizes.o, kernel.sizes.c / groups, ...kernel.sizes.kernel];
  const weight = operandOf(module, kernel, problem.weight, weightDomain, 'weight', scratch, phases);
  const madd = multiplyAdd('float32', target.relaxed);

  // up to four tiles take one vector, more take two
  const lanes = tiles <= 4 ? 4 : 8;
  const tilePanels = Math.ceil(tiles / lanes);
  const partV = 4 * lanes * channels;
  const placeV = 4 * channelSize((partV * parts) / 4);
  const tilePanel = places * placeV;
  const blockV = tilePanels * tilePanel;
  const atV = scratch.reserve(groups * imageBlocks * blockV);

  /** A word for each tile of a block: what `word` makes of its image, row and column. The last panel is filled up with the last one. */
  const tileTable = (f: Func, table: Code, count: Local, word: (image: Local, y: Local, x: Local) => Code): Code => {
    const [i, ty, tx, y, x, put, end] = f.locals('i32', 7) as Seven;
    const place = (into: Local, tile: Local, axis: 0 | 1, size: number): Code =>
      least(into, i32.mul(tile, scheme.tile[axis]), size - scheme.tile[axis]);
    return [
      set(put, table),
      set(end, i32.add(put, tableBytes)),
      loop(i, 0, count, 1, [
        loop(ty, 0, down, 1, [
          place(y, ty, 0, height),
          loop(tx, 0, across, 1, [place(x, tx, 1, width), i32.store(put, word(i, y, x)), set(put, i32.add(put, 4))]),
        ]),
      ]),
      loop(put, put, end, 4, i32.store(put, i32.load(i32.sub(put, 4)))),
    ];
  };
  const tableBytes = 4 * tilePanels * lanes;
  const shared = (args: Local, offset: number): Code => i32.add(i32.load(args, 4 * words.sharedScratch), offset);
  const least = (into: Local, value: Arg, most: number): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];

  const imagePhase = (): number => {
    const shape = planesOf(problem, scheme, image, height, width);
    const own = new Scratch();
    const atTable = own.reserve(tableBytes);
    const atPass = own.reserve(16 * places);
    const planeOfImage = 4 * shape.channel * imageChannels;
    const atPlanes = own.reserve(images * planeOfImage);
    const pack = packPlanes(module, shape);
    const transform = scheme.image(module, shape.width, placeV, madd, partV);
    const f = module.func(['i32', 'i32', 'i32'], [], 'image');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const [mine, rest, c0, many, i, t, c, v] = f.locals('i32', 8) as Eight;
    const [n0, count] = f.locals('i32', 2) as [Local, Local];
    const from = f.locals('i32', 4);
    const blocks = Math.ceil(channels / imageChannels);
    const my = (offset: number): Code => i32.add(mine, offset);
    f.emit(
      set(mine, i32.load(args, 4 * words.threadScratch)),
      loop(lo, lo, hi, 1, [
        set(c0, i32.mul(i32.rem_u(lo, blocks), imageChannels)),
        least(many, i32.sub(channels, c0), imageChannels),
        // the block of images, and of which group
        set(rest, i32.div_u(lo, blocks)),
        set(n0, i32.mul(i32.rem_u(rest, imageBlocks), images)),
        least(count, i32.sub(n, n0), images),
        tileTable(f, my(atTable), count, (image, y, x) =>
          i32.add(i32.mul(image, planeOfImage), i32.shl(i32.add(i32.mul(y, shape.width), x), 2)),
        ),
        set(t, i32.add(i32.mul(i32.div_u(rest, imageBlocks), channels), c0)),
        loop(
          i,
          0,
          count,
          1,
          pack.call(image.at(args, i32.add(n0, i), t), i32.add(my(atPlanes), i32.mul(i, planeOfImage)), many, 0, 0),
        ),
        loop(t, 0, tilePanels * lanes, 4, [
          from.map((tile, l) => set(tile, i32.add(my(atPlanes), i32.load(i32.add(my(atTable), i32.shl(t, 2)), 4 * l)))),
          set(
            v,
            i32.add(
              i32.add(shared(args, atV), i32.add(i32.mul(rest, blockV), i32.mul(i32.div_u(t, lanes), tilePanel))),
              i32.add(i32.shl(i32.rem_u(t, lanes), 2), i32.mul(c0, 4 * lanes)),
            ),
          ),
          loop(c, 0, many, 1, [
            transform.call(...from, v, my(atPass)),
            from.map((tile) => set(tile, i32.add(tile, 4 * shape.channel))),
            set(v, i32.add(v, 4 * lanes)),
          ]),
        ]),
      ]),
    );
    phases.push({ name: 'image', chunks: groups * imageBlocks * blocks });
    return own.bytes;
  };

  const convolvePhase = (): number => {
    const fair = tileRows * Math.ceil((groups * imageBlocks * made) / wantedChunks / tileRows);
    const block = Math.max(tileRows, Math.min(maxBlock, made, fair));
    const blocks = Math.ceil(made / block);
    const panels = block / tileRows;
    const most = Math.max(4, Math.floor(weightBytes / (16 * places * parts * panels)));
    const channelBlock = 4 * Math.ceil(channels / Math.ceil(channels / most) / 4);
    const bare = isBareStore(kernel, kernel.stores);
    // U: [4 o][part][place][o][c], of the input's gradient [4 c][part][place][o][c]: four neighbours of a weight, in either
    const placeU = 16 * channelBlock;
    const partU = places * placeU;
    const panelU = parts * partU + 64;
    const panelM = 128 * places;
    const cRow = bare ? 4 * height * width : 4 * images * height * width;
    const own = new Scratch();
    const atTable = own.reserve(tableBytes);
    const atPass = own.reserve(16 * places);
    const atU = own.reserve(panels * panelU);
    const atM = own.reserve(panels * tilePanels * panelM);
    const atC = own.reserve(bare ? 0 : tileRows * cRow);
    const weights = weightFunc(
      module,
      scheme,
      { place: placeU, part: partU, step: backward ? panelU : 16 },
      backward,
      madd,
    );
    const layout = backward ? {} : { rowU: 4 * channelBlock, stepU: 4 };
    const products = tileProducts(module, places, { placeU, placeV, ...layout, vectors: lanes / 4, add: true }, madd);
    const transform = scheme.output(module, 4 * width, madd);

    const f = module.func(['i32', 'i32', 'i32'], [], 'convolve');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const scope: Scope = { module, f, args, kernel };
    const [mine, group, o0, count, c0, many, i, t] = f.locals('i32', 8) as Eight;
    const [o, put, at, toC, channel, start, length, lane] = f.locals('i32', 8) as Eight;
    const [rest, n0, many0, v] = f.locals('i32', 4) as [Local, Local, Local, Local];
    const to = f.locals('i32', 4);
    const my = (offset: number): Code => i32.add(mine, offset);
    const groupChannel = (size: number, place: Local): Code => i32.add(i32.mul(group, size), place);
    f.emit(
      set(mine, i32.load(args, 4 * words.threadScratch)),
      loop(lo, lo, hi, 1, [
        set(o0, i32.mul(i32.rem_u(lo, blocks), block)),
        least(count, i32.sub(made, o0), block),
        set(rest, i32.div_u(lo, blocks)),
        set(n0, i32.mul(i32.rem_u(rest, imageBlocks), images)),
        least(many0, i32.sub(n, n0), images),
        set(group, i32.div_u(rest, imageBlocks)),
        tileTable(f, my(atTable), many0, (image, y, x) =>
          i32.shl(
            i32.add(i32.mul(image, (bare ? groups * made : 1) * height * width), i32.add(i32.mul(y, width), x)),
            2,
          ),
        ),
        set(at, my(atM)),
        loop(i, 0, (panels * tilePanels * panelM) / 16, 1, [v128.store(at, i32x4.const(0)), set(at, i32.add(at, 16))]),
        loop(c0, 0, channels, channelBlock, [
          least(many, i32.sub(channels, c0), channelBlock),
          backward
            ? loop(i, 0, many, 1, [
                set(at, weight.at(args, i32.add(groupChannel(channels, c0), i), o0)),
                weights.call(at, i32.add(my(atU), i32.shl(i, 4)), count),
              ])
            : loop(i, 0, count, 1, [
                set(at, weight.at(args, i32.add(groupChannel(made, o0), i), c0)),
                set(
                  put,
                  i32.add(my(atU), i32.add(i32.mul(i32.shr_u(i, 2), panelU), i32.mul(i32.and(i, 3), 4 * channelBlock))),
                ),
                weights.call(at, put, many),
              ]),
          // a panel of V stays in the second-level cache for all channels made
          set(v, i32.add(shared(args, atV), i32.add(i32.mul(rest, blockV), i32.mul(c0, 4 * lanes)))),
          loop(t, 0, tilePanels, 1, [
            set(at, i32.add(my(atM), i32.mul(t, panels * panelM))),
            set(put, my(atU)),
            loop(i, 0, count, tileRows, [
              Array.from({ length: parts }, (_, part) =>
                products.call(i32.add(put, part * partU), i32.add(v, part * partV), at, many),
              ),
              set(at, i32.add(at, panelM)),
              set(put, i32.add(put, panelU)),
            ]),
            set(v, i32.add(v, tilePanel)),
          ]),
        ]),
        set(v, my(atM)),
        loop(o, o0, i32.add(o0, count), tileRows, [
          set(channel, groupChannel(made, o)),
          bare
            ? set(
                toC,
                i32.add(
                  i32.load(args, 4 * words.output(kernel.stores[0]?.output ?? 0)),
                  i32.mul(i32.add(i32.mul(n0, groups * made), channel), 4 * height * width),
                ),
              )
            : set(toC, my(atC)),
          set(at, v),
          set(v, i32.add(v, panelM)),
          loop(t, 0, tilePanels * lanes, lanes, [
            Array.from({ length: lanes / 4 }, (_, half) =>
              loop(i, 0, tileRows, 1, [
                to.map((tile, l) =>
                  set(
                    tile,
                    i32.add(
                      i32.add(toC, i32.mul(i, cRow)),
                      i32.load(i32.add(my(atTable), i32.shl(t, 2)), 4 * (4 * half + l)),
                    ),
                  ),
                ),
                transform.call(i32.add(at, i32.add(i32.shl(i, 5), 16 * half)), ...to, my(atPass)),
              ]),
            ),
            set(at, i32.add(at, panels * panelM)),
          ]),
          bare
            ? []
            : loop(i, 0, tileRows, 1, [
                loop(lane, 0, many0, 1, [
                  set(put, i32.add(toC, i32.add(i32.mul(i, cRow), i32.mul(lane, 4 * height * width)))),
                  set(c0, i32.add(channel, i)),
                  set(t, i32.add(n0, lane)),
                  set(start, 0),
                  set(length, height * width),
                  emitStores(scope, kernel.stores, {
                    domain: [n, groups * made, height, width],
                    outer: [t, c0],
                    start,
                    count: length,
                    acc: [put],
                  }),
                ]),
              ]),
        ]),
      ]),
    );
    phases.push({ name: 'convolve', chunks: groups * imageBlocks * blocks });
    return own.bytes;
  };

  const bytes = [imagePhase(), convolvePhase()];
  return { bytes: module.bytes(), phases, sharedScratch: scratch.bytes, threadScratch: Math.max(...bytes) };
}

type Eight = [Local, ...Seven];
type Seven = [Local, Local, Local, Local, Local, Local, Local];

/** Planes of whole maps: padded where tiles read more than they make. */
function planesOf(
  problem: ReturnType<typeof problemOf>,
  { more, padded }: Scheme,
  image: Planar,
  height: number,
  width: number,
): PlaneShape {
  const own = (size: number): PlaneAxis => ({ size, step: 1, phases: [0], before: 0, spread: 1 });
  const shape = {
    depth: problem.depth.plane,
    y: padded ? problem.y.plane : own(height),
    x: padded ? problem.x.plane : own(width),
    slices: [{ phase: 0, ahead: 0 }],
    rows: height + more[0],
    width: 4 * Math.ceil((width + more[1]) / 4),
  };
  const [, sourceChannel, sourceSlice, sourceRow] = image.strides;
  return { ...shape, channel: channelSize(planeElements(shape)), sourceChannel, sourceSlice, sourceRow };
}

/** (from, put, count): transforms the taps of `count` channels, which follow one another, four at a time. */
function weightFunc(
  module: Module,
  scheme: Scheme,
  to: WeightPlaces,
  backward: boolean,
  madd: ReturnType<typeof multiplyAdd>,
): Func {
  const f = module.func(['i32', 'i32', 'i32']);
  const [from, put, count] = f.params as [Local, Local, Local];
  const i = f.local('i32');
  const taps = f.locals('v128', scheme.taps);
  const spare = f.locals('v128', 4);
  f.emit(
    loop(i, 0, count, 4, [
      loadTaps(from, taps, spare),
      set(from, i32.add(from, 16 * scheme.taps)),
      // the input's gradient counts the taps from the last
      scheme.weight(f, put, backward ? [...taps].reverse() : taps, to, madd),
    ]),
  );
  return f;
}
