/** Windows and the gradients of windows. */
import { expr as e, type PoolKernel, type PoolSizes, sizeOf } from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { acc, Case, float, two } from './case';
import { conv } from './conv';

export function pools(): KernelCase[] {
  const pool = (batch: number, input: number[], kernel: number[], options: Partial<PoolSizes> = {}): PoolSizes => {
    const { c: _c, n: _n, o: _o, groups: _groups, ...sizes } = conv(1, 1, 1, input, kernel, options);
    return { batch, ...sizes };
  };
  const table: readonly (readonly [string, PoolSizes])[] = [
    ['2×2 stride 2', pool(6, [14, 14], [2, 2], { stride: [2, 2] })],
    ['3×3 stride 2, padded, as ResNet begins', pool(5, [15, 16], [3, 3], { stride: [2, 2], padding: [1, 1] })],
    ['overlapping 3×3 stride 1', pool(3, [9, 9], [3, 3], { padding: [1, 1] })],
    ['overlapping in lines of twelve', pool(2, [5, 12], [3, 3], { padding: [1, 1] })],
    ['windows that hang over the end', pool(2, [7, 7], [2, 2], { stride: [2, 2], output: [4, 4] })],
    ['dilated', pool(2, [9, 11], [2, 3], { dilation: [2, 3] })],
    ['the whole plane', pool(9, [7, 7], [7, 7])],
    ['1d', pool(4, [33], [4], { stride: [3] })],
    ['3d', pool(2, [5, 6, 4], [2, 3, 2], { stride: [2, 1, 2] })],
    ['an empty batch', pool(0, [4, 4], [2, 2])],
  ];
  const one = (name: string, direction: PoolKernel['direction'], combine: PoolKernel['combine'], sizes: PoolSizes) => {
    const c = new Case();
    const [input, output] = [
      [sizes.batch, ...sizes.input],
      [sizes.batch, ...sizes.output],
    ];
    const shape = direction === 'forward' ? output : input;
    const stores = [c.store(shape, acc(0))];
    if (direction === 'forward' && combine === 'max') stores.push(c.store(shape, acc(1, 'int32')));
    const a = c.load(direction === 'forward' ? input : output);
    const b =
      direction === 'backward' && combine === 'max'
        ? c.load(output, { dtype: 'int32', data: firstPlaces(sizes) })
        : null;
    return c.done(`pool ${combine} ${direction}: ${name}`, { kind: 'pool', direction, combine, sizes, a, b, stores });
  };
  const cases = table.flatMap(([name, sizes]) =>
    (['max', 'sum'] as const).flatMap((combine) =>
      (['forward', 'backward'] as const).map((direction) => one(name, direction, combine, sizes)),
    ),
  );
  const nan = new Case();
  const [n, i] = [Number.NaN, Infinity];
  const a = nan.load([1, 4, 6], {
    data: [1, n, 3, 3, -i, -i, n, n, 3, 3, -i, -i, i, 5, -1, -1, 0, -0, 6, i, -1, -2, -0, 0],
  });
  const sizes = pool(1, [4, 6], [2, 2], { stride: [2, 2] });
  cases.push(
    nan.done('pool max: NaN wins, the first of equals is named, −∞ beats padding', {
      kind: 'pool',
      direction: 'forward',
      combine: 'max',
      sizes,
      a,
      b: null,
      stores: [nan.store([1, 2, 3], acc(0)), nan.store([1, 2, 3], acc(1, 'int32'))],
    }),
  );
  const alone = new Case();
  const lines = alone.load([2, 4, 8], {
    data: [
      n,
      1,
      2,
      n,
      -i,
      -i,
      4,
      3,
      5,
      6,
      7,
      8,
      -i,
      -i,
      i,
      n,
      ...Array.from({ length: 48 }, (_, k) => (k % 7 ? k % 5 : n)),
    ],
  });
  cases.push(
    alone.done('pool max: values alone, NaN first, between and last', {
      kind: 'pool',
      direction: 'forward',
      combine: 'max',
      sizes: pool(2, [4, 8], [2, 2], { stride: [2, 2] }),
      a: lines,
      b: null,
      stores: [alone.store([2, 2, 4], acc(0))],
    }),
  );
  const average = new Case();
  const counted = pool(4, [9, 9], [3, 3], { stride: [2, 2] });
  cases.push(
    average.done('an average pool with relu in front and a scale behind', {
      kind: 'pool',
      direction: 'forward',
      combine: 'sum',
      sizes: counted,
      a: two('max', average.load([4, 9, 9]), float(0)),
      b: null,
      stores: [average.store([4, 4, 4], e.mul(acc(0), float(1 / 9)))],
    }),
  );
  return cases;
}

/** For every window the place of one of its elements: the first, or for every third window the last. */
function firstPlaces({ batch, input, kernel, output, stride, dilation, padding }: PoolSizes): number[] {
  return Array.from({ length: batch * sizeOf(output) }, (_, window) => {
    let left = window % sizeOf(output);
    let place = 0;
    let scale = 1;
    for (let axis = input.length - 1; axis >= 0; axis--) {
      const p = left % output[axis]!;
      left = Math.floor(left / output[axis]!);
      const inside = Array.from(
        { length: kernel[axis]! },
        (_, r) => p * stride[axis]! + r * dilation[axis]! - padding[axis]!,
      ).filter((at) => at >= 0 && at < input[axis]!);
      place += (window % 3 === 2 ? inside.at(-1)! : inside[0]!) * scale;
      scale *= input[axis]!;
    }
    return place;
  });
}
