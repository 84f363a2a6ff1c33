/**
 * What holds for all shapes and numbers: a backend against the float64 reference with bounds that follow the reduction's length,
 * and the algebra of the ops against itself.
 */
import { vjp } from '@tessera/autograd';
import type { Tensor } from '@tessera/tensor';
import * as t from '@tessera/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeMiss, firstMiss, sumBound } from '../tolerance';
import {
  anyNumber,
  broadcastable,
  type Filled,
  filled,
  fullShapes,
  make,
  moved,
  moves,
  ordinary,
  programs,
  run,
  shapes,
  sizeOf,
} from './arbitrary';
import { on, type Subject } from './subject';

const unit = 2 ** -24;
type Compute = (...inputs: Tensor[]) => readonly Tensor[];
/** Allowed miss of element i of output k, or null: only the same bits will do. */
type Allowed = (k: number, i: number, wanted: number) => number;

export function describeProperties(of: Subject, runs: number, slack = 1): void {
  const check = <Values extends [unknown, ...unknown[]]>(
    title: string,
    arbitrary: { [K in keyof Values]: fc.Arbitrary<Values[K]> },
    property: (...values: Values) => Promise<void>,
    times = runs,
  ) => it(title, () => fc.assert(fc.asyncProperty(...arbitrary, property), { numRuns: times, seed: 1 }));

  const values = (backend: Parameters<typeof on>[0], f: Compute, inputs: readonly Filled[]) =>
    on(backend, () =>
      Promise.all(f(...inputs.map(make)).map(async (y) => ({ shape: y.shape as number[], data: await y.data() }))),
    );

  /** The backend's values of f beside the oracle's. */
  async function compare(f: Compute, inputs: readonly Filled[], allowed: Allowed): Promise<void> {
    const [saw, wanted] = [await values(await of.backend(), f, inputs), await values(of.oracle, f, inputs)];
    wanted.forEach(({ shape, data }, k) => {
      const bound = (i: number): number => {
        const value = data[i] as number;
        if (Math.abs(value) > 3.4e38 && Math.abs(saw[k]?.data[i] as number) === Number.POSITIVE_INFINITY)
          return Number.POSITIVE_INFINITY;
        return allowed(k, i, value);
      };
      expect(saw[k]?.shape).toEqual(shape);
      const miss = firstMiss(`output ${k}`, shape, saw[k]?.data ?? [], data, bound);
      if (miss) throw new Error(describeMiss(miss));
    });
  }
  const exact: Allowed = () => 0;
  /** Values of f on absolute inputs, in float64: Σ|terms| of each element. */
  const magnitudes = async (f: Compute, inputs: readonly Filled[]) =>
    (
      await values(
        of.oracle,
        f,
        inputs.map(({ shape, data }) => ({ shape, data: data.map(Math.abs) })),
      )
    ).map(({ data }) => data);

  describe(`properties of ${of.name}`, () => {
    const anyTensor = shapes().chain((shape) => filled(shape, anyNumber()));
    const someTensor = fullShapes().chain((shape) => filled(shape, ordinary()));

    check<[Filled, (readonly [number, number, number, number])[]]>(
      'views of views are the same elements, NaN and all',
      [anyTensor, moves()],
      (x, chain) => compare((v) => [chain.reduce(moved, v)], [x], exact),
    );

    const pair = broadcastable().chain(([a, b]) => fc.tuple(filled(a, anyNumber()), filled(b, anyNumber())));
    check<[[Filled, Filled], (readonly [number, number, number, number])[]]>(
      'arithmetic broadcasts, also over views, and hands NaN and infinities on',
      [pair, moves()],
      ([a, b], chain) => {
        const through = (x: Tensor): Tensor =>
          chain.slice(0, 2).reduce((y, move) => (move[0] < 2 ? moved(y, move) : y), x);
        return compare(
          (x, y) => {
            const z = through(t.mul(x, 1));
            return [
              t.add(x, y),
              t.sub(y, x),
              t.mul(x, y),
              t.div(x, y),
              t.maximum(x, y),
              t.minimum(x, y),
              t.add(z, z),
              t.cast(t.lt(x, y), 'float32'),
              t.where(t.ge(y, x), x, y),
            ];
          },
          [a, b],
          (_, __, wanted) => 4 * unit * Math.abs(wanted) + 2 ** -126,
        );
      },
    );

    check<[Filled, Filled]>(
      'addition and multiplication commute to the last bit',
      [someTensor, someTensor],
      async (a, b) => {
        const y = { shape: a.shape, data: a.data.map((_, i) => b.data[i % b.data.length] as number) };
        const [ab, ba, cd, dc] = await values(
          await of.backend(),
          (p, q) => [t.add(p, q), t.add(q, p), t.mul(p, q), t.mul(q, p)],
          [a, y],
        );
        expect(ab).toEqual(ba);
        expect(cd).toEqual(dc);
      },
    );

    const axes = fc.uniqueArray(fc.nat(3), { maxLength: 3 });
    const chosen = (rank: number, picked: readonly number[]): number[] =>
      [...new Set(picked.map((axis) => axis % Math.max(rank, 1)))].filter((axis) => axis < rank);
    check<[Filled, number[], boolean]>(
      'sums and means stay within 3·u·√K·Σ|terms|, over any axes, of nothing too',
      [shapes().chain((shape) => filled(shape, ordinary())), axes, fc.boolean()],
      async (x, picked, keepdim) => {
        const dims = chosen(x.shape.length, picked);
        const terms = dims.length ? dims.reduce((n, axis) => n * (x.shape[axis] as number), 1) : sizeOf(x.shape);
        const f: Compute = (v) => [t.sum(v, dims, { keepdim }), t.mean(v, dims, { keepdim })];
        const size = await magnitudes(f, [x]);
        await compare(f, [x], (k, i) => sumBound(terms, size[k]?.[i] as number) + 2 ** -126);
      },
    );
    check<[Filled, number[], boolean]>(
      'extremes, their places and tests are exact; NaN wins',
      [fullShapes().chain((shape) => filled(shape, anyNumber())), axes, fc.boolean()],
      (x, picked, keepdim) => {
        const dims = chosen(x.shape.length, picked);
        const one = dims[0] ?? 0;
        return compare(
          (v) => [
            t.amax(v, dims, { keepdim }),
            t.amin(v, dims, { keepdim }),
            t.argmax(v, one, { keepdim }),
            t.argmin(v, one, { keepdim }),
            t.any(t.isNan(v), dims, { keepdim }),
            ...t.sort(v, one),
          ],
          [x],
          exact,
        );
      },
    );
    check<[Filled]>(
      'a NaN spoils its own row and no other',
      [fc.constantFrom([3, 5], [4, 33], [2, 257]).chain((shape) => filled(shape, ordinary()))],
      async (x) => {
        const poisoned = { ...x, data: x.data.map((value, i) => (i === 1 ? Number.NaN : value)) };
        const f: Compute = (v) => [
          t.sum(v, 1),
          t.amax(v, 1),
          t.amin(v, 1),
          t.softmax(v, 1),
          t.logsumexp(v, 1),
          t.variance(v, 1),
          t.cumsum(v, 1),
        ];
        for (const { shape, data } of await values(await of.backend(), f, [poisoned])) {
          const perRow = data.length / (shape[0] as number);
          expect(data.slice(1, perRow).every(Number.isNaN) && Number.isNaN(data[perRow - 1])).toBe(true);
          expect(data.slice(perRow).some(Number.isNaN)).toBe(false);
        }
      },
    );

    const edge = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(16, 17, 31, 64, 65, 100));
    const matrices = fc
      .record({
        batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
        m: edge,
        n: edge,
        k: edge,
        shared: fc.boolean(),
      })
      .chain(({ batch, m, n, k, shared }) =>
        fc.tuple(filled([...batch, m, k], ordinary()), filled([...(shared ? [] : batch), k, n], ordinary())),
      );
    check<[[Filled, Filled]]>(
      'matmul and its gradients stay within 3·u·√K·Σ|aₖbₖ|; (AB)ᵀ = BᵀAᵀ',
      [matrices],
      async ([a, b]) => {
        const f: Compute = (x, y) => {
          const { value, pullback } = vjp((p, q) => t.matmul(p, q), [x, y]);
          const back = t.transpose(t.matmul(t.transpose(y), t.transpose(x)));
          return [value, back, ...pullback(t.ones(value.shape))];
        };
        const [k, n] = b.shape.slice(-2) as [number, number];
        const m = a.shape[a.shape.length - 2] as number;
        const batch = sizeOf(a.shape.slice(0, -2));
        const terms = [k, k, n, m * batch];
        const size = await magnitudes(f, [a, b]);
        await compare(f, [a, b], (o, i) => 2 * sumBound(terms[o] as number, size[o]?.[i] as number) + 2 ** -126);
      },
    );

    const few = fc.integer({ min: 1, max: 3 });
    const convolutions = fc
      .record({
        n: few,
        c: few,
        o: few,
        groups: few,
        h: fc.integer({ min: 1, max: 9 }),
        w: fc.integer({ min: 1, max: 9 }),
        r: few,
        s: few,
        stride: few,
        padding: fc.nat(2),
        dilation: fc.integer({ min: 1, max: 2 }),
      })
      .filter(
        ({ h, w, r, s, padding, dilation }) =>
          h + 2 * padding > dilation * (r - 1) && w + 2 * padding > dilation * (s - 1),
      )
      .chain(({ n, c, o, groups, h, w, r, s, ...options }) =>
        fc.tuple(
          filled([n, c * groups, h, w], ordinary()),
          filled([o * groups, c, r, s], ordinary()),
          fc.constant({ ...options, groups }),
        ),
      );
    check<[[Filled, Filled, t.ConvOptions & { groups: number }]]>(
      'convolution and its gradients stay within their sums’ bounds',
      [convolutions],
      async ([x, w, options]) => {
        let places = 1;
        const f: Compute = (a, b) => {
          const { value, pullback } = vjp((p, q) => t.conv2d(p, q, options), [a, b]);
          places = sizeOf(value.shape.slice(2) as number[]);
          return [value, ...pullback(t.ones(value.shape))];
        };
        const size = await magnitudes(f, [x, w]);
        const window = sizeOf(w.shape.slice(2));
        const terms = [
          (w.shape[1] as number) * window,
          ((w.shape[0] as number) / options.groups) * window,
          (x.shape[0] as number) * places,
        ];
        await compare(f, [x, w], (k, i) => slack * sumBound(terms[k] as number, size[k]?.[i] as number) + 2 ** -126);
      },
    );

    check<[Filled, number]>(
      'what was split joins again, what was sorted gathers, what was flipped flips back',
      [someTensor, fc.nat(3)],
      async (x, a) => {
        const axis = a % x.shape.length;
        const f: Compute = (v) => {
          const [sorted, places] = t.sort(v, axis);
          return [
            t.cat(t.split(v, 2, axis), axis),
            t.flip(t.flip(v, axis), axis),
            t.roll(t.roll(v, 2, axis), -2, axis),
            t.sub(t.gather(v, axis, places), sorted),
            t.amin(
              t.sub(
                t.narrow(sorted, axis, 1, (x.shape[axis] as number) - 1),
                t.narrow(sorted, axis, 0, (x.shape[axis] as number) - 1),
              ),
            ),
          ];
        };
        if ((x.shape[axis] as number) < 2) return;
        const [joined, flipped, rolled, none, least] = await values(await of.backend(), f, [x]);
        const same = Float32Array.from(x.data);
        for (const each of [joined, flipped, rolled]) expect([...(each?.data ?? [])]).toEqual([...same]);
        expect(none?.data.every((value) => value === 0)).toBe(true);
        expect(least?.data[0]).toBeGreaterThanOrEqual(0);
      },
    );
    check<[Filled, number]>(
      'running sums end in the sum, softmax adds up to one, counts count',
      [someTensor, fc.nat(3)],
      async (x, a) => {
        const axis = a % x.shape.length;
        const size = x.shape[axis] as number;
        const f: Compute = (v) => [
          t.sub(t.select(t.cumsum(v, axis), axis, -1), t.sum(v, axis)),
          t.sum(t.softmax(v, axis), axis),
          t.sum(t.oneHot(t.argmax(v, axis), size)),
          t.sum(t.abs(v), axis),
        ];
        const [difference, total, count, magnitude] = await values(await of.backend(), f, [x]);
        for (const [i, value] of (difference?.data ?? []).entries())
          expect(Math.abs(value)).toBeLessThanOrEqual(2 * sumBound(size, magnitude?.data[i] as number));
        for (const value of total?.data ?? [])
          expect(Math.abs(value - 1)).toBeLessThanOrEqual(64 * unit * Math.sqrt(size));
        expect(count?.data[0]).toBe(sizeOf(x.shape) / size);
      },
    );

    const program = fc
      .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9 }))
      .chain((shape) => fc.tuple(filled(shape, ordinary()), filled(shape, ordinary()), programs(), fc.boolean()));
    check<[[Filled, Filled, (readonly [number, number, number, number])[], boolean]]>(
      'programs of many ops give the same values however they are fused',
      [program],
      ([a, b, steps, all]) =>
        compare(
          (x, y) => {
            const made = run(steps, [x, y]);
            return all ? made : made.slice(-1);
          },
          [a, b],
          (_, __, wanted) => 1e-4 * (1 + Math.abs(wanted)),
        ),
      3 * runs,
    );
    check<[[Filled, Filled, (readonly [number, number, number, number])[], boolean]]>(
      'so do their gradients',
      [program],
      ([a, b, steps]) =>
        compare(
          (x, y) => {
            const { value, pullback } = vjp((p, q) => run(steps.slice(0, 6), [p, q]).slice(-1)[0] as Tensor, [x, y]);
            return pullback(t.ones(value.shape));
          },
          [a, b],
          (_, __, wanted) => 1e-3 * (1 + Math.abs(wanted)),
        ),
      runs,
    );
  });
}
