/**
 * Convolutions whose groups are too small for a product: depthwise and its kin. They move bytes rather than multiply.
 *
 *   forward, inputGrad   a thread an element of the result, neighbours along a row: it goes through its few channels and the
 *                        places of the window; neighbours read the same lines of memory, which the cache keeps. Several below
 *                        each other in conv-stacked.ts
 *   weightGrad           a workgroup one output channel and a part of the positions [n, p]: a thread takes every T-th, with a
 *                        sum in a register for each weight of the channel; the lanes' sums are added by a tree
 *
 *        n·p  ├ part 0 ┤├ part 1 ┤├ part 2 ┤     parts lie in scratch and are added in order
 */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, toCarried } from '../accumulate';
import { atCoords, atLinear, unravel } from '../place';
import { type Block, dispatch, type Program, type Target } from '../shader';
import { stacked } from './conv-stacked';
import { type Direct, sumsOf, tile } from './direct-choices';
import { inside } from './inside';
import { windowOf } from './windows';

export function direct(kernel: ConvKernel, target: Target, choice: Direct, title: string): Program {
  if (kernel.direction === 'weightGrad') return weightGradient(kernel, target, choice, title);
  return (choice.each === 1 ? byElement : stacked)(kernel, target, choice, title);
}

function byElement(kernel: ConvKernel, target: Target, { threads }: Direct, title: string): Program {
  const { direction, sizes, a, b, stores } = kernel;
  const { n, c, o, groups, input, output, kernel: window } = sizes;
  const forward = direction === 'forward';
  const shape = forward ? [n, o, ...output] : [n, c, ...input];
  // Channels of the result in a group, and channels that are summed over.
  const [made, summed] = forward ? [o / groups, c / groups] : [c / groups, o / groups];
  const size = sizeOf(shape);
  const options = {
    header: [title, `direct: a thread an element of the result, ${threads} a workgroup`],
    threads,
    groups: Math.ceil(size / threads),
  };
  const type = carriedAs(a.dtype);
  const main = dispatch(kernel, target, options, (block) => {
    const i = block.once(`group * ${threads}u + lane`, 'i');
    if (size % threads) block.line(`if (${i} >= ${size}u) { return; }`);
    const [image, channel, ...at] = shape.map((_, axis) => block.once(unravel(i, shape, axis), 'c')) as [
      string,
      string,
    ];
    const group = block.once(made === 1 ? channel : `${channel} / ${made}i`, 'g');
    const own = block.once(made === 1 ? '0i' : `${channel} % ${made}i`, 'own');
    block.line(`var sum = ${type}(0);`, `for (var t = 0u; t < ${summed * sizeOf(window)}u; t++) {`);
    const inner = block.inside();
    const tap = [summed, ...window];
    const [other, ...places] = tap.map((_, axis) => inner.once(unravel('t', tap, axis), 'r')) as [string];
    const { coords, valid } = forward ? inside(inner, sizes, at, places) : windowOf(inner, sizes, at, places);
    const from = inner.once(summed === 1 ? group : `${group} * ${summed}i + ${other}`, 'from');
    const weight = forward ? [channel, other, ...places] : [from, own, ...places];
    const x = toCarried(inner.at(atCoords([image, from, ...coords])).value(a), a.dtype);
    const w = toCarried(inner.at(atCoords(weight)).value(b), b.dtype);
    inner.line(`sum += ${valid ? `select(${type}(0), ${x}, ${valid})` : x} * ${w};`);
    block.line(...inner.lines, '}');
    block.at(atLinear(i, shape, () => 'sum')).store(stores);
  });
  return { dispatches: [main], scratch: 0 };
}

