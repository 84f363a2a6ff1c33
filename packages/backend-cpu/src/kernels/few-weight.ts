/**
 * The gradient of many weights over few tiles: short sums for each of many results, so both operands are transformed once, to shared
 * scratch, and a result is written where it belongs as soon as its sum is made.
 *
 *      images      V: [8 c][place][tile][8] of x
 *      gradients   U: [4 o][place][tile][4] of g       patches that hang over an edge are zero there
 *      multiply    a chunk makes some o × some c: for each 4 o × 8 c, M = U·V over all tiles, and w from M
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
  set,
  type Target,
  when,
} from '../assembler';
import { argWords } from '../expression';
import { operandOf, type Planar, Scratch, three } from './operands';
import { storeParts } from './parts';
import { channelSize, type PlaneAxis, type PlaneShape, packPlanes, planeAxis, planeElements } from './planes';
import { gridOf, type WeightScheme } from './schemes';
import { isBareStore } from './stores';
import { multiplyAdd, tileColumns, tileProducts, tileRows } from './tile';

/** Channels that a chunk transforms. */
const packedChannels = 16;
/** Most bytes of a chunk's part of V, which stays in the second-level cache. */
const imageBytes = 256 << 10;
const wantedChunks = 32;

export function fewWeight(kernel: ConvKernel, target: Target, scheme: WeightScheme): CpuKernel {
  const { sizes } = kernel;
  const { n, groups } = sizes;
  const [channels, made] = [sizes.c / groups, sizes.o / groups];
  const [, inputHeight, inputWidth] = three(sizes.input, 1);
  const [, height, width] = three(sizes.output, 1);
  const [, paddingY, paddingX] = three(sizes.padding, 0);
  const { down, across } = gridOf(scheme, height, width);
  const { places, padded } = scheme;
  const [patch] = scheme.tile;
  const [more] = scheme.more;
  const tiles = n * down * across;
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratch = new Scratch();
  const x = operandOf(module, kernel, kernel.a, [n, sizes.c, ...sizes.input], 'image', scratch, phases);
  const g = operandOf(module, kernel, kernel.b, [n, sizes.o, ...sizes.output], 'gradient', scratch, phases);
  const madd = multiplyAdd('float32', target.relaxed);
  const [octets, quads] = [Math.ceil(channels / tileColumns), made / tileRows];
  const [placeV, placeU] = [4 * channelSize(tileColumns * tiles), 4 * channelSize(tileRows * tiles)];
  const [octet, quad] = [places * placeV, places * placeU];
  const [atV, atU] = [scratch.reserve(groups * octets * octet), scratch.reserve(groups * quads * quad)];
  const bare = isBareStore(kernel, kernel.stores);
  const results = groups * made * channels * 9;
  const partial = scratch.reserve(bare ? 0 : 4 * results);
  const shared = (args: Local, offset: number): Code => i32.add(i32.load(args, 4 * words.sharedScratch), offset);
  const least = (into: Local, value: Arg, most: number): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];

  /** Transforms all tiles of an operand, `vector` of its channels side by side. */
  const transformPhase = (
    name: string,
    operand: Planar,
    all: number,
    [y, xs]: readonly [PlaneAxis, PlaneAxis],
    extra: number,
    vector: 4 | 8,
    to: { readonly offset: number; readonly panel: number; readonly place: number },
    transformOf: WeightScheme['gradient'],
  ): number => {
    const depth: PlaneAxis = { size: 1, step: 1, phases: [0], before: 0, spread: 1 };
    const wide = patch * across + 2 * extra;
    const rows = patch * down + extra;
    const shape0 = { depth, y, x: xs, slices: [{ phase: 0, ahead: 0 }], rows, width: 4 * Math.ceil(wide / 4) };
    const [, sourceChannel, sourceSlice, sourceRow] = operand.strides;
    const channel = channelSize(planeElements(shape0));
    const shape: PlaneShape = { ...shape0, channel, sourceChannel, sourceSlice, sourceRow };
    const own = new Scratch();
    const atPass = own.reserve(16 * places);
    const atPlanes = own.reserve(4 * channel * packedChannels);
    const pack = packPlanes(module, shape);
    const transform = transformOf(module, shape.width, to.place, madd);
    const panels = Math.ceil(all / vector);
    const f = module.func(['i32', 'i32', 'i32'], [], name);
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const [mine, group, c0, many, i, c, ty, tx] = f.locals('i32', 8) as Eight;
    const [put, base] = f.locals('i32', 2) as [Local, Local];
    const from = f.locals('i32', 4);
    const blocks = Math.ceil(all / packedChannels);
    const my = (offset: number): Code => i32.add(mine, offset);
    const move = (elements: number) => from.map((lane) => set(lane, i32.add(lane, 4 * elements)));
    f.emit(
      set(mine, i32.load(args, 4 * words.threadScratch)),
      loop(lo, lo, hi, 1, [
        set(group, i32.div_u(lo, blocks)),
        set(c0, i32.mul(i32.rem_u(lo, blocks), packedChannels)),
        least(many, i32.sub(all, c0), packedChannels),
        set(
          base,
          i32.add(shared(args, to.offset), i32.mul(i32.add(i32.mul(group, panels), i32.div_u(c0, vector)), to.panel)),
        ),
        loop(i, 0, n, 1, [
          pack.call(operand.at(args, i, i32.add(i32.mul(group, all), c0)), my(atPlanes), many, 0, 0),
          loop(c, 0, many, 4, [
            from.map((lane, l) => set(lane, i32.add(my(atPlanes), i32.mul(i32.add(c, l), 4 * channel)))),
            set(
              put,
              i32.add(
                i32.add(base, i32.add(i32.mul(i32.div_u(c, vector), to.panel), i32.shl(i32.rem_u(c, vector), 2))),
                i32.mul(i, 4 * vector * down * across),
              ),
            ),
            loop(ty, 0, down, 1, [
              loop(tx, 0, across, 1, [
                transform.call(...from, put, my(atPass)),
                set(put, i32.add(put, 4 * vector)),
                move(patch),
              ]),
              move(patch * (shape.width - across)),
            ]),
          ]),
        ]),
      ]),
    );
    phases.push({ name, chunks: groups * blocks });
    return own.bytes;
  };

  const multiplyPhase = (): number => {
    const most = Math.max(1, Math.floor(imageBytes / octet));
    const channelBlock = tileColumns * Math.ceil(octets / Math.ceil(octets / most));
    const channelBlocks = Math.ceil(channels / channelBlock);
    const wanted = Math.ceil(wantedChunks / (groups * channelBlocks));
    const block = tileRows * Math.ceil(quads / Math.min(wanted, quads));
    const blocks = Math.ceil(made / block);
    const own = new Scratch();
    const atPass = own.reserve(16 * places);
    const atM = own.reserve(128 * places);
    const products = tileProducts(module, places, { placeU, placeV, add: false }, madd);
    const transform = scheme.nines(module, madd);
    const f = module.func(['i32', 'i32', 'i32'], [], 'multiply');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const [mine, rest, group, o, o1, c, c0, c1] = f.locals('i32', 8) as Eight;
    const [i, u, v, from] = f.locals('i32', 4) as [Local, Local, Local, Local];
    const to = f.locals('i32', 4);
    const my = (offset: number): Code => i32.add(mine, offset);
    const digit = (into: Local, of: number): Code => [set(into, i32.rem_u(rest, of)), set(rest, i32.div_u(rest, of))];
    const result = (args: Local): Code =>
      bare ? i32.load(args, 4 * words.output(kernel.stores[0]?.output ?? 0)) : shared(args, partial);
    f.emit(
      set(mine, i32.load(args, 4 * words.threadScratch)),
      loop(lo, lo, hi, 1, [
        set(rest, lo),
        digit(o, blocks),
        set(o, i32.mul(o, block)),
        digit(c0, channelBlocks),
        set(c0, i32.mul(c0, channelBlock)),
        set(group, rest),
        least(o1, i32.add(o, block), made),
        least(c1, i32.add(c0, channelBlock), channels),
        loop(o, o, o1, tileRows, [
          set(u, i32.add(shared(args, atU), i32.mul(i32.add(i32.mul(group, quads), i32.shr_u(o, 2)), quad))),
          set(v, i32.add(shared(args, atV), i32.mul(i32.add(i32.mul(group, octets), i32.shr_u(c0, 3)), octet))),
          loop(c, c0, c1, tileColumns, [
            products.call(u, v, my(atM), tiles),
            set(v, i32.add(v, octet)),
            loop(i, 0, tileRows, 1, [
              set(from, i32.add(my(atM), i32.shl(i, 5))),
              set(rest, i32.add(i32.mul(i32.add(i32.add(i32.mul(group, made), o), i), channels), c)),
              set(rest, i32.add(result(args), i32.mul(rest, 36))),
              to.map((row, l) => set(row, i32.add(rest, 36 * l))),
              transform.call(from, ...to, my(atPass)),
              // the last eight channels may be four
              when(i32.lt_s(i32.add(c, 4), c1), [
                to.map((row) => set(row, i32.add(row, 4 * 36))),
                transform.call(i32.add(from, 16), ...to, my(atPass)),
              ]),
            ]),
          ]),
        ]),
      ]),
    );
    phases.push({ name: 'multiply', chunks: groups * blocks * channelBlocks });
    return own.bytes;
  };

  const own = (size: number): PlaneAxis => ({ size, step: 1, phases: [0], before: 0, spread: 1 });
  const axis = (size: number, padding: number) => (padded ? planeAxis(size, 3, 1, 1, padding).axis : own(size));
  const axesX = [axis(inputHeight, paddingY), axis(inputWidth, paddingX)] as const;
  const toV = { offset: atV, panel: octet, place: placeV };
  const toU = { offset: atU, panel: quad, place: placeU };
  const bytes = [
    transformPhase('images', x, channels, axesX, more, tileColumns, toV, (...args) => scheme.image(...args, 0)),
    transformPhase('gradients', g, made, [own(height), own(width)], 0, tileRows, toU, scheme.gradient),
    multiplyPhase(),
  ];
  if (!bare) phases.push(storeParts(module, kernel, { parts: 1, results, partial }));
  return { bytes: module.bytes(), phases, sharedScratch: scratch.bytes, threadScratch: Math.max(...bytes) };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];
