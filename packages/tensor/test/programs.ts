/** Random programs for property tests of the scheduler: steps that each build one more tensor from those there are. */
import fc from 'fast-check';
import type { compile } from '../src/compile';
import { relu } from '../src/ops/activation';
import { add, maximum, mul, sub } from '../src/ops/arithmetic';
import { gt, where } from '../src/ops/comparison';
import { indexSelect } from '../src/ops/indexing';
import { cat } from '../src/ops/join';
import { matmul } from '../src/ops/linalg';
import { cos, sin } from '../src/ops/math';
import { batchNorm } from '../src/ops/norm';
import { pad } from '../src/ops/pad';
import { maxPool2d } from '../src/ops/pool';
import { amax, mean, sum } from '../src/ops/reduction';
import { cumsum } from '../src/ops/scan';
import { scatterAdd } from '../src/ops/scatter';
import { expand, permute, reshape } from '../src/ops/shape';
import { flip, slice } from '../src/ops/slice';
import { softmax } from '../src/ops/softmax';
import { State } from '../src/state';
import { realize, type Tensor, tensor } from '../src/tensor';

/** A choice that builds one more tensor from those there are: small shapes of rank 3. */
export type Build = (pick: (i: number) => Tensor, seed: number) => Tensor;
export const shape = [2, 3, 4];
const like = (x: Tensor): Tensor =>
  x.rank === 3 ? x : reshape(x, [...Array(Math.max(0, 3 - x.rank)).fill(1), ...x.shape].slice(-3) as number[]);
const full = (x: Tensor): Tensor => expand(like(x), shape);

export const builds: Record<string, Build> = {
  add: (pick) => add(pick(0), pick(1)),
  mul: (pick) => mul(pick(0), pick(1)),
  scaled: (pick, seed) => add(mul(pick(0), (seed % 5) - 2), 0.5),
  sine: (pick) => sin(cos(sin(cos(sin(pick(0)))))),
  relu: (pick) => relu(sub(pick(0), pick(1))),
  mask: (pick) => where(gt(pick(0), pick(1)), pick(0), maximum(pick(1), 0)),
  sum: (pick, seed) => full(sum(pick(0), seed % 3, { keepdim: true })),
  sumAll: (pick) => full(mul(sum(pick(0)), 0.1)),
  meanPair: (pick) => full(mean(pick(0), [0, 2], { keepdim: true })),
  centred: (pick, seed) => sub(pick(0), mean(pick(0), seed % 3, { keepdim: true })),
  amax: (pick, seed) => full(amax(pick(0), seed % 3, { keepdim: true })),
  softmax: (pick, seed) => softmax(pick(0), seed % 3),
  permuteBack: (pick) => permute(mul(permute(pick(0), [2, 0, 1]), 1.5), [1, 2, 0]),
  transposed: (pick) => reshape(permute(pick(0), [2, 1, 0]), shape),
  flip: (pick, seed) => flip(pick(0), [seed % 3]),
  reshaped: (pick) => reshape(add(reshape(pick(0), [6, 4]), 1), shape),
  shifted: (pick) => pad(slice(pick(0), [null, null, [1, null]]), [1, 0]),
  padded: (pick) => slice(sin(pad(pick(0), [2, 1])), [null, null, [0, 4]]),
  matmul: (pick) => matmul(matmul(pick(0), permute(pick(1), [0, 2, 1])), pick(0)),
  cat: (pick) => slice(cat([pick(0), mul(pick(1), 2)], 1), [null, [1, 4]]),
  select: (pick) => indexSelect(pick(0), 1, tensor(Int32Array.of(2, 0, 0))),
  scatter: (pick) =>
    scatterAdd(
      pick(0),
      1,
      tensor(
        new Int32Array(24).map((_, i) => i % 3),
        { shape },
      ),
      pick(1),
    ),
  cumsum: (pick, seed) => cumsum(pick(0), seed % 3),
  pool: (pick) =>
    pad(reshape(maxPool2d(reshape(pick(0), [1, ...shape]), 2, { stride: 1 }) as Tensor, [2, 2, 3]), [0, 1, 1, 0]),
  norm: (pick) => reshape(batchNorm(reshape(pick(0), [2, 3, 2, 2]), { training: true, eps: 0.1 }), shape),
};

export const programs = fc.record({
  steps: fc.array(
    fc.record({ build: fc.constantFrom(...Object.keys(builds)), a: fc.nat(), b: fc.nat(), seed: fc.nat(100) }),
    { minLength: 1, maxLength: 14 },
  ),
  wanted: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
});

export type Program = typeof programs extends fc.Arbitrary<infer P> ? P : never;

export const inputs = (): Tensor[] =>
  [0, 1, 2].map((seed) =>
    tensor(
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i * 1.7 + seed * 5) * 2),
      { shape },
    ),
  );

export async function each(tensors: readonly Tensor[]): Promise<number[][]> {
  return Promise.all(tensors.map(async (x) => [...(await x.data())]));
}

/** The tensors that a program asks for; `settle` has each one's values made before the next is built on it. */
export async function grow({ steps, wanted }: Program, settle: boolean): Promise<Tensor[]> {
  const known = inputs();
  for (const { build, a, b, seed } of steps) {
    const operands = [known[a % known.length], known[b % known.length]] as Tensor[];
    const next = (builds[build] as Build)((i) => operands[i] as Tensor, seed);
    if (settle) await realize(next);
    known.push(next);
  }
  return wanted.map((i) => known[known.length - 1 - (i % steps.length)] as Tensor);
}

/** Runs a program for three steps on three states that it reads and assigns; the losses, and the values of the states at the end. */
export async function train({ steps, wanted }: Program, wrap: typeof compile): Promise<number[][]> {
  const states = inputs().map((x) => new State(x));
  const step = wrap((x: Tensor) => {
    const known = [x, ...states.map((state) => state.read())];
    for (const { build, a, b, seed } of steps) {
      const operands = [known[a % known.length], known[b % known.length]] as Tensor[];
      known.push(
        softmax(
          (builds[build] as Build)((i) => operands[i] as Tensor, seed),
          2,
        ),
      );
    }
    wanted.forEach((i, place) => {
      states[(i + place) % states.length]?.assign(known[known.length - 1 - (i % steps.length)] as Tensor);
    });
    return sum(known[known.length - 1] as Tensor);
  });
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push(await step(inputs()[i] as Tensor).item());
  return [losses, ...(await Promise.all(states.map(async (state) => [...(await state.data())])))];
}
