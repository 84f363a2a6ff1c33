import { beforeEach, expect, it } from 'vitest';
import { cacheUse } from '../src/inspect';
import { defineOp, read } from '../src/op';
import { reference } from '../src/reference';
import { setBackend } from '../src/runtime';
import { type Tensor, type TensorLike, tensor } from '../src/tensor';

beforeEach(() => setBackend(reference()));

/** A copy whose plan has a key of about so many bytes. */
const noted = defineOp({
  name: 'noted',
  args: (x: TensorLike, note: string) => [[x], { note }],
  shape: ([x]) => x as Tensor,
  lower: ([x]) => ({ kind: 'map', outs: [read(x as never)] }),
});
const run = (letter: string, length: number) => noted(tensor([1]), letter.repeat(length)).data();
const made = async (work: () => Promise<unknown>) => {
  const { plans } = cacheUse();
  await work();
  return cacheUse().plans - plans;
};

it('plans are kept until those used since fill 8 MiB of keys', async () => {
  for (const letter of 'abc') expect(await made(() => run(letter, 2 ** 21))).toBe(1);
  for (const letter of 'abca') expect(await made(() => run(letter, 2 ** 21))).toBe(0);
  // one more than fits: b was not used for longest
  expect(await made(() => run('d', 2 ** 21))).toBe(1);
  for (const letter of 'cad') expect(await made(() => run(letter, 2 ** 21))).toBe(0);
  expect(await made(() => run('b', 2 ** 21))).toBe(1);
});

it('a plan that is larger than all is kept alone', async () => {
  expect(await made(() => run('a', 2 ** 23))).toBe(1);
  expect(await made(() => run('a', 2 ** 23))).toBe(0);
});
