/** What inputs look like over a training, to notice when later ones look otherwise. */
import {
  add,
  amax,
  amin,
  full,
  isMeta,
  maximum,
  mean,
  minimum,
  ShapeError,
  select,
  showShape,
  square,
  stack,
  std,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { Buffer, Module } from './module';
import type { Keeps, shapes } from './types';
import { wantCount } from './want-count';

/** One number over all batches seen. */
export interface Spread {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
}
export interface InputReport {
  readonly batches: number;
  /** Of each axis' size. */
  readonly sizes: readonly Spread[];
  /** Of the batches' smallest value, largest value, mean and standard deviation. */
  readonly values: Readonly<Record<Measure, Spread>>;
}
const measures = ['min', 'max', 'mean', 'std'] as const;
type Measure = (typeof measures)[number];

/**
 * y = x. In training it keeps, for each axis' size and for min, max, mean and standard deviation of each batch: the smallest and
 * largest so far, their number, sum and sum of squares, in buffers that are saved with the model. torchmore's inputstats.InputStats
 * @throws forward: ShapeError for another rank.
 */
export class InputStats extends Module {
  declare readonly [shapes]: Keeps;
  /** [rank,5]: min, max, n, Σ, Σ² of each axis' size. */
  readonly sizes: Buffer;
  /** [4,5]: the same of the batches' min, max, mean and standard deviation. */
  readonly values: Buffer;
  constructor({ rank = 4 }: { readonly rank?: number } = {}) {
    super();
    wantCount('InputStats', 'rank', rank);
    this.sizes = new Buffer(nothing(rank));
    this.values = new Buffer(nothing(measures.length));
  }
  forward(x: Tensor): Tensor {
    const rank = this.sizes.shape[0] as number;
    if (x.rank !== rank)
      throw new ShapeError(
        `inputStats: input ${showShape(x.shape)} has ${x.rank} axes, wants ${rank}; make it with rank ${x.rank}`,
      );
    if (!this.training || isMeta(x)) return x;
    take(this.sizes, stack((x.shape as readonly number[]).map((size) => full([], size))));
    take(this.values, measured(x));
    return x;
  }

  /** What was seen so far. NaN of nothing. */
  async report(): Promise<InputReport> {
    const [sizes, values] = [await spreads(this.sizes), await spreads(this.values)];
    return {
      batches: (await this.values.data())[2] as number,
      sizes,
      values: Object.fromEntries(measures.map((name, i) => [name, values[i]])) as InputReport['values'],
    };
  }
  /**
   * How far a batch lies from those seen in training, in standard deviations of the batches: what is above 3 or so drifted.
   * Infinity where all were alike and this one is not.
   */
  async drift(x: Tensor): Promise<Readonly<Record<Measure, number>>> {
    const now = await measured(x).data();
    const seen = await spreads(this.values);
    const far = (value: number, { mean: middle, std: deviation }: Spread): number =>
      value === middle ? 0 : Math.abs(value - middle) / deviation;
    return Object.fromEntries(measures.map((name, i) => [name, far(now[i] as number, seen[i] as Spread)])) as Record<
      Measure,
      number
    >;
  }
}

const nothing = (rows: number): Tensor =>
  tensor(Array.from({ length: rows }, () => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0]));
/** [4]: min, max, mean and standard deviation of all values. */
const measured = (x: Tensor): Tensor => stack([amin(x), amax(x), mean(x), std(x, undefined, { correction: 0 })]);

/** Takes one value a row in. */
function take(kept: Buffer, value: Tensor): void {
  const [min, max, n, sum, squares] = [0, 1, 2, 3, 4].map((column) => select(kept, 1, column)) as Five;
  const next = [minimum(min, value), maximum(max, value), add(n, 1), add(sum, value), add(squares, square(value))];
  kept.assign(stack(next, 1));
}
type Five = [Tensor, Tensor, Tensor, Tensor, Tensor];

async function spreads(kept: Buffer): Promise<Spread[]> {
  const data = await kept.data();
  return Array.from({ length: kept.shape[0] as number }, (_, row) => {
    const [min, max, n, sum, squares] = data.subarray(5 * row, 5 * row + 5) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    const middle = sum / n;
    return { min, max, mean: middle, std: Math.sqrt(Math.max(0, squares / n - middle ** 2)) };
  });
}
