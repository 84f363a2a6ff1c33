/** Random shapes, numbers, views and programs for the properties. */
import * as t from '@tessera/tensor';
import { type Tensor, tensor } from '@tessera/tensor';
import fc from 'fast-check';

export type Sizes = readonly number[];
export const sizeOf = (shape: Sizes): number => shape.reduce((product, size) => product * size, 1);

/** Rank 0 to 4, sizes 0 to 6: zero-size and scalar shapes among them. */
export const shapes = () => fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 });
export const fullShapes = () => fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });

/** Ordinary float32 numbers. */
export const ordinary = () => fc.integer({ min: -4096, max: 4096 }).map((n) => Math.fround(n / 1024));
/** With NaN, infinities, zeros of both signs, tiny and huge among them. */
export const anyNumber = () =>
  fc.oneof(
    { weight: 4, arbitrary: ordinary() },
    fc.constantFrom(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      0,
      -0,
      Math.fround(1e-30),
      Math.fround(1e30),
    ),
  );

export interface Filled {
  readonly shape: Sizes;
  readonly data: readonly number[];
}
export const filled = (shape: Sizes, number: fc.Arbitrary<number>): fc.Arbitrary<Filled> =>
  fc.array(number, { minLength: sizeOf(shape), maxLength: sizeOf(shape) }).map((data) => ({ shape, data }));
export const make = ({ shape, data }: Filled): Tensor => tensor(Float32Array.from(data), { shape });

/** Two shapes that broadcast together: of one, axes become 1 or the first ones go. */
export const broadcastable = () =>
  shapes().chain((shape) => {
    const side = fc.record({
      ones: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      drop: fc.integer({ min: 0, max: 4 }),
    });
    const narrowed = ({ ones, drop }: { ones: boolean[]; drop: number }): Sizes =>
      shape.map((size, axis) => (ones[axis] ? 1 : size)).slice(Math.min(drop, shape.length));
    return fc.tuple(fc.constant(shape as Sizes), side.map(narrowed));
  });

/** A shape move, its arguments made to fit by remainders of random numbers. */
export type Move = readonly [kind: number, a: number, b: number, c: number];
export const moves = () => fc.array(fc.tuple(fc.nat(6), fc.nat(1000), fc.nat(1000), fc.nat(1000)), { maxLength: 5 });

export function moved(x: Tensor, [kind, a, b, c]: Move): Tensor {
  const shape = x.shape as Sizes;
  const rank = shape.length;
  if (rank === 0) return kind % 2 ? t.expand(x, [1 + (a % 3)]) : t.reshape(x, [1, 1]);
  const axis = a % rank;
  const size = shape[axis] as number;
  switch (kind) {
    case 0:
      return t.transpose(x, axis, b % rank);
    case 1:
      return t.flip(x, axis);
    case 2:
      return t.slice(x, [...Array(axis).fill(null), [b % (size + 1), null, 1 + (c % 3)]]);
    case 3:
      return t.slice(x, [...Array(axis).fill(null), [null, null, -1 - (c % 2)]]);
    case 4:
      return t.pad(t.transpose(x, axis, rank - 1), [b % 3, c % 3]);
    case 5:
      return rank < 4
        ? t.expand(t.unsqueeze(x, axis), [...shape.slice(0, axis), 1 + (b % 3), ...shape.slice(axis)])
        : t.flatten(x, 0, 1);
    default:
      return sizeOf(shape) === 0 ? t.unsqueeze(x, axis) : t.reshape(x, b % 2 ? [-1] : [size, -1]);
  }
}

/** One step of a random program: what to do, and which earlier values to do it with. */
export type Step = readonly [kind: number, first: number, second: number, extra: number];
export const programs = () =>
  fc.array(fc.tuple(fc.nat(15), fc.nat(1000), fc.nat(1000), fc.nat(1000)), {
    minLength: 1,
    maxLength: 12,
  });

/**
 * Runs a program over matrices [n,m]; every value stays a matrix of that shape and of numbers a few units large, so errors stay
 * small too, however the steps are put together into kernels.
 */
export function run(program: readonly Step[], inputs: readonly Tensor[]): Tensor[] {
  const values = [...inputs];
  const pick = (n: number): Tensor => values[n % values.length] as Tensor;
  for (const [kind, first, second, extra] of program) {
    const [a, b] = [pick(first), pick(second)];
    const axis = extra % 2;
    values.push(step(kind, a, b, axis, extra));
  }
  return values.slice(inputs.length);
}

function step(kind: number, a: Tensor, b: Tensor, axis: number, extra: number): Tensor {
  const [n, m] = a.shape as [number, number];
  switch (kind) {
    case 0:
      return t.tanh(t.add(a, b));
    case 1:
      return t.sub(t.mul(a, 0.5), t.mul(b, 0.25));
    case 2:
      return t.sin(a);
    case 3:
      return t.relu(t.sub(a, 0.25));
    case 4:
      return t.maximum(a, t.neg(b));
    case 5:
      return t.add(t.mul(a, 0.5), t.mean(b, axis, { keepdim: true }));
    case 6:
      return t.softmax(a, axis);
    case 7:
      return t.sub(a, t.amax(a, axis, { keepdim: true }));
    case 8:
      return t.flip(a, axis);
    case 9:
      return t.reshape(t.transpose(t.reshape(t.transpose(a), [m, n])), [n, m]);
    case 10:
      return t.roll(a, extra % 5, axis);
    case 11:
      return t.where(t.gt(a, 0), t.mul(a, 0.5), b);
    case 12:
      return t.tanh(t.matmul(t.matmul(a, t.transpose(b)), t.mul(a, 0.1)));
    case 13:
      return t.mul(t.cumsum(a, axis), 0.2);
    case 14:
      return t.slice(
        t.cat([a, b], axis),
        axis ? [null, [extra % (m + 1), (extra % (m + 1)) + m]] : [[extra % (n + 1), (extra % (n + 1)) + n]],
      );
    default:
      return t.expand(t.mean(t.cat([a, b], 0), 0, { keepdim: true }), [n, m]);
  }
}