function weightGradient(kernel: ConvKernel, target: Target, { threads, each }: Direct, title: string): Program {
  const { sizes, a, b, stores } = kernel;
  const { n, c, o, groups, output, kernel: window } = sizes;
  const [channels, outs, taps] = [c / groups, o / groups, sizeOf(window)];
  const sums = sumsOf(kernel);
  const positions = n * sizeOf(output);
  const parts = Math.max(1, Math.min(tile.mostParts, Math.floor(positions / (threads * each))));
  const type = carriedAs(a.dtype);
  const weights = [o, channels, ...window];
  const store = (block: Block, out: string, weight: string, sum: string) => {
    const [channel, ...places] = [channels, ...window].map((_, axis) =>
      block.once(unravel(weight, [channels, ...window], axis), 'w'),
    ) as [string];
    block.at(atCoords([out, channel, ...places], () => sum)).store(stores);
  };
  const options = {
    header: [title, `direct: ${parts} workgroups of ${threads} an output channel, ${sums} sums a thread`],
    threads,
    groups: o * parts,
    scratch: parts > 1,
  };
  const main = dispatch(kernel, target, options, (block) => {
    const out = block.once(`i32(group${parts > 1 ? ` / ${parts}u` : ''})`, 'o');
    const part = parts > 1 ? block.once(`group % ${parts}u`, 'part') : '0u';
    for (let s = 0; s < sums; s++) block.line(`var sum${s} = ${type}(0);`);
    const share = Math.ceil(positions / parts);
    const first = parts > 1 ? `${part} * ${share}u + lane` : 'lane';
    const last = parts > 1 ? `min(${positions}u, (${part} + 1u) * ${share}u)` : `${positions}u`;
    block.line(`for (var i = ${first}; i < ${last}; i += ${threads}u) {`);
    const inner = block.inside();
    const [image, ...at] = [n, ...output].map((_, axis) => inner.once(unravel('i', [n, ...output], axis), 'c')) as [
      string,
    ];
    const g = inner.once(toCarried(inner.at(atCoords([image, out, ...at])).value(b), b.dtype), 'g');
    const group = inner.once(`${out} / ${outs}i`, 'group');
    for (let channel = 0; channel < channels; channel++) {
      const from = inner.once(`${group} * ${channels}i + ${channel}i`, 'from');
      for (let tap = 0; tap < taps; tap++) {
        const places = window.map((size, axis) => `${Math.floor(tap / sizeOf(window.slice(axis + 1))) % size}i`);
        const { coords, valid } = inside(inner, sizes, at, places);
        const x = toCarried(inner.at(atCoords([image, from, ...coords])).value(a), a.dtype);
        const sum = `sum${channel * taps + tap}`;
        inner.line(`${sum} += ${g} * ${valid ? `select(${type}(0), ${x}, ${valid})` : x};`);
      }
    }
    block.line(...inner.lines, '}');
    block.shader.declare(`var<workgroup> lanes: array<${type}, ${threads}>;`);
    block.shader.declare(
      [
        `fn added(lane: u32, mine: ${type}) -> ${type} {`,
        'workgroupBarrier();',
        'lanes[lane] = mine;',
        `for (var half = ${threads / 2}u; half > 0u; half /= 2u) {`,
        'workgroupBarrier();',
        'if (lane < half) { lanes[lane] += lanes[lane + half]; }',
        '}',
        'return lanes[lane];',
        '}',
      ].join('\n'),
    );
    for (let s = 0; s < sums; s++) block.line(`sum${s} = added(lane, sum${s});`);
    block.line('if (lane > 0u) { return; }');
    for (let s = 0; s < sums; s++) {
      if (parts > 1) block.line(`scratch[(${part} * ${o}u + u32(${out})) * ${sums}u + ${s}u] = bitcast<u32>(sum${s});`);
      else store(block, out, `${s}u`, `sum${s}`);
    }
  });
  if (parts === 1) return { dispatches: [main], scratch: 0 };
  const count = sizeOf(weights);
  const joined = dispatch(
    kernel,
    target,
    {
      header: [title, `${parts} parts of each sum added in order`],
      threads,
      groups: Math.ceil(count / threads),
      scratch: true,
    },
    (block) => {
      const i = block.once(`group * ${threads}u + lane`, 'i');
      if (count % threads) block.line(`if (${i} >= ${count}u) { return; }`);
      block.line(`var sum = ${type}(0);`, `for (var part = 0u; part < ${parts}u; part++) {`);
      block.line(`sum += bitcast<${type}>(scratch[part * ${count}u + ${i}]);`, '}');
      store(block, block.once(`i32(${i} / ${sums}u)`, 'o'), block.once(`${i} % ${sums}u`, 'weight'), 'sum');
    },
  );
  return { dispatches: [main, joined], scratch: parts * count };
}
