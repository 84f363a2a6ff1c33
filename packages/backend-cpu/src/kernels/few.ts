/**
 * Convolutions of few tiles with many weights (small maps, many channels): the weights are most of the bytes and all of their
 * transforms most of the work, so each is read once, transformed where it is used, and never written out.
 *
 *      image      V of all tiles, once, to shared scratch: [8 tiles][place][c][8]
 *      convolve   a chunk makes some output channels of all tiles. For each block of c (▒):
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
import { gridOf, type Scheme } from './schemes';
import { isBareStore } from './stores';
import { multiplyAdd, tileProducts, tileRows } from './tile';
import { loadNines } from './transforms';

/** Most bytes of a chunk's transformed weights. */
const weightBytes = 160 << 10;
/** Most output channels of a chunk, and chunks to aim at, so that workers find enough to share. */
const maxBlock = 32;
const wantedChunks = 16;
/** Channels whose images are transformed by one chunk. */
const imageChannels = 16;

export function few(kernel: ConvKernel, target: Target, scheme: Scheme): CpuKernel {
  const problem = problemOf(kernel);
  const backward = kernel.direction === 'inputGrad';
  const { n, groups, channels, made, input, output } = problem;
  const [, height, width] = output;
  const { places } = scheme;
  const { down, across } = gridOf(scheme, height, width);
  const tiles = n * down * across;
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratch = new Scratch();
  const imageDomain = [n, groups * channels, ...input.slice(1)];
  const image = operandOf(module, kernel, problem.image, imageDomain, 'image', scratch, phases);
  const weightDomain = [kernel.sizes.o, kernel.sizes.c / groups, 3, 3];
  const weight = operandOf(module, kernel, problem.weight, weightDomain, 'weight', scratch, phases);
  const madd = multiplyAdd('float32', target.relaxed);

  // up to four tiles take one vector, more take two
  const lanes = tiles <= 4 ? 4 : 8;
  const tilePanels = Math.ceil(tiles / lanes);
  const placeV = 4 * channelSize(lanes * channels);
  const tilePanel = places * placeV;
  const groupV = tilePanels * tilePanel;
  const atV = scratch.reserve(groups * groupV);

  /** A word for each tile: what `word` makes of its image, row and column. The last one again fills up the last panel. */
  const tileTable = (f: Func, table: Code, word: (image: Local, y: Local, x: Local) => Code): Code => {
    const [i, ty, tx, y, x, put] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
    const least = (into: Local, tile: Local, size: number): Code => [
      set(into, i32.mul(tile, scheme.made)),
      when(i32.gt_s(into, size - scheme.made), set(into, size - scheme.made)),
    ];
    return [
      set(put, table),
      loop(i, 0, n, 1, [
        loop(ty, 0, down, 1, [
          least(y, ty, height),
          loop(tx, 0, across, 1, [least(x, tx, width), i32.store(put, word(i, y, x)), set(put, i32.add(put, 4))]),
        ]),
      ]),
      Array.from({ length: tilePanels * lanes - tiles }, (_, k) => i32.store(put, i32.load(i32.sub(put, 4)), 4 * k)),
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
    const atPlanes = own.reserve(n * planeOfImage);
    const pack = packPlanes(module, shape);
    const transform = scheme.image(module, shape.width, placeV, madd);
    const f = module.func(['i32', 'i32', 'i32'], [], 'image');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const [mine, group, c0, many, i, t, c, v] = f.locals('i32', 8) as Eight;
    const from = f.locals('i32', 4);
    const blocks = Math.ceil(channels / imageChannels);
    const my = (offset: number): Code => i32.add(mine, offset);
    f.emit(
      set(mine, i32.load(args, 4 * words.threadScratch)),
      tileTable(f, my(atTable), (image, y, x) =>
        i32.add(i32.mul(image, planeOfImage), i32.shl(i32.add(i32.mul(y, shape.width), x), 2)),
      ),
      loop(lo, lo, hi, 1, [
        set(group, i32.div_u(lo, blocks)),
        set(c0, i32.mul(i32.rem_u(lo, blocks), imageChannels)),
        least(many, i32.sub(channels, c0), imageChannels),
        loop(
          i,
          0,
          n,
          1,
          pack.call(
            image.at(args, i, i32.add(i32.mul(group, channels), c0)),
            i32.add(my(atPlanes), i32.mul(i, planeOfImage)),
            many,
            0,
            0,
          ),
        ),
        loop(t, 0, tilePanels * lanes, 4, [
          from.map((tile, l) => set(tile, i32.add(my(atPlanes), i32.load(i32.add(my(atTable), i32.shl(t, 2)), 4 * l)))),
          set(
            v,
            i32.add(
              i32.add(shared(args, atV), i32.add(i32.mul(group, groupV), i32.mul(i32.div_u(t, lanes), tilePanel))),
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
    phases.push({ name: 'image', chunks: groups * blocks });
    return own.bytes;
  };

  const convolvePhase = (): number => {
    const fair = tileRows * Math.ceil((groups * made) / wantedChunks / tileRows);
    const block = Math.max(tileRows, Math.min(maxBlock, made, fair));
    const blocks = Math.ceil(made / block);
    const panels = block / tileRows;
    const most = Math.max(4, Math.floor(weightBytes / (16 * places * panels)));
    const channelBlock = 4 * Math.ceil(channels / Math.ceil(channels / most) / 4);
    const bare = isBareStore(kernel, kernel.stores);
    // U: [4 o][place][o][c], of the input's gradient [4 c made][place][o][c]: four weights that are neighbours, in either
    const placeU = 16 * channelBlock;
    const panelU = places * placeU + 64;
    const panelM = 128 * places;
    const cRow = bare ? 4 * height * width : 4 * n * height * width;
    const own = new Scratch();
    const atTable = own.reserve(tableBytes);
    const atPass = own.reserve(16 * places);
    const atU = own.reserve(panels * panelU);
    const atM = own.reserve(panels * tilePanels * panelM);
    const atC = own.reserve(bare ? 0 : tileRows * cRow);
    const weights = weightFunc(module, scheme, placeU, backward ? panelU : 16, backward, madd);
    const layout = backward ? {} : { rowU: 4 * channelBlock, stepU: 4 };
    const products = tileProducts(module, places, { placeU, placeV, ...layout, vectors: lanes / 4, add: true }, madd);
    const transform = scheme.output(module, 4 * width, madd);

    const f = module.func(['i32', 'i32', 'i32'], [], 'convolve');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const scope: Scope = { module, f, args, kernel };
    const [mine, group, o0, count, c0, many, i, t] = f.locals('i32', 8) as Eight;
    const [o, put, at, toC, channel, start, length, lane] = f.locals('i32', 8) as Eight;
    const to = f.locals('i32', 4);
    const my = (offset: number): Code => i32.add(mine, offset);
    const groupChannel = (size: number, place: Local): Code => i32.add(i32.mul(group, size), place);
    f.emit(
      set(mine, i32.load(args, 4 * words.threadScratch)),
      tileTable(f, my(atTable), (image, y, x) =>
        i32.shl(i32.add(i32.mul(image, (bare ? groups * made : 1) * height * width), i32.add(i32.mul(y, width), x)), 2),
      ),
      loop(lo, lo, hi, 1, [
        set(group, i32.div_u(lo, blocks)),
        set(o0, i32.mul(i32.rem_u(lo, blocks), block)),
        least(count, i32.sub(made, o0), block),
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
          set(at, my(atM)),
          set(put, my(atU)),
          loop(i, 0, count, tileRows, [
            loop(t, 0, tilePanels, 1, [
              products.call(
                put,
                i32.add(
                  i32.add(shared(args, atV), i32.mul(group, groupV)),
                  i32.add(i32.mul(t, tilePanel), i32.mul(c0, 4 * lanes)),
                ),
                at,
                many,
              ),
              set(at, i32.add(at, panelM)),
            ]),
            set(put, i32.add(put, panelU)),
          ]),
        ]),
        set(at, my(atM)),
        loop(o, o0, i32.add(o0, count), tileRows, [
          set(channel, groupChannel(made, o)),
          bare
            ? set(
                toC,
                i32.add(
                  i32.load(args, 4 * words.output(kernel.stores[0]?.output ?? 0)),
                  i32.mul(channel, 4 * height * width),
                ),
              )
            : set(toC, my(atC)),
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
            set(at, i32.add(at, panelM)),
          ]),
          bare
            ? []
            : loop(i, 0, tileRows, 1, [
                loop(lane, 0, n, 1, [
                  set(put, i32.add(toC, i32.add(i32.mul(i, cRow), i32.mul(lane, 4 * height * width)))),
                  set(c0, i32.add(channel, i)),
                  set(start, 0),
                  set(length, height * width),
                  emitStores(scope, kernel.stores, {
                    domain: [n, groups * made, height, width],
                    outer: [lane, c0],
                    start,
                    count: length,
                    acc: [put],
                  }),
                ]),
              ]),
        ]),
      ]),
    );
    phases.push({ name: 'convolve', chunks: groups * blocks });
    return own.bytes;
  };

  const bytes = [imagePhase(), convolvePhase()];
  return { bytes: module.bytes(), phases, sharedScratch: scratch.bytes, threadScratch: Math.max(...bytes) };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];

/** Planes of whole maps: padded where tiles read more than they make. */
function planesOf(
  problem: ReturnType<typeof problemOf>,
  { more }: Scheme,
  image: Planar,
  height: number,
  width: number,
): PlaneShape {
  const own = (size: number): PlaneAxis => ({ size, step: 1, phases: [0], before: 0, spread: 1 });
  const shape = {
    depth: problem.depth.plane,
    y: more ? problem.y.plane : own(height),
    x: more ? problem.x.plane : own(width),
    slices: [{ phase: 0, ahead: 0 }],
    rows: height + more,
    width: 4 * Math.ceil((width + more) / 4),
  };
  const [, sourceChannel, sourceSlice, sourceRow] = image.strides;
  return { ...shape, channel: channelSize(planeElements(shape)), sourceChannel, sourceSlice, sourceRow };
}

/** (from, put, count): transforms the taps of `count` channels, 36 bytes apart, four at a time; each four's go `step` bytes on. */
function weightFunc(
  module: Module,
  scheme: Scheme,
  placeBytes: number,
  step: number,
  backward: boolean,
  madd: ReturnType<typeof multiplyAdd>,
): Func {
  const f = module.func(['i32', 'i32', 'i32']);
  const [from, put, count] = f.params as [Local, Local, Local];
  const i = f.local('i32');
  const taps = f.locals('v128', 9);
  const spare = f.locals('v128', 4);
  f.emit(
    loop(i, 0, count, 4, [
      loadNines(from, taps, spare),
      set(from, i32.add(from, 144)),
      // the input's gradient counts the taps from the last
      scheme.weight(f, put, backward ? [...taps].reverse() : taps, placeBytes, step, madd),
    ]),
  );
  return f;
}
