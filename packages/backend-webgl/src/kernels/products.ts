/** Products in their plain form, for operands of any kind: an element of the result goes through all its terms. */
import { type ConvKernel, type Expr, type MatmulKernel, sizeOf } from '@tessera/tensor/backend';
import { fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { constants, quotient, remainder } from '../division';
import { type Cursor, cursor, type Place } from '../place';
import type { Shader } from '../shader';
import type { Build, Core } from '../stores';
import { inside, unravel, windowOf } from './windows';

/** One term: GLSL that puts the cursors of a and b, in terms of the loop's ints, and the condition under which there is one. */
interface Terms {
  /** Sizes of the loops, outermost first; their ints are t0, t1, … */
  readonly loops: readonly number[];
  place(at: Place, a: Cursor, b: Cursor): { readonly lines: readonly string[]; readonly valid: string | null };
}

/** acc0 = Σ a·b over the terms. */
const sumOfProducts =
  (build: Build, a: Expr, b: Expr, ranks: readonly [number, number], terms: Terms): Core =>
  (shader: Shader, at: Place) => {
    const [left, right] = [cursor(shader, ranks[0]), cursor(shader, ranks[1])];
    const { lines, valid } = terms.place(at, left, right);
    const name = shader.name('term');
    const ints = terms.loops.map((_, i) => `int t${i}`).join(', ');
    shader.native(
      name,
      terms.loops.map(() => 'Integer' as const),
      'Boolean',
      `bool ${name}(${ints}) { ${lines.join(' ')} return ${valid ?? 'true'}; }`,
    );
    const sum = shader.name('sum');
    shader.line(`let ${sum} = ${start('sum', a.dtype, shader)};`);
    const counters = terms.loops.map(() => shader.name('n'));
    for (const [i, size] of terms.loops.entries()) {
      shader.line(`for (let ${counters[i]} = 0; ${counters[i]} < ${size}; ${counters[i]}++) {`);
    }
    shader.line(`if (${name}(${counters.join(', ')})) {`);
    const texts = [
      new Block(shader, build.kernel, left).value(a)[0],
      new Block(shader, build.kernel, right).value(b)[0],
    ].map((text) => toCarried(text as string, a.dtype)) as [string, string];
    const product = shader.bind(join('prod', a.dtype, shader)(...texts));
    shader.line(`${sum} = ${join('sum', a.dtype, shader)(sum, product)};`, '}');
    for (const _ of terms.loops) shader.line('}');
    return () => [fromCarried(sum, a.dtype)];
  };

export function plainMatmul(build: Build, { batch, k, a, b }: MatmulKernel): Core {
  const rank = batch.length;
  return sumOfProducts(build, a, b, [rank + 2, rank + 2], {
    loops: [k],
    place: (at, left, right) => ({
      lines: [
        ...batch.flatMap((_, axis) => [left, right].map((one) => `${one.global(axis)} = ${at.coord(axis, 0)};`)),
        `${left.global(rank)} = ${at.coord(rank, 0)}; ${left.global(rank + 1)} = t0;`,
        `${right.global(rank)} = t0; ${right.global(rank + 1)} = ${at.coord(rank + 1, 0)};`,
      ],
      valid: null,
    }),
  });
}

/** Sets the axes of a cursor from `first` on. */
const put = (at: Cursor, first: number, texts: readonly string[]): string[] =>
  texts.map((text, i) => `${at.global(first + i)} = ${text};`);

export function plainConv(build: Build, { direction, sizes, a, b }: ConvKernel): Core {
  const { n, c, o, groups, input, kernel, output } = sizes;
  const [channels, outs] = [c / groups, o / groups];
  const rank = input.length + 2;
  const spatial = (at: Place) => input.map((_, axis) => at.coord(axis + 2, 0));
  const terms: Record<ConvKernel['direction'], Terms> = {
    forward: {
      loops: [channels, sizeOf(kernel)],
      place: (at, x, w) => {
        const taps = unravel(constants, 't1', kernel);
        const { coords, valid } = inside(sizes, spatial(at), taps);
        const group = groups === 1 ? 't0' : `${quotient(constants, at.coord(1, 0), outs, o)} * ${channels} + t0`;
        return {
          lines: [...put(x, 0, [at.coord(0, 0), group, ...coords]), ...put(w, 0, [at.coord(1, 0), 't0', ...taps])],
          valid,
        };
      },
    },
    inputGrad: {
      loops: [outs, sizeOf(kernel)],
      place: (at, g, w) => {
        const taps = unravel(constants, 't1', kernel);
        const { coords, valid } = windowOf(sizes, spatial(at), taps);
        const channel = at.coord(1, 0);
        const out = groups === 1 ? 't0' : `${quotient(constants, channel, channels, c)} * ${outs} + t0`;
        const within = groups === 1 ? channel : remainder(constants, channel, channels, c);
        return { lines: [...put(g, 0, [at.coord(0, 0), out, ...coords]), ...put(w, 0, [out, within, ...taps])], valid };
      },
    },
    weightGrad: {
      loops: [n, sizeOf(output)],
      place: (at, x, g) => {
        const windows = unravel(constants, 't1', output);
        const { coords, valid } = inside(sizes, windows, spatial(at));
        const out = at.coord(0, 0);
        const channel =
          groups === 1 ? at.coord(1, 0) : `${quotient(constants, out, outs, o)} * ${channels} + ${at.coord(1, 0)}`;
        return { lines: [...put(x, 0, ['t0', channel, ...coords]), ...put(g, 0, ['t0', out, ...windows])], valid };
      },
    },
  };
  return sumOfProducts(build, a, b, [rank, rank], terms[direction]);
}
