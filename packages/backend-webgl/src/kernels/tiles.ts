/**
 * Windows of a convolution, tile by tile: a fragment makes four channels at 2 × 4 neighbouring pixels, or eight at 1 × 4.
 * What several of their windows read is read once. Of 3 × 3 windows, for each texel of four channels:
 *
 *     ┌─┬─────┬─┐        24 texels of the image ─ each a place of up to six windows ─
 *     │ ├─────┤ │        and 36 of the weights make 4 · 2 · 4 · 9 · 4 = 1,152 products;
 *     │ │▒▒▒▒▒│ │        pixel by pixel, eight channels at four pixels, they take 9 · (4 + 8) = 108.
 *     │ │▒▒▒▒▒│ │
 *     │ ├─────┤ │        Lines that are no multiple of four, or of two, are made longer by pixels that nobody reads.
 *     └─┴─────┴─┘
 */
import { rowMajor, sizeOf } from '@tessera/tensor/backend';
import type { Coords } from '../place';
import type { Ref } from '../shader';
import type { Build, Core } from '../stores';
import { blocks, fromBlocks, heightOf, linear } from './blocks';
import { behind, blockOf, line } from './lines';
import { four } from './packed';
import { unravel } from './windows';

/** Texels read pixel by pixel from which tiles pay: their code takes an emulator 60 to 100 ms more to compile, once. */
const worth = 2 ** 19;
/** The most places of a window whose code is written out, in its last two axes and in its last. */
const [square, longest] = [9, 11];

/** What is made of what, by the axes of an image. A window's place r is at pixel · step + r · dilation, of inputGrad from its far end. */
export interface Windows {
  readonly images: number;
  /** Channels that are read, and made. */
  readonly channels: number;
  readonly made: number;
  readonly to: readonly number[];
  readonly kernel: readonly number[];
  readonly step: readonly number[];
  readonly dilation: readonly number[];
  readonly flipped: boolean;
}

export interface Tile {
  readonly height: 4 | 8;
  /** Of pixels; their columns are four. */
  readonly lines: 1 | 2;
  /** Trailing axes of the window whose places are written out. */
  readonly unrolled: 1 | 2;
  /** `to` in whole tiles. */
  readonly covered: readonly number[];
}

const last = (list: readonly number[], back = 1): number => list.at(-back) ?? 1;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Different places along an axis that windows of `pixels` neighbours read. */
function spread({ step, dilation, kernel }: Windows, back: number, pixels: number): number {
  const all = range(pixels).flatMap((p) =>
    range(last(kernel, back)).map((r) => p * last(step, back) + r * last(dilation, back)),
  );
  return new Set(all).size;
}

/** The tile that reads least; null where pixel by pixel no more is read. */
export function tileOf(build: Build, windows: Windows): Tile | null {
  const { images, channels, made, to, kernel } = windows;
  const taps = sizeOf(kernel);
  if (last(kernel) > longest) return null;
  const unrolled = kernel.length > 1 && last(kernel) * last(kernel, 2) <= square ? 2 : 1;
  const height = heightOf(build, made);
  let least = (height + 4) * taps * Math.ceil(made / height) * Math.ceil((images * sizeOf(to)) / 4);
  if (least * Math.ceil(channels / 4) < worth) return null;
  let best: Tile | null = null;
  for (const lines of [2, 1] as const) {
    const rows = heightOf(build, made * lines);
    if (lines === 2 && (rows < 8 || to.length < 2)) continue;
    const covered = to.map((size, axis) => {
      if (axis === to.length - 1) return four(size);
      return axis === to.length - 2 ? Math.ceil(size / lines) * lines : size;
    });
    const apart = unrolled === 2 ? spread(windows, 2, lines) : last(kernel, 2) * lines;
    const image = spread(windows, 1, 4) * apart * sizeOf(kernel.slice(0, -2));
    const blocks = Math.ceil((made * lines) / rows) * ((images * sizeOf(covered)) / lines / 4);
    const reads = blocks * (image + (rows / lines) * taps);
    if (reads < least) [least, best] = [reads, { height: rows, lines, unrolled, covered }];
  }
  return best;
}

