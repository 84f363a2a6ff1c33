import { beforeAll, describe, expect, it } from 'vitest';
import {
  batchNorm,
  batchNormTraining,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNorm,
  meta,
  normalize,
  rmsNorm,
  runningStatistics,
  setBackend,
  type Tensor,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, plain, scattered, sumOver, table, thrown } from './loops';

const backend = reference({ dtype: 'float64' });
beforeAll(() => setBackend(backend));

/** (x − mean)/√(variance + eps)·w + b, statistics over the places that have the same `row`. */
function standardized(x: Plain, row: (place: readonly number[]) => string, eps: number, w: Of, b: Of) {
  const rows = new Map<string, number[]>();
  table(x.shape, (...place) => {
    const key = row(place);
    rows.set(key, [...(rows.get(key) ?? []), x.at(...place)]);
    return 0;
  });
  const statistics = (key: string) => {
    const values = rows.get(key) as number[];
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length };
  };
  const y = table(x.shape, (...place) => {
    const { mean, variance } = statistics(row(place));
    return ((x.at(...place) - mean) / Math.sqrt(variance + eps)) * w(place) + b(place);
  });
  return { y, statistics };
}
type Of = (place: readonly number[]) => number;
const [none, nought] = [() => 1, () => 0];

describe('batchNorm', () => {
  const [x, w, b] = [scattered([4, 3, 2, 2]), scattered([3], 1), scattered([3], 2)];
  const channel: Of = ([, c]) => c as number;
  const affine = { weight: w.tensor, bias: b.tensor };
  it('in training normalises each channel by its own mean and variance', async () => {
    const wanted = standardized(
      x,
      ([, c]) => String(c),
      1e-5,
      (p) => w.at(channel(p)),
      (p) => b.at(channel(p)),
    );
    await expectNear(batchNorm(x.tensor, { ...affine, training: true }), wanted.y);
  });
  it('in training needs neither weight nor bias', async () => {
    const wanted = standardized(x, ([, c]) => String(c), 0.5, none, nought);
    await expectNear(batchNorm(x.tensor, { training: true, eps: 0.5 }), wanted.y);
  });
  it('takes vectors', async () => {
    const v = scattered([5, 3]);
    await expectNear(
      batchNorm(v.tensor, { training: true }),
      standardized(v, ([, c]) => String(c), 1e-5, none, nought).y,
    );
  });
  it('hands out the statistics of the batch', async () => {
    const wanted = standardized(x, ([, c]) => String(c), 1e-5, none, nought);
    const [, mean, variance] = batchNormTraining(x.tensor);
    await expectNear(
      mean,
      table([3], (c) => wanted.statistics(String(c)).mean),
    );
    await expectNear(
      variance,
      table([3], (c) => wanted.statistics(String(c)).variance),
    );
  });
  it('is accurate far from 0', async () => {
    setBackend(reference({ dtype: 'float32' }));
    const far = plain([4, 1], [10_000, 10_001, 10_002, 10_003]);
    await expectNear(
      batchNorm(far.tensor, { training: true }),
      standardized(far, () => '', 1e-5, none, nought).y,
      1e-6,
    );
    setBackend(backend);
  });
  it('in evaluation uses the running statistics', async () => {
    const [mean, variance] = [scattered([3], 3), table([3], (c) => (c as number) + 0.5)];
    const wanted = table(x.shape, (...place) => {
      const c = channel(place);
      return ((x.at(...place) - mean.at(c)) / Math.sqrt(variance.at(c) + 1e-5)) * w.at(c) + b.at(c);
    });
    const running = { runningMean: mean.tensor, runningVar: variance.tensor };
    await expectNear(batchNorm(x.tensor, { ...affine, ...running }), wanted);
  });
  it('carries unknown sizes', () => {
    expect(batchNorm(meta([null, 3, null, 4]), { training: true }).shape).toEqual([null, 3, null, 4]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'one value a channel',
      () => batchNorm(meta([1, 3, 1, 1]), { training: true }),
      'ShapeError: batchNorm: input [1,3,1,1] has one value a channel, whose variance is 0; train with larger batches',
    ],
    [
      'weights of another size',
      () => batchNorm(meta([2, 3, 4]), { training: true, weight: meta([4]) }),
      'ShapeError: batchNorm: weight [4] for input [2,3,4]; wants [3]',
    ],
    [
      'a vector alone',
      () => batchNorm(meta([3]), { training: true }),
      'ShapeError: batchNorm: input [3]; wants [N,C,…]',
    ],
    [
      'evaluation without running statistics',
      () => batchNorm(meta([2, 3, 4])),
      'ArgumentError: batchNorm: no runningMean and runningVar; hand both in, or set training: true',
    ],
    [
      'integers',
      () => batchNorm(meta([2, 3, 4], 'uint8'), { training: true }),
      "DTypeError: batchNorm: input is uint8, wants float32 or float16; convert it with cast(x, 'float32')",
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});

describe('runningStatistics', () => {
  it('moves towards the batch, with the unbiased variance', async () => {
    const [mean, variance] = runningStatistics([tensor([0]), tensor([1])], [tensor([10]), tensor([2])], 5, 0.1);
    expect([await mean.item(), await variance.item()]).toEqual([1, expect.closeTo(0.9 + 0.1 * 2.5, 12)]);
  });
});

describe('normalisation over other axes', () => {
  const x = scattered([2, 4, 3]);
  const channels = [scattered([4], 1), scattered([4], 2)] as const;
  const last = [scattered([4, 3], 1), scattered([4, 3], 2)] as const;
  const affine = ([w, b]: readonly [Plain, Plain]) => ({ weight: w.tensor, bias: b.tensor });
  it.each<[string, () => Tensor, (p: readonly number[]) => string, Of, Of]>([
    [
      'layerNorm: the last axes',
      () => layerNorm(x.tensor, [4, 3], affine(last)),
      ([n]) => `${n}`,
      ([, c, i]) => last[0].at(c as number, i as number),
      ([, c, i]) => last[1].at(c as number, i as number),
    ],
    ['layerNorm: the last axis, no weight', () => layerNorm(x.tensor, [3]), ([n, c]) => `${n},${c}`, none, nought],
    [
      'groupNorm: channels of a group',
      () => groupNorm(x.tensor, 2, affine(channels)),
      ([n, c]) => `${n},${Math.floor((c as number) / 2)}`,
      ([, c]) => channels[0].at(c as number),
      ([, c]) => channels[1].at(c as number),
    ],
    [
      'instanceNorm: one channel of one sample',
      () => instanceNorm(x.tensor, affine(channels)),
      ([n, c]) => `${n},${c}`,
      ([, c]) => channels[0].at(c as number),
      ([, c]) => channels[1].at(c as number),
    ],
  ])('%s', async (_, norm, row, w, b) => {
    await expectNear(norm(), standardized(x, row, 1e-5, w, b).y);
  });

  it('rmsNorm divides by the root of the mean square', async () => {
    const w = scattered([3], 1);
    const wanted = table([2, 4, 3], (n, c, i) => {
      const square = sumOver(3, (j) => x.at(n as number, c as number, j) ** 2) / 3;
      return (x.at(n as number, c as number, i as number) / Math.sqrt(square + 2 ** -23)) * w.at(i as number);
    });
    await expectNear(rmsNorm(x.tensor, [3], { weight: w.tensor }), wanted);
  });
  it.each([3, 4, 5])('localResponseNorm divides by a sum over %i channels around', async (size) => {
    const wanted = table([2, 4, 3], (n, c, i) => {
      const first = (c as number) - Math.floor(size / 2);
      const sum = sumOver(size, (j) => x.at(n as number, first + j, i as number) ** 2);
      return x.at(n as number, c as number, i as number) / (2 + (0.5 / size) * sum) ** 0.75;
    });
    await expectNear(localResponseNorm(x.tensor, size, { alpha: 0.5, k: 2 }), wanted);
  });
  it.each([1, 2, 3, Number.POSITIVE_INFINITY])('normalize makes vectors of p-norm 1 for p = %d', async (p) => {
    const wanted = table([2, 4, 3], (n, c, i) => {
      const values = Array.from({ length: 4 }, (_, j) => Math.abs(x.at(n as number, j, i as number)));
      const norm =
        p === Number.POSITIVE_INFINITY ? Math.max(...values) : values.reduce((sum, v) => sum + v ** p, 0) ** (1 / p);
      return x.at(n as number, c as number, i as number) / norm;
    });
    await expectNear(normalize(x.tensor, { p }), wanted);
  });
  it('normalize leaves a vector of zeros alone', async () => {
    expect(await normalize(tensor([[0, 0]])).toArray()).toEqual([[0, 0]]);
  });
  it('carry unknown sizes', () => {
    const unknown = meta([null, 4, null]);
    const all = [groupNorm(unknown, 2), instanceNorm(unknown), localResponseNorm(unknown, 5), normalize(unknown)];
    for (const y of all) expect(y.shape).toEqual([null, 4, null]);
    expect(layerNorm(meta([null, null, 3]), [3]).shape).toEqual([null, null, 3]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'another last axis',
      () => layerNorm(meta([2, 3]), [4]),
      'ShapeError: layerNorm: input [2,3] does not end in normalizedShape [4]',
    ],
    [
      'groups that do not fit',
      () => groupNorm(meta([2, 4, 3]), 3),
      'ShapeError: groupNorm: 4 channels of [2,4,3] do not make 3 equal groups',
    ],
    [
      'a group of one value',
      () => groupNorm(meta([1, 4]), 4),
      'ShapeError: groupNorm: input [1,4] has one value a group, whose variance is 0; take fewer than 4 groups',
    ],
    [
      'one place a channel',
      () => instanceNorm(meta([2, 3, 1])),
      'ShapeError: instanceNorm: input [2,3,1] has one place a channel, whose variance is 0',
    ],
    [
      'too few axes',
      () => localResponseNorm(meta([2, 3]), 5),
      'ShapeError: localResponseNorm: input [2,3]; wants [N,C,…] with three axes or more',
    ],
    [
      'a weight of another shape',
      () => layerNorm(meta([2, 3]), [3], { weight: meta([2]) }),
      'ShapeError: layerNorm: shapes [2,3] and [2] do not broadcast (3 and 2 at dim -1); sizes must be equal or 1',
    ],
  ])('refuse %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
