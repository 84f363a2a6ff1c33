/** The factor that weights are: read where they are, or laid out in scratch by a dispatch before. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { atSums, coordsOf, type Known, unravel } from '../place';
import { type Block, type Dispatch, dispatch, type Target } from '../shader';
import { Quad, vectorsOf } from '../vector';
import { ofGroup, perGroup, read, readAt } from './conv-places';
import type { Factor, Inside } from './product';

/** And the bindings that are vectors for it. */
export type Weights = Factor & { readonly vectors: readonly string[] };

/** Weights read where they are. Vectors only of single places, where channels lie together along `along`. */
export function weightsOf(
  kernel: ConvKernel,
  along: Factor['along'],
  place: (at: Inside, group: string, k: string, other: string) => readonly Known[],
): Weights {
  const { b, sizes } = kernel;
  const single = sizeOf(sizes.kernel) === 1;
  const vectors = single ? vectorsOf(b, 1, kernel) : [];
  return {
    along,
    vectors,
    one: (at, group, _, k, other) => readAt(at.block, b, atSums(place(at, group, k, other))),
    four: vectors.length
      ? (at, group, _, k, other) =>
          new Quad(at.block, coordsOf(place(at, group, k, other)), 1).value(b, carriedAs(b.dtype))
      : null,
  };
}

/** How the weights lie in scratch: [group][place][channel of k][m, up to a multiple of 4]. */
function layoutOf({ direction, sizes }: ConvKernel) {
  const { channels, outs, taps } = perGroup(sizes);
  const [m, k] = direction === 'forward' ? [outs, channels] : [channels, outs];
  return { m, k, taps, fours: Math.ceil(m / 4) };
}

export function fromScratch(
  kernel: ConvKernel,
  tapOf: (at: Inside, batch: string, segment: string) => string = (_, __, segment) => segment,
  groupOf: (block: Block, batch: string) => string = (_, batch) => batch,
): Weights {
  const { k, taps, fours } = layoutOf(kernel);
  const type = carriedAs(kernel.b.dtype);
  const value: Factor['one'] = (at, batch, segment, inner, other) => {
    const outer =
      kernel.sizes.groups === 1
        ? tapOf(at, batch, segment)
        : `(${groupOf(at.before, batch)} * ${taps}u + ${tapOf(at, batch, segment)})`;
    return `bitcast<vec4<${type}>>(scratch[(${outer} * ${k}u + ${inner}) * ${fours}u + (${other} >> 2u)])`;
  };
  return { along: 'other', one: value, four: value, vectors: [] };
}

/** Lays the weights out: a thread four of m, neighbours along (channel, place) as memory has them. */
export function laidOut(kernel: ConvKernel, target: Target, title: string): { dispatches: Dispatch[]; words: number } {
  const { b, sizes, direction } = kernel;
  const { m, k, taps, fours } = layoutOf(kernel);
  const { groups, kernel: window } = sizes;
  const { outs } = perGroup(sizes);
  const threads = 64;
  const count = groups * fours * k * taps;
  const options = {
    header: [title, 'weights laid out as [group][place][channel][four of m], a thread four'],
    threads,
    groups: Math.ceil(count / threads),
    scratch: true,
    vectors: new Set(['scratch']),
  };
  const type = carriedAs(b.dtype);
  const made = dispatch(kernel, target, options, (block) => {
    const i = block.once(`group * ${threads}u + lane`, 'i');
    if (count % threads) block.line(`if (${i} >= ${count}u) { return; }`);
    // forward: i is (group, four of o, c, place); inputGrad: (group, o, four of c, place)
    const tap = block.once(`${i} % ${taps}u`, 'tap');
    const rest = block.once(`${i} / ${taps}u`, 'rest');
    const [size, of] = direction === 'forward' ? [k, fours] : [fours, k];
    const inner = block.once(`${rest} % ${size}u`, 'inner');
    const outer = block.once(`${rest} / ${size}u % ${of}u`, 'outer');
    const group = groups === 1 ? '0u' : block.once(`${rest} / ${size * of}u`, 'group');
    const [channel, four] = direction === 'forward' ? [inner, outer] : [outer, inner];
    const places = window.map((_, axis) => block.once(unravel(tap, window, axis), 'r'));
    const parts = [0, 1, 2, 3].map((part) => {
      const row = block.once(`${four} * 4u + ${part}u`, 'm');
      const [out, c] = direction === 'forward' ? [row, channel] : [channel, row];
      const at = [
        ofGroup(block, groups, outs, group, block.once(`i32(${out})`, 'o')),
        block.once(`i32(${c})`, 'c'),
        ...places,
      ];
      const value = read(block, b, at);
      return m % 4 ? `select(${type}(0), ${value}, ${row} < ${m}u)` : value;
    });
    const to = `((${group} * ${taps}u + ${tap}) * ${k}u + ${channel}) * ${fours}u + ${four}`;
    block.line(`scratch[${to}] = bitcast<vec4<u32>>(vec4<${type}>(${parts.join(', ')}));`);
  });
  return { dispatches: [made], words: groups * taps * k * fours * 4 };
}
