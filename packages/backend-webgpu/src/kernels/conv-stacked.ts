/**
 * Convolutions without a product, forward and input gradient, whose threads have results below each other, for a tuner to choose:
 *
 *     x  ▒▒▒        y  ▒ 0      two results of windows of 3×3 stand on four rows of x, in place of twice three, and a weight is
 *        ▒▒▒           ▒ 1      read once for both; neighbours still lie along a row
 *        ▒▒▒
 *        ▒▒▒
 *
 * Places of the window below each other are written out, the others a loop: which rows meet is known when the shader is written.
 */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, toCarried } from '../accumulate';
import { all, atCoords, sumOf, unravel } from '../place';
import { dispatch, type Program, type Target } from '../shader';
import type { Direct } from './direct-choices';
import { inside } from './inside';
import { windowOf } from './windows';

export function stacked(kernel: ConvKernel, target: Target, { threads, each }: Direct, title: string): Program {
  const { direction, sizes, a, b, stores } = kernel;
  const { n, c, o, groups, input, output, kernel: window, stride, dilation, padding } = sizes;
  const forward = direction === 'forward';
  const shape = forward ? [n, o, ...output] : [n, c, ...input];
  const [made, summed] = forward ? [o / groups, c / groups] : [c / groups, o / groups];
  const axis = window.length - 2; // along which results of a thread lie
  const rest = <T>(list: readonly T[]): T[] => list.toSpliced(axis, 1);
  const others = {
    input: rest(input),
    output: rest(output),
    kernel: rest(window),
    stride: rest(stride),
    dilation: rest(dilation),
    padding: rest(padding),
  };
  const [height, limit] = (forward ? [output, input] : [input, output]).map((list) => list[axis] as number) as [
    number,
    number,
  ];
  const [s, d, p] = [stride[axis] as number, dilation[axis] as number, padding[axis] as number];
  const stacks = Math.ceil(height / each);
  const owners = shape.toSpliced(axis + 2, 1, stacks);
  const count = sizeOf(owners);
  /** Rows of `a` from a thread's first row to its next one's, and to that which result `e` has at place `r`; not whole where it has none. */
  const step = forward ? each * s : each / s;
  const rowOf = (e: number, r: number) => (forward ? e * s + r * d - p : (e + p - r * d) / s);
  const options = {
    header: [title, `direct: a thread ${each} results below each other, ${threads} a workgroup`],
    threads,
    groups: Math.ceil(count / threads),
  };
  const type = carriedAs(a.dtype);
  const results = Array.from({ length: each }, (_, e) => e);
  const main = dispatch(kernel, target, options, (block) => {
    const i = block.once(`group * ${threads}u + lane`, 'i');
    if (count % threads) block.line(`if (${i} >= ${count}u) { return; }`);
    const owner = owners.map((_, axis) => block.once(unravel(i, owners, axis), 'c'));
    const [image, channel, ...at] = owner as [string, string, ...string[]];
    const group = block.once(made === 1 ? channel : `${channel} / ${made}i`, 'g');
    const own = block.once(made === 1 ? '0i' : `${channel} % ${made}i`, 'own');
    const first = block.once(`${at[axis]} * ${step}i`, 'first');
    const tap = [summed, ...others.kernel];
    block.line(...results.map((e) => `var sum${e} = ${type}(0);`));
    block.line(`for (var t = 0u; t < ${sizeOf(tap)}u; t++) {`);
    const inner = block.inside();
    const [other, ...places] = tap.map((_, axis) => inner.once(unravel('t', tap, axis), 'r')) as [string, ...string[]];
    const { coords, valid } = (forward ? inside : windowOf)(inner, others, rest(at), places);
    const beside = valid === null ? [] : [inner.once(valid, 'has')];
    const from = inner.once(summed === 1 ? group : `${group} * ${summed}i + ${other}`, 'from');
    const known = new Map<number, string>();
    const row = (offset: number): string => {
      const found = known.get(offset);
      if (found !== undefined) return found;
      const place = inner.once(sumOf([first, `${offset}i`]), 'at');
      const ragged = offset < 0 || (stacks - 1) * step + offset >= limit;
      const test = all([...beside, ...(ragged ? [`u32(${place}) < ${limit}u`] : [])]);
      const value = toCarried(inner.at(atCoords([image, from, ...coords.toSpliced(axis, 0, place)])).value(a), a.dtype);
      const x = inner.once(test ? `select(${type}(0), ${value}, ${test})` : value, 'x');
      known.set(offset, x);
      return x;
    };
    for (let r = 0; r < (window[axis] as number); r++) {
      const meeting = results.filter((e) => Number.isInteger(rowOf(e, r)));
      if (meeting.length === 0) continue;
      const tapped = places.toSpliced(axis, 0, `${r}i`);
      const weight = forward ? [channel, other, ...tapped] : [from, own, ...tapped];
      const w = inner.once(toCarried(inner.at(atCoords(weight)).value(b), b.dtype), 'w');
      for (const e of meeting) inner.line(`sum${e} += ${row(rowOf(e, r))} * ${w};`);
    }
    block.line(...inner.lines, '}');
    const top = block.once(`${at[axis]} * ${each}i`, 'y');
    for (const e of results) {
      const y = block.once(sumOf([top, `${e}i`]), 'y');
      const within = block.inside();
      within.at(atCoords(owner.toSpliced(axis + 2, 1, y), () => `sum${e}`)).store(stores);
      const lines = height % each ? [`if (${y} < ${height}i) {`, ...within.lines, '}'] : within.lines;
      block.line(...lines);
    }
  });
  return { dispatches: [main], scratch: 0 };
}
