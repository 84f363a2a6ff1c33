/** What properties are written with: random values, the backend's answers, the oracle's beside them. */
import type { Tensor } from '@tessera/tensor';
import type { Backend } from '@tessera/tensor/backend';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeMiss, firstMiss } from '../tolerance';
import { type Filled, make } from './arbitrary';
import { on, type Subject } from './subject';

export const unit = 2 ** -24;
export type Compute = (...inputs: Tensor[]) => readonly Tensor[];
/** Allowed miss of element i of output k. */
export type Allowed = (k: number, i: number, wanted: number) => number;

export const exact: Allowed = () => 0;

export interface Tools {
  /** Registers a test that holds for `runs` random values. */
  check<Values extends [unknown, ...unknown[]]>(
    title: string,
    arbitraries: { [K in keyof Values]: fc.Arbitrary<Values[K]> },
    property: (...values: Values) => Promise<void>,
    times?: number,
  ): void;
  /** What f gives on the backend. */
  values(
    f: Compute,
    inputs: readonly Filled[],
  ): Promise<{ shape: number[]; data: ArrayLike<number> & Iterable<number> }[]>;
  /** The backend's values of f against the oracle's. */
  compare(f: Compute, inputs: readonly Filled[], allowed: Allowed): Promise<void>;
  /** f on absolute inputs, in float64: Σ|terms| of each element. */
  magnitudes(f: Compute, inputs: readonly Filled[]): Promise<ArrayLike<number>[]>;
}

export function tools(of: Subject, runs: number): Tools {
  const valuesOn = (backend: Backend, f: Compute, inputs: readonly Filled[]) =>
    on(backend, () =>
      Promise.all(f(...inputs.map(make)).map(async (y) => ({ shape: y.shape as number[], data: await y.data() }))),
    );
  return {
    check: (title, arbitraries, property, times = runs) => {
      it(title, () => fc.assert(fc.asyncProperty(...arbitraries, property), { numRuns: times, seed: 1 }));
    },
    values: async (f, inputs) => valuesOn(await of.backend(), f, inputs),
    compare: async (f, inputs, allowed) => {
      const [saw, wanted] = [await valuesOn(await of.backend(), f, inputs), await valuesOn(of.oracle, f, inputs)];
      wanted.forEach(({ shape, data }, k) => {
        const got = saw[k]?.data ?? [];
        const bound = (i: number): number => {
          const value = data[i] as number;
          // what float32 cannot hold may be infinite there
          const overflows = Math.abs(value) > 3.4e38 && Math.abs(got[i] as number) === Number.POSITIVE_INFINITY;
          return overflows ? Number.POSITIVE_INFINITY : allowed(k, i, value);
        };
        expect(saw[k]?.shape).toEqual(shape);
        const miss = firstMiss(`output ${k}`, shape, got, data, bound);
        if (miss) throw new Error(describeMiss(miss));
      });
    },
    magnitudes: async (f, inputs) => {
      const absolute = inputs.map(({ shape, data }) => ({ shape, data: data.map(Math.abs) }));
      return (await valuesOn(of.oracle, f, absolute)).map(({ data }) => data);
    },
  };
}
