import { beforeAll, describe, expect, it } from 'vitest';
import { logSoftmax, meta, setBackend, softmax, tensor } from '../../src';
import { programsOf } from '../../src/inspect';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const inf = Number.POSITIVE_INFINITY;
const x = () =>
  tensor([
    [1, 2, 3],
    [-1, 0, 4],
  ]);
const weights = (row: number[]) => row.map((v) => Math.exp(v) / row.reduce((sum, w) => sum + Math.exp(w), 0));

describe('softmax', () => {
  it('shares 1 along an axis', async () => {
    expect(await softmax(x(), 1).toArray()).toEqual(near([weights([1, 2, 3]), weights([-1, 0, 4])]));
    expect(await softmax(x(), -2).toArray()).toEqual(
      near([0, 1].map((i) => [1, 2, 3].map((v, j) => weights([v, [-1, 0, 4][j] as number])[i] as number))),
    );
    expect(await softmax(tensor(5), 0).item()).toBe(1);
  });

  it('neither overflows nor loses a masked entry', async () => {
    expect(await softmax(tensor([1000, 1000, -inf]), 0).toArray()).toEqual([0.5, 0.5, 0]);
    expect(await softmax(tensor([Number.NaN, 1]), 0).toArray()).toEqual([Number.NaN, Number.NaN]);
  });

  it('has an exact logarithm', async () => {
    expect(await logSoftmax(tensor([0, 1000]), 0).toArray()).toEqual([-1000, 0]);
    expect(await logSoftmax(x(), 1).toArray()).toEqual(
      near([weights([1, 2, 3]).map(Math.log), weights([-1, 0, 4]).map(Math.log)]),
    );
  });

  it('is one kernel of two passes', () => {
    for (const op of [softmax, logSoftmax]) {
      const steps = programsOf([op(x(), 1)]).flatMap(({ program }) => program.steps);
      expect(steps.map(({ kernel }) => kernel.kind === 'reduce' && kernel.stages.length)).toEqual([2]);
    }
  });

  it('is floating, and carries unknown sizes through', () => {
    expect(softmax(meta([null, 3], 'int32'), 1)).toMatchObject({ shape: [null, 3], dtype: 'float32' });
    expect(() => softmax(x(), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: softmax: dim 2 is out of range for shape [2,3]; use -2 to 1]`,
    );
  });
});
