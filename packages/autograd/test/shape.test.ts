import {
  broadcastTo,
  cat,
  chunk,
  diagEmbed,
  diagonal,
  expand,
  flip,
  mul,
  pad,
  permute,
  repeat,
  reshape,
  roll,
  slice,
  square,
  stack,
  type Tensor,
  tril,
  unfold,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, it } from 'vitest';
import { checkGradients } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });
/** A product with itself behind the move, so that the move's gradient meets a cotangent that depends on x. */
const bent = (y: Tensor): Tensor => mul(y, square(y));

describe('gradients of shape moves', () => {
  it.each<[string, readonly number[], (x: Tensor) => Tensor]>([
    ['reshape', [2, 6], (x) => reshape(x, [3, -1])],
    ['permute', [2, 3, 4], (x) => permute(x, [2, 0, 1])],
    ['expand', [2, 1, 3], (x) => expand(x, [4, 2, 5, 3])],
    ['broadcastTo of one element', [], (x) => broadcastTo(x, [2, 3])],
    [
      'slice with a step',
      [7, 5],
      (x) =>
        slice(x, [
          [1, 6, 2],
          [null, null, 3],
        ]),
    ],
    ['slice backwards with a step', [7, 5], (x) => slice(x, [[6, 0, -2], -1])],
    ['an empty slice', [4, 3], (x) => slice(x, [[2, 2]])],
    ['flip', [3, 4], (x) => flip(x, [0, 1])],
    ['unfold with overlap', [7, 2], (x) => unfold(x, 0, 3, 1)],
    ['unfold with overlap and a step', [2, 9], (x) => unfold(x, 1, 4, 2)],
    ['unfold with gaps', [8], (x) => unfold(x, 0, 2, 3)],
    ['diagonal above', [3, 4, 5], (x) => diagonal(x, { offset: 1, dim1: 1, dim2: 2 })],
    ['diagonal below', [4, 3], (x) => diagonal(x, { offset: -2 })],
    ['diagEmbed', [2, 3], (x) => diagEmbed(x, { offset: -1 })],
    ['tril', [3, 4], (x) => tril(x, 1)],
    ['pad with zeros, cropping one side', [3, 4], (x) => pad(x, [1, -1, 0, 2])],
    ['pad with a number', [3, 4], (x) => pad(x, [1, 2], { value: 3 })],
    ['pad by reflection', [3, 4], (x) => pad(x, [2, 3, 1, 0], { mode: 'reflect' })],
    ['pad by repeating', [3, 4], (x) => pad(x, [2, 0, 1, 3], { mode: 'replicate' })],
    ['pad by wrapping', [3, 4], (x) => pad(x, [4, 2], { mode: 'circular' })],
    ['repeat', [2, 3], (x) => repeat(x, [2, 1, 2])],
    ['roll', [3, 4], (x) => roll(x, [1, -1], [0, 1])],
    ['chunk', [5, 2], (x) => mul(chunk(x, 2)[0] as Tensor, 2)],
  ])('agree with finite differences: %s', async (_, shape, move) => {
    await checkGradients((x) => bent(move(x)), [scattered(shape)], { backend });
  });

  it('agree with finite differences: cat and stack of several', async () => {
    const inputs = [scattered([2, 3]), scattered([2, 1], 1), scattered([2, 4], 2)];
    await checkGradients((...parts) => bent(cat(parts, 1)), inputs, { backend });
    await checkGradients(
      (a, b) => bent(stack([a as Tensor, b as Tensor, a as Tensor], 1)),
      [scattered([3]), scattered([3], 1)],
      { backend },
    );
  });
});
