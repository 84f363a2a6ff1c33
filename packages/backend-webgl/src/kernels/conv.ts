/**
 * Convolution and its two gradients: blocks on texels of four channels; plainly where it is grouped, of integers, or
 * small.
 *
 *   direction     rows i       columns j      terms
 *   forward       o            n·p            x [n, …, c] at the window's places, w [o, …, c]
 *   inputGrad     c            n·q            g [n, …, o] of the windows that read, w [c, …, o]
 *   weightGrad    o            r·c            g [n, …, o], x [n, …, c]: one texel of each makes a block
 */
import { type ConvKernel, type Expr, isContiguous, rowMajor, sizeOf } from '@tessera/tensor/backend';
import { constants, quotient, remainder } from '../division';
import type { Program, Ref } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { type Blocks, blocks, fromBlocks, heightOf, linear } from './blocks';
import { behind, blockOf, line } from './lines';
import { multiply } from './matmul';
import { fill, four, pack } from './packed';
import { plainConv } from './products';
import { tileOf, tiles } from './tiles';
import { inside, unravel, windowOf } from './windows';

/** Products from which packing pays. */
const least = 2048;

export function conv(build: Build, kernel: ConvKernel): Program {
  const { direction, sizes, stores, a } = kernel;
  const { n, c, o, groups, input, output, kernel: window } = sizes;
  const shapes = { forward: [n, o, ...output], inputGrad: [n, c, ...input], weightGrad: [o, c / groups, ...window] };
  const title = `conv ${direction} [${[n, c, ...input]}] ∗ [${[o, c / groups, ...window]}] stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding} groups ${groups}`;
  const domain = [{ shape: shapes[direction], stores }];
  const terms = n * sizeOf(output) * o * (c / groups) * sizeOf(window);
  const packed = groups === 1 && a.dtype === 'float32' && build.targets >= 4 && terms >= least;
  if (packed) {
    const make = direction === 'weightGrad' ? weightGrad(build, kernel, title) : windows(build, kernel, title);
    storePasses(build, title, domain, { make });
  } else storePasses(build, title, domain, { make: plainConv(build, kernel), lanesOnly: true });
  return build.program();
}

const axesFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/**
 * forward and inputGrad: a block is some channels of the result at four of its pixels. With zeros around it, what is read has
 * every place of every window; between the windows of an inputGrad with strides are none, and places are tested.
 */
