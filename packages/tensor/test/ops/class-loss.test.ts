import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CrossEntropyOptions,
  crossEntropy,
  logSoftmax,
  meta,
  nllLoss,
  permute,
  setBackend,
  tensor,
} from '../../src';
import { programsOf } from '../../src/inspect';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const rows = [
  [1, 2, 3],
  [-1, 0, 4],
  [0.5, 0.5, -2],
  [2, -3, 1],
];
const classes = [2, 0, 1, 2];
const classWeights = [0.5, 2, 1.25];
const logits = () => tensor(rows);
const target = (data = classes) => tensor(data, { dtype: 'int32' });
const logs = (row: number[]) => row.map((v) => v - Math.log(row.reduce((sum, w) => sum + Math.exp(w), 0)));

/** PyTorch's definition, written out. */
function losses(smoothing = 0, weights = [1, 1, 1], ignore = -100) {
  return rows.map((row, n) => {
    const log = logs(row);
    const t = classes[n] as number;
    if (t === ignore) return { loss: 0, weight: 0 };
    const smooth = log.reduce((sum, value, c) => sum - (weights[c] as number) * value, 0) / 3;
    const own = -(weights[t] as number) * (log[t] as number);
    return { loss: (1 - smoothing) * own + smoothing * smooth, weight: weights[t] as number };
  });
}
const sumOf = (list: number[]) => list.reduce((a, b) => a + b, 0);
const meanOf = (list: { loss: number; weight: number }[]) =>
  sumOf(list.map(({ loss }) => loss)) / sumOf(list.map(({ weight }) => weight));

