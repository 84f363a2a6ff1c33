/**
 * Winograd's F(m×m, 3×3) for 3×3 kernels of stride 1: m² outputs for (m + 2)² multiplications instead of 9·m².
 *
 *     x patch (m+2)²        V = Bᵀ·x·B for each channel c
 *     ┌──────┐              U = G·w·Gᵀ for each pair o, c (once)          n = m + 2
 *     │ ┌──┐ │   m × m      M = Σ_c U·V: n² products of matrices          4 o × 8 tiles at a time
 *     │ └──┘ │   outputs    y = Aᵀ·M·A for each o
 *     └──────┘
 *
 * Four tiles lie side by side in a vector, so the transforms are the same for all lanes; they need not be neighbours. Tiles
 * that would hang over an edge are moved back over their neighbours. The points 0, ±¾, ±1½, ∞ lose less than the usual
 * 0, ±1, ±2, ∞: at 64 channels a worst error of 0.5 against 1.7 units of 2⁻²⁴·√K·Σ|aₖbₖ|. `toleranceFactor` says what to allow.
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
import { argWords, emitStores, type Scope } from '../expression';
import { operandOf, Scratch, three } from './operands';
import { channelSize, type PlaneShape, packPlanes, planeElements } from './planes';
import { problemOf } from './problem';
import { isBareStore } from './stores';
import { multiplyAdd, tileColumns, tileProducts, tileRows } from './tile';
import { inputTransform, outputTransform, type Size, transformWeight } from './transforms';
import { weightPhase } from './weights';

/** Most bytes of a chunk's transformed tiles. */
const tileBytes = 256 << 10;
/** Chunks to aim at, so that workers find enough to share. */
const wantedChunks = 16;
const fewChunks = 8;