function windows(build: Build, { direction, sizes, a, b }: ConvKernel, title: string): Core {
  const { n, c, o, input, output, kernel, stride, dilation, padding } = sizes;
  const forward = direction === 'forward';
  const rank = input.length;
  const [channels, made] = forward ? [c, o] : [o, c];
  const [from, to] = forward ? [input, output] : [output, input];
  const spatial = axesFrom(2, rank);
  const shape = [n, made, ...to];
  const pixels = sizeOf(to);
  const read = (result: Blocks): Core =>
    fromBlocks(
      result,
      () => (coord) => coord(1),
      (sizes) => linear(sizes, shape, [0, ...spatial]),
      pixels !== 1,
    );
  const weights = plainInput(build, b);
  if (forward && n * pixels < o && weights && (c * sizeOf(kernel)) % 4 === 0) {
    return read(asProduct(build, { sizes, a }, weights, title));
  }
  const whole = forward || stride.every((step) => step === 1);
  /** How far the window's places reach. */
  const reach = kernel.map((size, axis) => (size - 1) * (dilation[axis] as number));
  const step = forward ? stride : stride.map(() => 1);
  const given = { images: n, channels, made, to, kernel, step, dilation, flipped: !forward };
  const tile = whole ? tileOf(build, given) : null;
  const extents = (tile?.covered ?? to).map((size, axis) => (size - 1) * at(step, axis) + at(reach, axis) + 1);
  const margins = spatial.map((_, axis) => ({
    before: forward ? at(padding, axis) : at(reach, axis) - at(padding, axis),
    extent: at(extents, axis),
  }));
  const bounds = whole ? [undefined, undefined, ...margins] : [];
  const x = pack(build, `${title}, a`, a, [n, channels, ...from], [0, ...spatial, 1], bounds);
  const w = pack(build, `${title}, b`, b, [o, c, ...kernel], forward ? [0, ...spatial, 1] : [1, ...spatial, 0]);
  if (tile) return tiles(build, title, given, tile, { image: x, weights: w, extents });
  const [k4, taps] = [four(channels) / 4, sizeOf(kernel)];
  const all = n * pixels + 4;
  const size = { rows: made, columns: n * pixels, height: heightOf(build, made), turns: k4 };
  return read(
    blocks(build, title, size, (shader, count) => {
      const [s, t] = [shader.sampler(x), shader.sampler(w)];
      const block = blockOf(count, k4);
      const lanes = [0, 1, 2, 3];
      const rows = Array.from({ length: size.height }, (_, r) => r);
      const name = (what: string, q: number, axis: number) => `${what}${q}_${axis}`;
      const places = lanes.flatMap((q) => [
        `int image${q} = ${quotient(shader.sizes, `(j + ${q})`, pixels, all)};`,
        ...unravel(shader.sizes, remainder(shader.sizes, `(j + ${q})`, pixels, all), to).map(
          (text, axis) => `int ${name('at', q, axis)} = ${text};`,
        ),
      ]);
      const own = (q: number) => to.map((_, axis) => name('at', q, axis));
      const loops = kernel.map((size, axis) => `for (int r${axis} = 0; r${axis} < ${size}; r${axis}++) {`);
      const tapped = kernel.map((_, axis) => `r${axis}`);
      const strides = rowMajor(extents).map((step) => step * k4);
      const firsts = lanes.map((q) => {
        const terms = own(q).map((text, axis) => `${text} * ${at(step, axis) * at(strides, axis)}`);
        return `int p${q} = ${[`image${q} * ${sizeOf(extents) * k4}`, ...terms].join(' + ')} + first;`;
      });
      const offset = tapped.map((r, axis) => {
        const place = forward ? r : `(${at(kernel, axis) - 1} - ${r})`;
        return `${place} * ${at(dilation, axis) * at(strides, axis)}`;
      });
      const loads = lanes.flatMap((q) => {
        if (whole) return [`int x${q} = p${q} + shift;`];
        const { coords, valid } = windowOf(sizes, own(q), tapped);
        const place = coords.reduce((sum, coord, axis) => `(${sum}) * ${from[axis]} + ${coord}`, `image${q}`);
        return [`bool is${q} = ${valid ?? 'true'};`, `int x${q} = is${q} ? (${place}) * ${k4} + first : 0;`];
      });
      return [
        ...places,
        ...(whole ? firsts : []),
        `int w0 = i * ${taps * k4} + first;`,
        ...loops,
        ...(whole ? [`int shift = ${offset.join(' + ') || '0'};`] : []),
        ...loads,
        ...lanes.map((q) => line(s, `v${q}`, `x${q}`)),
        ...rows.map((r) => line(t, `u${r}`, `w0 + ${r * taps * k4}`)),
        `for (int k = 0; k < ${count}; k++) {`,
        ...lanes.map((q) => `vec4 v${q} = ${behind(s, `v${q}`, 'k', block)};`),
        ...(whole ? [] : lanes.map((q) => `v${q} = mix(vec4(0.0), v${q}, bvec4(is${q}));`)),
        ...rows.map(
          (r) =>
            `{ vec4 u = ${behind(t, `u${r}`, 'k', block)}; row${r} += vec4(${lanes.map((q) => `dot(u, v${q})`).join(', ')}); }`,
        ),
        '}',
        `w0 += ${k4};`,
        ...loops.map(() => '}'),
      ];
    }),
  );
}

const at = (list: readonly number[], axis: number): number => list[axis] as number;

/** The input that an operand is, element by element. */
const plainInput = ({ kernel }: Build, b: Expr): Ref | null =>
  b.op === 'load' && b.at === null && isContiguous(b.view) && kernel.inputs[b.input]?.dtype === 'float32'
    ? { of: 'input', index: b.input }
    : null;

/**
 * Of fewer pixels than weights' rows, forward is a product of the weights as they are with what each pixel reads, for that is
 * the smaller to pack: [o, c·taps] · [n·pixels, c·taps]ᵀ.
 */
