/** Convolutions of networks one meets, and of sizes one does not, in all three directions. */
import {
  applyMoves,
  type ConvKernel,
  type ConvSizes,
  contiguous,
  expr as e,
  type Move,
  type Store,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { acc, Case, float, type Own, two } from './case';

/** Sizes of a convolution, the output as PyTorch has it unless it is given. */
export const conv = (
  n: number,
  c: number,
  o: number,
  input: number[],
  kernel: number[],
  options: Partial<ConvSizes> = {},
): ConvSizes => {
  const stride = options.stride ?? kernel.map(() => 1);
  const dilation = options.dilation ?? kernel.map(() => 1);
  const padding = options.padding ?? kernel.map(() => 0);
  const output = input.map(
    (size, i) => Math.floor((size + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
  );
  return { n, c, o, groups: 1, input, kernel, output, ...options, stride, dilation, padding };
};

export function convolutions(): KernelCase[] {
  const table: readonly (readonly [string, ConvSizes])[] = [
    ['3×3, 64 to 64 channels on 14²', conv(2, 64, 64, [14, 14], [3, 3], { padding: [1, 1] })],
    ['7×7 stride 2, as ResNet begins', conv(1, 3, 16, [32, 32], [7, 7], { stride: [2, 2], padding: [3, 3] })],
    ['11×11 stride 4, as AlexNet begins', conv(1, 3, 8, [35, 35], [11, 11], { stride: [4, 4], padding: [2, 2] })],
    ['1×1', conv(2, 40, 33, [9, 7], [1, 1])],
    ['1×1 stride 2, as ResNet shortens', conv(2, 16, 32, [9, 9], [1, 1], { stride: [2, 2] })],
    ['1×1 of a padded input', conv(1, 3, 5, [4, 4], [1, 1], { padding: [1, 1] })],
    ['depthwise 3×3', conv(2, 32, 32, [10, 10], [3, 3], { groups: 32, padding: [1, 1] })],
    [
      'depthwise with two outputs a channel',
      conv(1, 6, 12, [9, 9], [3, 3], { groups: 6, stride: [2, 2], padding: [1, 1] }),
    ],
    ['3 groups', conv(2, 12, 18, [8, 8], [3, 3], { groups: 3, padding: [1, 1] })],
    ['dilated 3×3', conv(1, 5, 7, [17, 15], [3, 3], { dilation: [2, 3], padding: [2, 3] })],
    ['5×1 and stride of two kinds', conv(2, 4, 6, [20, 11], [5, 1], { stride: [3, 2], padding: [2, 0] })],
    [
      'strided one way, dilated the other',
      conv(1, 4, 2, [8, 9], [3, 4], { stride: [1, 3], dilation: [2, 1], padding: [0, 2] }),
    ],
    ['a kernel as large as its input, as a linear layer', conv(3, 8, 20, [5, 5], [5, 5])],
    ['zeros in front only', conv(1, 3, 4, [9, 9], [3, 3], { padding: [2, 2], output: [8, 8], stride: [1, 1] })],
    ['a window far beyond the end', conv(1, 2, 3, [4, 5], [3, 3], { output: [7, 9] })],
    ['input left over by the stride', conv(1, 3, 3, [11, 12], [2, 2], { stride: [3, 3] })],
    ['1d', conv(3, 5, 9, [50], [7], { stride: [2], padding: [3] })],
    ['1d, one channel, long', conv(1, 1, 1, [1000], [25], { padding: [12] })],
    ['3d', conv(1, 3, 4, [6, 7, 8], [3, 2, 3], { stride: [1, 2, 1], padding: [1, 0, 1] })],
    ['one element', conv(1, 1, 1, [1, 1], [1, 1])],
    ['an empty batch', conv(0, 3, 4, [5, 5], [3, 3])],
  ];
  return table
    .flatMap(([name, sizes]) =>
      (['forward', 'inputGrad', 'weightGrad'] as const).map((direction) => {
        const c = new Case();
        return c.done(
          `conv ${direction}: ${name}`,
          convOf(c, direction, sizes, (shape) => [c.store(shape, acc(0))]),
        );
      }),
    )
    .concat(convolutionsWithMore());
}

function convOf(
  c: Case,
  direction: ConvKernel['direction'],
  sizes: ConvSizes,
  stores: (shape: readonly number[]) => Store[],
): Own<ConvKernel> {
  const x = [sizes.n, sizes.c, ...sizes.input];
  const w = [sizes.o, sizes.c / sizes.groups, ...sizes.kernel];
  const y = [sizes.n, sizes.o, ...sizes.output];
  const [a, b, shape] = ({ forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] } as const)[direction];
  return { kind: 'conv', direction, sizes, a: c.load(a), b: c.load(b), stores: stores(shape) };
}

function convolutionsWithMore(): KernelCase[] {
  const sizes = conv(2, 8, 20, [9, 9], [3, 3], { padding: [1, 1] });
  const shape = [2, 20, 9, 9];
  const fused = new Case();
  const affine = (size = 20) =>
    fused.load([size], {
      moves: [
        { type: 'reshape', shape: [1, 20, 1, 1] },
        { type: 'expand', shape },
      ],
    });
  const skip = fused.load(shape);
  const y = two('max', e.add(e.add(e.mul(acc(0), affine()), affine()), skip), float(0));

  const permuted = new Case();
  const channelsLast: Move[] = [{ type: 'permute', axes: [0, 3, 1, 2] }];
  const lastStore = applyMoves(contiguous([2, 9, 9, 20]), channelsLast) as View;

  const operands = new Case();
  const mean = operands.load([8], {
    moves: [
      { type: 'reshape', shape: [1, 8, 1, 1] },
      { type: 'expand', shape: [2, 8, 9, 9] },
    ],
  });

  const sgd = new Case();
  const weight = sgd.input('float32', 20 * 8 * 9);
  const weightView = contiguous([20, 8, 3, 3]);

  return [
    fused.done(
      'conv with affine, residual and relu behind it',
      convOf(fused, 'forward', sizes, () => [fused.store(shape, y), fused.store(shape, acc(0))]),
    ),
    permuted.done('conv of channels-last arrays through their views', {
      kind: 'conv',
      direction: 'forward',
      sizes,
      a: permuted.load([2, 9, 9, 8], { moves: channelsLast }),
      b: permuted.load([20, 3, 3, 8], { moves: channelsLast }),
      stores: [permuted.storeTo(lastStore, acc(0), 'float32', sizeOf(shape))],
    }),
    operands.done('conv of a normalised input: zero padding comes after the expression', {
      kind: 'conv',
      direction: 'forward',
      sizes,
      a: e.add(operands.load([2, 8, 9, 9]), mean),
      b: e.mul(operands.load([20, 8, 3, 3]), float(0.5)),
      stores: [operands.store(shape, acc(0))],
    }),
    sgd.done(
      'the gradient of weights updates them in place',
      convOf(sgd, 'weightGrad', sizes, () => [
        sgd.storeOver(
          weight,
          weightView,
          e.sub(sgd.at(weight, weightView), e.mul(sgd.uniform('float32', 0.01), acc(0))),
        ),
      ]),
    ),
  ];
}