describe('crossEntropy', () => {
  it.each<[string, CrossEntropyOptions, { loss: number; weight: number }[]]>([
    ['of class numbers', {}, losses()],
    ['with label smoothing', { labelSmoothing: 0.1 }, losses(0.1)],
    ['with class weights', { weight: tensor(classWeights) }, losses(0, classWeights)],
    ['with both', { weight: tensor(classWeights), labelSmoothing: 0.3 }, losses(0.3, classWeights)],
    ['with a class ignored', { ignoreIndex: 2 }, losses(0, undefined, 2)],
    [
      'with all three',
      { weight: tensor(classWeights), labelSmoothing: 0.3, ignoreIndex: 2 },
      losses(0.3, classWeights, 2),
    ],
  ])('%s: none, sum and weighted mean', async (_, options, wanted) => {
    const precision = options.weight ? 1e-7 : 1e-12; // the weights are float32
    const each = wanted.map(({ loss }) => loss);
    expect(await crossEntropy(logits(), target(), { ...options, reduction: 'none' }).toArray()).toEqual(
      near(each, precision),
    );
    expect(await crossEntropy(logits(), target(), { ...options, reduction: 'sum' }).item()).toBeCloseTo(sumOf(each), 7);
    expect(await crossEntropy(logits(), target(), options).item()).toBeCloseTo(meanOf(wanted), 7);
  });

  it('takes probabilities: one-hot rows are class numbers', async () => {
    const onehot = tensor(classes.map((t) => [0, 1, 2].map((c) => Number(c === t))));
    for (const options of [{}, { labelSmoothing: 0.25 }])
      expect(await crossEntropy(logits(), onehot, options).item()).toBeCloseTo(
        await crossEntropy(logits(), target(), options).item(),
        12,
      );
    const half = tensor([0.5, 0.5, 0]);
    const log = logs([1, 2, 3]) as [number, number, number];
    expect(await crossEntropy(tensor([1, 2, 3]), half).item()).toBeCloseTo(-(log[0] + log[1]) / 2, 12);
  });

  it('has its classes along dim 1, whatever follows, or dim 0 of a vector', async () => {
    const pixels = permute(tensor([rows]), [0, 2, 1]); // [1,3,4]
    const y = crossEntropy(pixels, tensor([classes], { dtype: 'int32' }), { reduction: 'none' });
    expect(await y.toArray()).toEqual(near([losses().map(({ loss }) => loss)]));
    const one = crossEntropy(tensor(rows[0] as number[]), tensor(2, { dtype: 'int32' }));
    expect(one.shape).toEqual([]);
    expect(await one.item()).toBeCloseTo(losses()[0]?.loss as number, 12);
  });

  it('gives NaN where a target is no class, and where all are ignored', async () => {
    const y = crossEntropy(logits(), target([2, 3, -1, 0]), { reduction: 'none' });
    expect((await y.toArray()) as number[]).toEqual([expect.any(Number), Number.NaN, Number.NaN, expect.any(Number)]);
    expect(await crossEntropy(logits(), target([-100, -100, -100, -100])).item()).toBeNaN();
  });

  it('ignores a row of infinities, and does not overflow', async () => {
    const x = tensor([
      [1000, 0],
      [Number.POSITIVE_INFINITY, Number.NaN],
    ]);
    expect(await crossEntropy(x, target([1, -100])).item()).toBe(1000);
  });

  it('is two kernels: a reduction of the rows, and their mean', () => {
    const steps = programsOf([crossEntropy(logits(), target())]).flatMap(({ program }) => program.steps);
    expect(steps.map(({ kernel }) => kernel.kind)).toEqual(['reduce', 'reduce']);
  });

  it('carries unknown sizes through', () => {
    const y = crossEntropy(meta([null, 10]), meta([null], 'int32'), { reduction: 'none' });
    expect(y.shape).toEqual([null]);
  });

  it('says what does not fit', () => {
    expect(() => crossEntropy(meta([4, 3]), meta([3], 'int32'))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: input [4,3] wants a target of class numbers [4], saw [3]; the classes lie along dim 1]`,
    );
    expect(() => crossEntropy(meta([4, 3]), meta([4]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: a target of probabilities wants the input's shape [4,3], saw [4]; class numbers are int32]`,
    );
    expect(() => crossEntropy(meta([4, 3], 'int32'), meta([4], 'int32'))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: crossEntropy: the input is int32, wants float32 or float16; convert it with cast(x, 'float32')]`,
    );
    expect(() =>
      crossEntropy(meta([4, 3]), meta([4], 'int32'), { weight: meta([4]) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: weight has shape [4], wants one number a class, [3]]`,
    );
    expect(() =>
      crossEntropy(meta([4, 3]), meta([4], 'int32'), { labelSmoothing: 2 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: crossEntropy: labelSmoothing is 2, wants a part between 0 and 1]`,
    );
    expect(() => crossEntropy(meta([4, 3]), meta([4], 'bool'))).toThrow('crossEntropy: target is bool');
    expect(() => crossEntropy(logits(), target(), { reduction: 'avg' as 'mean' })).toThrow("reduction is 'avg'");
  });
});

describe('nllLoss', () => {
  it('is crossEntropy after logSoftmax', async () => {
    const log = logSoftmax(logits(), 1);
    for (const options of [{}, { weight: tensor(classWeights) }, { ignoreIndex: 2 }, { reduction: 'sum' } as const])
      expect(await nllLoss(log, target(), options).item()).toBeCloseTo(
        await crossEntropy(logits(), target(), options).item(),
        12,
      );
    const none = nllLoss(log, target([2, 0, 7, -100]), { reduction: 'none' });
    expect((await none.toArray()) as number[]).toEqual([expect.any(Number), expect.any(Number), Number.NaN, 0]);
    const pixels = nllLoss(permute(tensor([rows]), [0, 2, 1]), tensor([classes], { dtype: 'int32' }), {
      reduction: 'none',
    });
    expect(await pixels.toArray()).toEqual([[-3, 1, -0.5, -1]]);
  });
});

describe('crossEntropy in float32', () => {
  it('keeps its digits beside large logits', async () => {
    setBackend(reference());
    const x = tensor([[4000, 3999, 3998]]);
    const exact = losses()[0]?.loss as number; // of 1, 2, 3 with target 2: the same row, turned round
    expect(await crossEntropy(x, target([0])).item()).toBeCloseTo(exact, 6);
    expect(await crossEntropy(x, target([0]), { labelSmoothing: 0.1 }).item()).toBeCloseTo(exact + 0.1, 6);
  });
});