function asProduct(build: Build, { sizes, a }: Pick<ConvKernel, 'sizes' | 'a'>, left: Ref, title: string): Blocks {
  const { n, c, o, output, kernel, input } = sizes;
  const [taps, rank] = [sizeOf(kernel), output.length];
  const right = fill(build, `${title}, windows`, a, [n, ...output, c * taps], (place) => {
    const windows = output.map((_, axis) => (lane: number) => place.coord(axis + 1, lane));
    const term = (lane: number) => place.coord(rank + 1, lane);
    const read = (lane: number) =>
      inside(
        sizes,
        windows.map((text) => text(lane)),
        unravel(constants, remainder(constants, term(lane), taps, c * taps), kernel),
      );
    return {
      coord: (axis, lane) => {
        if (axis === 0) return place.coord(0, lane);
        return axis === 1 ? quotient(constants, term(lane), taps, c * taps) : (read(lane).coords[axis - 2] as string);
      },
      shared: (axis) => (axis === 0 ? place.shared(0) : [n, c, ...input][axis] === 1 && axis === 1),
      valid: (lane) => {
        const { valid } = read(lane);
        return valid ? [valid] : [];
      },
    };
  });
  const shape = { matrices: 1, m: o, n: n * sizeOf(output), k: c * taps, height: heightOf(build, o) };
  return multiply(build, title, { ...shape, left, right, aAlongK: true, bAlongK: true });
}

/** A block is some channels of y by four of x at one place of the window. */
function weightGrad(build: Build, { sizes, a, b }: ConvKernel, title: string): Core {
  const { n, c, o, input, output, kernel, stride, dilation, padding } = sizes;
  const spatial = axesFrom(2, input.length);
  const extents = output.map(
    (size, axis) => (size - 1) * at(stride, axis) + (at(kernel, axis) - 1) * at(dilation, axis) + 1,
  );
  const margins = extents.map((extent, axis) => ({ before: at(padding, axis), extent }));
  const x = pack(build, `${title}, a`, a, [n, c, ...input], [0, ...spatial, 1], [undefined, undefined, ...margins]);
  const g = pack(build, `${title}, b`, b, [n, o, ...output], [0, ...spatial, 1]);
  const [c4, o4, taps] = [four(c) / 4, four(o) / 4, sizeOf(kernel)];
  const all = taps * c4 * 4;
  // Lines of the images are the turns.
  const [lines, ...along] = output;
  const turns = n * (lines ?? 1);
  const size = { rows: o, columns: all, height: heightOf(build, o), turns };
  const result = blocks(build, title, size, (shader, count) => {
    const [s, t] = [shader.sampler(x), shader.sampler(g)];
    const places = unravel(constants, quotient(constants, 'j', c4 * 4, all), kernel);
    const strides = rowMajor(extents).map((step) => step * c4);
    const rows = Array.from({ length: size.height }, (_, r) => r);
    const quads = rows.filter((r) => r % 4 === 0);
    const start = places.map((text, axis) => `${text} * ${at(dilation, axis) * at(strides, axis)}`);
    const step = (axis: number) => at(stride, axis) * at(strides, axis);
    const inner = along.map((_, axis) => `p${axis + 1} * ${step(axis + 1)}`);
    return [
      `int place = ${[`(${remainder(constants, 'j', c4 * 4, all)} >> 2)`, ...start].join(' + ')};`,
      `for (int turn = 0; turn < ${count}; turn++) {`,
      'int line = first + turn;',
      `int image = ${quotient(constants, 'line', lines ?? 1, turns)};`,
      `int corner = place + image * ${sizeOf(extents) * c4} + ${remainder(constants, 'line', lines ?? 1, turns)} * ${lines === undefined ? 0 : step(0)};`,
      `int p = line * ${sizeOf(along) * o4} + i / 4;`,
      ...along.map((size, axis) => `for (int p${axis + 1} = 0; p${axis + 1} < ${size}; p${axis + 1}++) {`),
      `vec4 v = ${s}_texel(${['corner', ...inner].join(' + ')});`,
      ...quads.map((r) => `vec4 u${r} = ${t}_texel(p + ${r / 4});`),
      ...rows.map((r) => `row${r} += u${r - (r % 4)}[${r % 4}] * v;`),
      `p += ${o4};`,
      ...along.map(() => '}'),
      '}',
    ];
  });
  const shape = [o, c, ...kernel];
  return fromBlocks(
    result,
    () => (coord) => coord(0),
    (sizes) => {
      const [place, channels] = [linear(sizes, shape, spatial), sizes.int(c4 * 4)];
      return (coord) => `${place(coord)} * ${channels} + ${coord(1)}`;
    },
    false,
  );
}
