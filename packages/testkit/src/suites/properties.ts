/** For all shapes and numbers: a backend against the float64 reference, with bounds that follow the reduction's length. */
import { vjp } from '@tessera/autograd';
import type { Tensor } from '@tessera/tensor';
import * as t from '@tessera/tensor';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { sumBound } from '../tolerance';
import {
  anyNumber,
  broadcastable,
  type Filled,
  filled,
  fullShapes,
  moved,
  moves,
  ordinary,
  programs,
  run,
  shapes,
  sizeOf,
} from './arbitrary';
import { type Compute, exact, tools, unit } from './property';
import type { Subject } from './subject';

export function describeProperties(of: Subject, runs: number): void {
  const { check, compare, magnitudes } = tools(of, runs);
  describe(`properties of ${of.name}`, () => {
    const anyTensor = shapes().chain((shape) => filled(shape, anyNumber()));

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
    it('long sums stay within the same bound', async () => {
      for (const shape of [[70_001], [3, 5000], [5000, 3], [2, 2049, 2]]) {
        const x = { shape, data: Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(i) + 0.1)) };
        const axis = shape.indexOf(Math.max(...shape));
        const f: Compute = (v) => [t.sum(v, axis), t.mean(v, axis), t.sum(v)];
        const size = await magnitudes(f, [x]);
        const terms = [shape[axis] as number, shape[axis] as number, sizeOf(shape)];
        await compare(f, [x], (k, i) => sumBound(terms[k] as number, size[k]?.[i] as number));
      }
    });

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
        await compare(f, [a, b], (o, i) => sumBound(terms[o] as number, size[o]?.[i] as number) + 2 ** -126);
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
        await compare(f, [x, w], (k, i) => sumBound(terms[k] as number, size[k]?.[i] as number) + 2 ** -126);
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
