/**
 * Convolution and its two gradients: blocks of 4 × 4 on texels of four channels; plainly where it is grouped, of integers, or
 * small.
 *
 *   direction     rows i       columns j      terms
 *   forward       o            n·p            x [n, …, c] at the window's places, w [o, …, c]
 *   inputGrad     c            n·q            g [n, …, o] of the windows that read, w [c, …, o]
 *   weightGrad    o            r·c            g [n, …, o], x [n, …, c]: one texel of each makes a block
 */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { quotient, remainder } from '../division';
import type { Program } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { blocks, four, fromBlocks, linear, pack } from './packed';
import { plainConv } from './products';
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

/** forward and inputGrad: a block is four channels of the result at four of its pixels. */
function windows(build: Build, { direction, sizes, a, b }: ConvKernel, title: string): Core {
  const { n, c, o, input, output, kernel } = sizes;
  const forward = direction === 'forward';
  const rank = input.length;
  const [channels, made] = forward ? [c, o] : [o, c];
  const [from, to] = forward ? [input, output] : [output, input];
  const spatial = axesFrom(2, rank);
  const x = pack(build, `${title}, a`, a, [n, channels, ...from], [0, ...spatial, 1]);
  const w = pack(build, `${title}, b`, b, [o, c, ...kernel], forward ? [0, ...spatial, 1] : [1, ...spatial, 0]);
  const [k4, taps, pixels] = [four(channels) / 4, sizeOf(kernel), sizeOf(to)];
  const all = n * pixels + 4;
  const result = blocks(build, title, made, n * pixels, (shader) => {
    const [s, t] = [shader.sampler(x), shader.sampler(w)];
    const lanes = [0, 1, 2, 3];
    const name = (what: string, q: number, axis: number) => `${what}${q}_${axis}`;
    const places = lanes.flatMap((q) => [
      `int image${q} = ${quotient(`(j + ${q})`, pixels, all)};`,
      ...unravel(remainder(`(j + ${q})`, pixels, all), to).map((text, axis) => `int ${name('at', q, axis)} = ${text};`),
    ]);
    const steps = unravel('tap', kernel);
    const loads = lanes.flatMap((q) => {
      const own = to.map((_, axis) => name('at', q, axis));
      const tapped = steps.map((_, axis) => `r${axis}`);
      const { coords, valid } = forward ? inside(sizes, own, tapped) : windowOf(sizes, own, tapped);
      const place = coords.reduce((sum, coord, axis) => `(${sum}) * ${from[axis]} + ${coord}`, `image${q}`);
      return [`bool is${q} = ${valid ?? 'true'};`, `int x${q} = is${q} ? (${place}) * ${k4} : -1;`];
    });
    return [
      ...places,
      `for (int tap = 0; tap < ${taps}; tap++) {`,
      ...steps.map((text, axis) => `int r${axis} = ${text};`),
      ...loads,
      `int w0 = (i * ${taps} + tap) * ${k4};`,
      `for (int k = 0; k < ${k4}; k++) {`,
      ...lanes.map((q) => `vec4 v${q} = ${s}_texel(x${q} < 0 ? -1 : x${q} + k);`),
      ...lanes.map((q) => `vec4 u${q} = ${t}_texel(w0 + ${q * taps * k4} + k);`),
      ...lanes.map((q) => `v${q} = mix(vec4(0.0), v${q}, bvec4(is${q}));`),
      ...lanes.map((r) => `row${r} += vec4(${lanes.map((q) => `dot(u${r}, v${q})`).join(', ')});`),
      '}',
      '}',
    ];
  });
  const shape = [n, made, ...to];
  return fromBlocks(
    result,
    (coord) => coord(1),
    (coord) => linear(coord, shape, [0, ...spatial]),
    pixels !== 1,
  );
}

/** A block is four channels of y by four of x at one place of the window. */
function weightGrad(build: Build, { sizes, a, b }: ConvKernel, title: string): Core {
  const { n, c, o, input, output, kernel } = sizes;
  const spatial = axesFrom(2, input.length);
  const x = pack(build, `${title}, a`, a, [n, c, ...input], [0, ...spatial, 1]);
  const g = pack(build, `${title}, b`, b, [n, o, ...output], [0, ...spatial, 1]);
  const [c4, o4, taps] = [four(c) / 4, four(o) / 4, sizeOf(kernel)];
  const all = taps * c4 * 4;
  const result = blocks(build, title, o, taps * c4 * 4, (shader) => {
    const [s, t] = [shader.sampler(x), shader.sampler(g)];
    const places = unravel(quotient('j', c4 * 4, all), kernel);
    const { coords, valid } = inside(
      sizes,
      output.map((_, axis) => `p${axis}`),
      places.map((_, axis) => `r${axis}`),
    );
    const place = coords.reduce((sum, coord, axis) => `(${sum}) * ${input[axis]} + ${coord}`, 'image');
    return [
      ...places.map((text, axis) => `int r${axis} = ${text};`),
      `int channel = ${remainder('j', c4 * 4, all)} >> 2;`,
      'int p = 0;',
      `for (int image = 0; image < ${n}; image++) {`,
      ...output.map((size, axis) => `for (int p${axis} = 0; p${axis} < ${size}; p${axis}++) {`),
      `bool is = ${valid ?? 'true'};`,
      `vec4 v = ${s}_texel(is ? (${place}) * ${c4} + channel : -1);`,
      `vec4 u = ${t}_texel(p * ${o4} + i / 4);`,
      'v = mix(vec4(0.0), v, bvec4(is));',
      ...[0, 1, 2, 3].map((r) => `row${r} += u[${r}] * v;`),
      'p++;',
      ...output.map(() => '}'),
      '}',
    ];
  });
  const shape = [o, c, ...kernel];
  return fromBlocks(
    result,
    (coord) => coord(0),
    (coord) => `${linear(coord, shape, spatial)} * ${c4 * 4} + ${coord(1)}`,
    false,
  );
}
