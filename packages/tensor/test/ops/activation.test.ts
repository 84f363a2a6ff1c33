import { beforeAll, describe, expect, it } from 'vitest';
import {
  celu,
  elu,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  meta,
  mish,
  prelu,
  relu,
  relu6,
  selu,
  setBackend,
  sigmoid,
  silu,
  softplus,
  softsign,
  type Tensor,
  tanh,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const at = [-200, -4, -3, -1, -0.5, 0, 0.5, 1, 3, 4, 25];
const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const clip = (x: number, lo: number, hi: number) => Math.min(Math.max(x, lo), hi);
const soft = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

describe('activations', () => {
  it.each<[string, (x: Tensor) => Tensor, (x: number) => number]>([
    ['relu', relu, (x) => Math.max(x, 0)],
    ['relu6', relu6, (x) => clip(x, 0, 6)],
    ['leakyRelu', (x) => leakyRelu(x), (x) => (x > 0 ? x : 0.01 * x)],
    ['leakyRelu with slope 1/4', (x) => leakyRelu(x, 0.25), (x) => (x > 0 ? x : x / 4)],
    ['hardtanh', (x) => hardtanh(x), (x) => clip(x, -1, 1)],
    ['hardtanh from -3 to 2', (x) => hardtanh(x, -3, 2), (x) => clip(x, -3, 2)],
    ['elu', (x) => elu(x), (x) => (x > 0 ? x : Math.expm1(x))],
    ['elu with alpha 2', (x) => elu(x, 2), (x) => (x > 0 ? x : 2 * Math.expm1(x))],
    ['celu with alpha 2', (x) => celu(x, 2), (x) => (x > 0 ? x : 2 * Math.expm1(x / 2))],
    ['selu', selu, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))],
    ['sigmoid', sigmoid, logistic],
    ['logSigmoid', logSigmoid, (x) => -soft(-x)],
    ['tanh', tanh, Math.tanh],
    ['softplus', (x) => softplus(x), soft],
    ['softplus with beta 2', (x) => softplus(x, { beta: 2 }), (x) => soft(2 * x) / 2],
    ['softplus with threshold 2', (x) => softplus(x, { threshold: 2 }), (x) => (x > 2 ? x : soft(x))],
    [
      'gelu by tanh',
      (x) => gelu(x, { approximate: 'tanh' }),
      (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ],
    ['silu', silu, (x) => x * logistic(x)],
    ['mish', mish, (x) => x * Math.tanh(soft(x))],
    ['hardsigmoid', hardsigmoid, (x) => clip(x + 3, 0, 6) / 6],
    ['hardswish', hardswish, (x) => (x * clip(x + 3, 0, 6)) / 6],
    ['softsign', softsign, (x) => x / (1 + Math.abs(x))],
  ])('%s follows its formula', async (_, op, formula) => {
    expect(await op(tensor(at)).toArray()).toEqual(
      near(
        at.map((x) => formula(x) + 0),
        1e-8,
      ),
    );
  });

  it('gelu weighs x with the normal distribution', async () => {
    const y = gelu(tensor([-3, -1, 0, 0.5, 2]));
    expect(await y.toArray()).toEqual(
      near([-0.004049694094801, -0.158655253931457, 0, 0.345731230637007, 1.954499736103642], 1e-12),
    );
  });

  it('hands NaN on', async () => {
    const x = tensor([Number.NaN]);
    for (const op of [relu, relu6, elu, silu, gelu, hardswish, mish, softplus, tanh, hardtanh])
      expect(await op(x).item()).toBeNaN();
  });

  it('makes float32 of integers, but keeps them in relu', async () => {
    const x = tensor([-1, 2], { dtype: 'int32' });
    expect(relu(x).dtype).toBe('int32');
    expect(await relu(x).toArray()).toEqual([0, 2]);
    expect(sigmoid(x).dtype).toBe('float32');
    expect(silu(meta([null, 3], 'float16'))).toMatchObject({ shape: [null, 3], dtype: 'float16' });
  });

  it('refuses settings that make no sense', () => {
    expect(() => hardtanh(tensor([1]), 1, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: hardtanh: min 1 is not below max 1; exchange them]`,
    );
    expect(() => celu(tensor([1]), 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: celu: alpha is 0, wants another number; the limit is relu]`,
    );
    expect(() => gelu(tensor([1]), { approximate: 'erf' as 'tanh' })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: gelu: approximate is 'erf', wants 'none' or 'tanh']`,
    );
  });
});

describe('prelu', () => {
  it('has a slope for each channel, or one for all', async () => {
    const x = tensor([
      [
        [-2, 1],
        [-2, 1],
      ],
    ]);
    expect(await prelu(x, tensor([0.5, 0.25])).toArray()).toEqual([
      [
        [-1, 1],
        [-0.5, 1],
      ],
    ]);
    expect(await prelu(tensor([-2, 4]), tensor([0.5])).toArray()).toEqual([-1, 4]);
    expect(prelu(meta([null, 2, null]), tensor([0.5, 0.25])).shape).toEqual([null, 2, null]);
  });

  it('names the channels where the slopes are of another number', () => {
    expect(() => prelu(meta([1, 3, 2]), meta([2]))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: prelu: weight has shape [2] for an input with 3 channels; wants [1] or [3]]`,
    );
  });
});