export function winograd(kernel: ConvKernel, target: Target, m: Size): CpuKernel {
  const problem = problemOf(kernel);
  const { n, groups, channels, made, input, output } = problem;
  const [, height, width] = output;
  const [tilesY, tilesX] = [Math.ceil(height / m), Math.ceil(width / m)];
  const size = m + 2;
  const words = argWords(kernel);
  const module = new Module({ shared: target.shared });
  const phases: { name: string; chunks: number }[] = [];
  const scratch = new Scratch();
  const weightDomain = [kernel.sizes.o, kernel.sizes.c / groups, 3, 3];
  const image = operandOf(
    module,
    kernel,
    problem.image,
    [n, groups * channels, ...input.slice(1)],
    'image',
    scratch,
    phases,
  );
  const weight = operandOf(module, kernel, problem.weight, weightDomain, 'weight', scratch, phases);
  const madd = multiplyAdd('float32', target.relaxed);

  // U: [panel of 4 o][place in the tile][c][4]
  const panelBytes = 16 * size * size * channels;
  const panels = Math.ceil(made / tileRows);
  const packed = scratch.reserve(groups * panels * panelBytes);
  phases.push(
    weightPhase(
      module,
      kernel,
      problem,
      weight,
      { offset: packed, panelBytes },
      transformWeight(m, 16 * channels, 16, kernel.direction === 'inputGrad', madd),
    ),
  );

  // a chunk: whole images, or some rows of tiles of one
  const most = Math.max(2 * tileColumns, Math.floor(tileBytes / (4 * size * size * channels)));
  const share = Math.max(tileColumns, Math.ceil((n * tilesY * tilesX) / wantedChunks));
  const tilesWanted = Math.min(most, share);
  const images = Math.max(1, Math.min(n, Math.floor(tilesWanted / (tilesY * tilesX))));
  let tileRowsOf = Math.max(1, Math.min(tilesY, Math.floor(tilesWanted / tilesX)));
  // the last chunk's rows must hold a whole tile, for tiles may not reach into the rows of another chunk
  while (tileRowsOf < tilesY && height % m && tilesY % tileRowsOf === 1 % tileRowsOf) tileRowsOf++;
  const rowParts = Math.ceil(tilesY / tileRowsOf);
  const imageParts = Math.ceil(n / images);
  // few tiles: share out the output channels as well, at the price of transforming the tiles again
  let blocks = 1;
  const blockOf = () => tileRows * Math.ceil(made / blocks / tileRows);
  while (imageParts * groups * rowParts * blocks < fewChunks && blockOf() > 8 * tileRows) blocks++;
  const block = blockOf();
  blocks = Math.ceil(made / block);
  const mostTiles = tileColumns * Math.ceil((images * tileRowsOf * tilesX) / tileColumns);
  const rowsOf = rowParts === 1 ? height : m * tileRowsOf;
  const shape0 = {
    depth: problem.depth.plane,
    y: problem.y.plane,
    x: problem.x.plane,
    slices: [{ phase: 0, ahead: 0 }],
    rows: rowsOf + 2,
    width: 4 * Math.ceil((width + 2) / 4),
  };
  const shape: PlaneShape = {
    ...shape0,
    channel: channelSize(planeElements(shape0)),
    sourceChannel: image.strides[1],
    sourceSlice: image.strides[2],
    sourceRow: image.strides[3],
  };
  const pack = packPlanes(module, shape);
  const bare = isBareStore(kernel, kernel.stores);
  const cRow = bare ? 4 * height * width : 4 * images * rowsOf * width;

  // thread scratch: V, M, what a transform keeps between its two passes, the places of tiles, C, planes
  const own = new Scratch();
  // V: [8 tiles][place][c][8], places an odd number of lines apart
  const placeBytes = 4 * channelSize(8 * channels);
  const tilePanel = size * size * placeBytes;
  const atV = own.reserve((mostTiles / tileColumns) * tilePanel);
  const atM = own.reserve(size * size * 16 * 8);
  const atPass = own.reserve(16 * size * size);
  const atTiles = own.reserve(8 * mostTiles);
  const atC = own.reserve(bare ? 0 : tileRows * cRow);
  const planeOfImage = 4 * shape.channel * channels;
  const atPlanes = own.reserve(images * planeOfImage);

  const transformIn = inputTransform(module, size, shape.width, placeBytes, madd);
  const transformOut = outputTransform(module, m, 4 * width, madd);
  const products = tileProducts(module, size * size, { placeU: 16 * channels, placeV: placeBytes, add: false }, madd);

  const f = module.func(['i32', 'i32', 'i32'], [], 'convolve');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const names = f.locals('i32', 24);
  const [rest, group, n0, count, k0, rows, y0, tiles] = names.slice(0, 8) as Eight;
  const [t, c, o, v, at, from, x, y] = names.slice(8, 16) as Eight;
  const [i, lane, toC, panel, length, start, channel, mine] = names.slice(16) as Eight;
  const places = f.locals('i32', 4);
  const [o0, o1] = f.locals('i32', 2) as [Local, Local];
  const digit = (into: Local, of: number): Code => [set(into, i32.rem_u(rest, of)), set(rest, i32.div_u(rest, of))];
  const least = (into: Local, value: Arg, limit: Arg): Code => [
    set(into, value),
    when(i32.gt_s(into, limit), set(into, limit)),
  ];
  const my = (offset: number): Code => i32.add(mine, offset);
  const lanes = (word: number, base: Arg): Code =>
    places.map((place, l) => set(place, i32.add(base, i32.load(at, 8 * l + 4 * word))));
  f.emit(
    set(mine, i32.load(args, 4 * words.threadScratch)),
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      digit(o0, blocks),
      set(o0, i32.mul(o0, block)),
      least(o1, i32.add(o0, block), made),
      digit(k0, rowParts),
      set(k0, i32.mul(k0, tileRowsOf)),
      digit(group, groups),
      set(n0, i32.mul(rest, images)),
      least(count, i32.sub(n, n0), images),
      set(y0, i32.mul(k0, m)),
      least(rows, i32.sub(height, y0), rowsOf),
      loop(i, 0, count, 1, [
        pack.call(
          image.at(args, i32.add(n0, i), i32.mul(group, channels)),
          i32.add(my(atPlanes), i32.mul(i, planeOfImage)),
          channels,
          y0,
          0,
        ),
      ]),
      // where each tile reads and writes; the last one again fills up the last panel
      set(at, my(atTiles)),
      loop(i, 0, count, 1, [
        set(t, 0),
        loop(t, 0, i32.div_u(i32.add(rows, m - 1), m), 1, [
          least(y, i32.mul(t, m), i32.sub(rows, m)),
          loop(x, 0, tilesX, 1, [
            least(c, i32.mul(x, m), width - m),
            i32.store(at, i32.add(i32.mul(i, planeOfImage), i32.shl(i32.add(i32.mul(y, shape.width), c), 2))),
            i32.store(
              at,
              i32.add(
                bare ? i32.mul(i, 4 * groups * made * height * width) : i32.mul(i, 4 * rowsOf * width),
                i32.shl(i32.add(i32.mul(y, width), c), 2),
              ),
              4,
            ),
            set(at, i32.add(at, 8)),
          ]),
        ]),
      ]),
      set(tiles, i32.shr_u(i32.sub(at, my(atTiles)), 3)),
      loop(i, 0, i32.and(i32.sub(0, tiles), tileColumns - 1), 1, [
        i32.store(at, i32.load(at, -8)),
        i32.store(at, i32.load(at, -4), 4),
        set(at, i32.add(at, 8)),
      ]),
      set(tiles, i32.shr_u(i32.sub(at, my(atTiles)), 3)),
      // V
      loop(t, 0, tiles, 4, [
        set(at, i32.add(my(atTiles), i32.shl(t, 3))),
        lanes(0, my(atPlanes)),
        set(v, i32.add(my(atV), i32.add(i32.mul(i32.shr_u(t, 3), tilePanel), i32.shl(i32.and(t, 4), 2)))),
        loop(c, 0, channels, 1, [
          transformIn.call(...places, v, my(atPass)),
          places.map((place) => set(place, i32.add(place, 4 * shape.channel))),
          set(v, i32.add(v, 4 * tileColumns)),
        ]),
      ]),
      // M and y, four output channels and eight tiles at a time
      loop(o, o0, o1, tileRows, [
        set(
          from,
          i32.add(
            i32.add(i32.load(args, 4 * words.sharedScratch), packed),
            i32.mul(i32.add(i32.mul(group, panels), i32.shr_u(o, 2)), panelBytes),
          ),
        ),
        least(length, i32.sub(o1, o), tileRows),
        set(channel, i32.add(i32.mul(group, made), o)),
        bare
          ? set(
              toC,
              i32.add(
                i32.load(args, 4 * words.output(kernel.stores[0]?.output ?? 0)),
                i32.shl(
                  i32.add(i32.mul(i32.add(i32.mul(n0, groups * made), channel), height * width), i32.mul(y0, width)),
                  2,
                ),
              ),
            )
          : set(toC, my(atC)),
        set(panel, my(atV)),
        loop(t, 0, tiles, tileColumns, [
          products.call(from, panel, my(atM), channels),
          loop(i, 0, length, 1, [
            loop(lane, 0, 2, 1, [
              set(at, i32.add(my(atTiles), i32.shl(i32.add(t, i32.shl(lane, 2)), 3))),
              lanes(1, i32.add(toC, i32.mul(i, cRow))),
              transformOut.call(i32.add(my(atM), i32.add(i32.shl(i, 5), i32.shl(lane, 4))), ...places, my(atPass)),
            ]),
          ]),
          set(panel, i32.add(panel, tilePanel)),
        ]),
        bare
          ? []
          : loop(i, 0, length, 1, [
              loop(t, 0, count, 1, [
                set(at, i32.add(toC, i32.add(i32.mul(i, cRow), i32.mul(t, 4 * rowsOf * width)))),
                set(x, i32.add(n0, t)),
                set(y, i32.add(channel, i)),
                set(start, i32.mul(y0, width)),
                set(c, i32.mul(rows, width)),
                emitStores(scope, kernel.stores, {
                  domain: [n, groups * made, height, width],
                  outer: [x, y],
                  start,
                  count: c,
                  acc: [at],
                }),
              ]),
            ]),
      ]),
    ]),
  );
  phases.push({ name: 'convolve', chunks: imageParts * groups * rowParts * blocks });
  return { bytes: module.bytes(), phases, sharedScratch: scratch.bytes, threadScratch: own.bytes };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];

/** Can it be done so, and is it worth the transforms? m, or 0. */
export function winogradSize(kernel: ConvKernel): Size | 0 {
  const { kernel: window, stride, dilation, padding, n, groups, c, o } = kernel.sizes;
  if (kernel.a.dtype !== 'float32' || kernel.b.dtype !== 'float32') return 0;
  if (window.length !== 2 || window.some((r) => r !== 3) || [...stride, ...dilation].some((s) => s !== 1)) return 0;
  // more padding than a window has neighbours moves the gradient's taps
  if (padding.some((zeros) => zeros > 2)) return 0;
  const [, height, width] = three(kernel.direction === 'inputGrad' ? kernel.sizes.input : kernel.sizes.output, 1);
  const few = Math.min(c / groups, o / groups) < 16 || n * height * width < 128;
  return few || height < 4 || width < 4 ? 0 : 4;
}
