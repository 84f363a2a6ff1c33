/** The algebra of the ops: what a backend's answers must be to each other. */
import * as t from '@tessera/tensor';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { sumBound } from '../tolerance';
import { type Filled, filled, fullShapes, ordinary, sizeOf } from './arbitrary';
import { type Compute, tools, unit } from './property';
import type { Subject } from './subject';

export function describeAlgebra(of: Subject, runs: number): void {
  const { check, values } = tools(of, runs);
  describe(`algebra of ${of.name}`, () => {
    const someTensor = fullShapes().chain((shape) => filled(shape, ordinary()));

    check<[Filled, Filled]>(
      'addition and multiplication commute to the last bit',
      [someTensor, someTensor],
      async (a, b) => {
        const y = { shape: a.shape, data: a.data.map((_, i) => b.data[i % b.data.length] as number) };
        const [ab, ba, cd, dc] = await values((p, q) => [t.add(p, q), t.add(q, p), t.mul(p, q), t.mul(q, p)], [a, y]);
        expect(ab).toEqual(ba);
        expect(cd).toEqual(dc);
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
        for (const { shape, data: found } of await values(f, [poisoned])) {
          const data = [...found];
          const perRow = data.length / (shape[0] as number);
          expect(data.slice(1, perRow).every(Number.isNaN) && Number.isNaN(data[perRow - 1])).toBe(true);
          expect(data.slice(perRow).some(Number.isNaN)).toBe(false);
        }
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
        const [joined, flipped, rolled, none, least] = await values(f, [x]);
        const same = Float32Array.from(x.data);
        for (const each of [joined, flipped, rolled]) expect([...(each?.data ?? [])]).toEqual([...same]);
        expect([...(none?.data ?? [1])].every((value) => value === 0)).toBe(true);
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
        const [difference, total, count, magnitude] = await values(f, [x]);
        for (const [i, value] of [...(difference?.data ?? [])].entries())
          expect(Math.abs(value)).toBeLessThanOrEqual(2 * sumBound(size, magnitude?.data[i] as number));
        for (const value of total?.data ?? [])
          expect(Math.abs(value - 1)).toBeLessThanOrEqual(64 * unit * Math.sqrt(size));
        expect(count?.data[0]).toBe(sizeOf(x.shape) / size);
      },
    );
  });
}