/** @param given the packed image [n, …extents, c] and weights [o, …kernel, c], four channels a texel */
export function tiles(
  build: Build,
  title: string,
  windows: Windows,
  { height, lines, unrolled, covered }: Tile,
  given: { readonly image: Ref; readonly weights: Ref; readonly extents: readonly number[] },
): Core {
  const { images, channels, made, to, kernel, step, dilation, flipped } = windows;
  const { extents } = given;
  const [k4, taps] = [four(channels) / 4, sizeOf(kernel)];
  const rank = kernel.length;
  const grid = [images, ...covered.map((size, axis) => (axis === rank - 2 ? size / lines : size))];
  const size = { rows: made * lines, columns: sizeOf(grid), height, turns: k4 };
  const strides = rowMajor(extents).map((stride) => stride * k4);
  const [along, down] = [last(strides), last(strides, 2)];
  /** Where place r of a window is, in texels. */
  const tap = (axis: number, r: string | number) => {
    const place = flipped ? `(${(kernel[axis] as number) - 1} - ${r})` : r;
    return `${place} * ${(dilation[axis] as number) * (strides[axis] as number)}`;
  };
  const looped = range(rank - unrolled);
  const written = kernel.slice(rank - unrolled);
  const result = blocks(build, `${title}, tiles of ${lines} × 4`, size, (shader, count) => {
    const [s, t] = [shader.sampler(given.image), shader.sampler(given.weights)];
    const at = unravel(shader.sizes, 'j', grid).map((text, k) => {
      if (k === 0) return `${text} * ${sizeOf(extents) * k4}`;
      const pixels = (k === rank - 1 ? lines : 1) * (step[k - 1] as number);
      return `${text} * ${pixels * (strides[k - 1] as number)}`;
    });
    const block = blockOf(count, k4);
    /** Where runs along the channels begin. */
    const found: string[] = [];
    const known = new Set<string>();
    /** The texel at a place of the image that is so far from the tile's corner, read where it is first wanted. */
    const read = (y: number, x: number): { readonly name: string; readonly lines: readonly string[] } => {
      const name = `v${y}_${x}`;
      if (known.has(name)) return { name, lines: [] };
      known.add(name);
      found.push(line(s, name, `place + ${y * down + x * along}`));
      return { name, lines: [`vec4 ${name} = ${behind(s, name, 'k', block)};`] };
    };
    const weight = (o: number, place: number): string => {
      const name = `u${o}_${place}`;
      found.push(line(t, name, `w0 + ${(o * taps + place) * k4}`));
      return behind(t, name, 'k', block);
    };
    const body = range(sizeOf(written)).flatMap((place) => {
      const r = [place % last(kernel), Math.floor(place / last(kernel))].map((one, back) =>
        flipped && back < unrolled ? last(kernel, back + 1) - 1 - one : one,
      ) as [number, number];
      const pixels = range(lines).map((y) =>
        range(4).map((q) => read(y * last(step, 2) + r[1] * last(dilation, 2), q * last(step) + r[0] * last(dilation))),
      );
      return [
        ...pixels.flat().flatMap((one) => one.lines),
        '{',
        ...range(height / lines).flatMap((o) => [
          `vec4 u${o} = ${weight(o, place)};`,
          ...pixels.map(
            (row, y) => `row${o * lines + y} += vec4(${row.map(({ name }) => `dot(u${o}, ${name})`).join(', ')});`,
          ),
        ]),
        '}',
      ];
    });
    const shift = looped.map((axis) => tap(axis, `r${axis}`));
    return [
      `int corner = ${at.join(' + ')} + first;`,
      `int w0 = (i / ${lines}) * ${taps * k4} + first;`,
      ...looped.map((axis) => `for (int r${axis} = 0; r${axis} < ${kernel[axis]}; r${axis}++) {`),
      `int place = ${['corner', ...shift].join(' + ')};`,
      ...found,
      `for (int k = 0; k < ${count}; k++) {`,
      ...body,
      '}',
      `w0 += ${sizeOf(written) * k4};`,
      ...looped.map(() => '}'),
    ];
  });
  const above = rank; // of the domain [n, made, …to], the axis of an image's lines
  const across = (coord: Coords) => (axis: number) =>
    axis === above && lines > 1 ? `(${coord(axis)} >> 1)` : coord(axis);
  const [n = 1, ...spatial] = grid;
  return fromBlocks(
    result,
    () => (coord) => (lines > 1 ? `(${coord(1)} * 2 + (${coord(above)} & 1))` : coord(1)),
    (sizes) => {
      const position = linear(sizes, [n, made, ...spatial], [0, ...spatial.map((_, axis) => axis + 2)]);
      return (coord) => position(across(coord));
    },
    last(to) % 4 === 0,
  );
}
