import {
  celu,
  elu,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  mish,
  mul,
  prelu,
  relu,
  relu6,
  selu,
  setBackend,
  sigmoid,
  silu,
  softplus,
  softsign,
  sum,
  type Tensor,
  tanh,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

describe('gradients of activations', () => {
  it.each<[string, (x: Tensor) => Tensor]>([
    ['relu', relu],
    ['relu6', relu6],
    ['leakyRelu', (x) => leakyRelu(x, 0.25)],
    ['hardtanh', (x) => hardtanh(x)],
    ['elu', (x) => elu(x, 1.5)],
    ['celu', (x) => celu(x, 1.5)],
    ['selu', selu],
    ['sigmoid', sigmoid],
    ['logSigmoid', logSigmoid],
    ['tanh', tanh],
    ['softplus', (x) => softplus(x)],
    ['softplus with beta 2 and threshold 3', (x) => softplus(x, { beta: 2, threshold: 3 })],
    ['gelu', (x) => gelu(x)],
    ['gelu by tanh', (x) => gelu(x, { approximate: 'tanh' })],
    ['silu', silu],
    ['mish', mish],
    ['hardsigmoid', hardsigmoid],
    ['hardswish', hardswish],
    ['softsign', softsign],
  ])('%s agrees with finite differences, twice', async (_, f) => {
    await checkGradients((x) => mul(f(x), x), [tensor([-4, -1.75, -0.25, 0.5, 2.5, 7])]);
  });

  it('prelu agrees in input and slopes', async () => {
    const x = tensor([
      [-1.5, 2, -0.5],
      [0.75, -2, 1],
    ]);
    await checkGradients((t, w) => prelu(t, w), [x, tensor([0.25, -0.5, 0.75])]);
  });

  it.each<[string, (x: Tensor) => Tensor, [at: number, slope: number][]]>([
    [
      'relu',
      relu,
      [
        [0, 0],
        [-0, 0],
      ],
    ],
    [
      'relu6',
      relu6,
      [
        [0, 0],
        [6, 0],
      ],
    ],
    ['leakyRelu', (x) => leakyRelu(x, 0.25), [[0, 0.25]]],
    [
      'hardtanh',
      (x) => hardtanh(x),
      [
        [-1, 0],
        [1, 0],
      ],
    ],
    ['elu', (x) => elu(x, 2), [[0, 2]]],
    [
      'hardsigmoid',
      hardsigmoid,
      [
        [-3, 0],
        [3, 0],
      ],
    ],
    [
      'hardswish',
      hardswish,
      [
        [-3, 0],
        [3, 1],
      ],
    ],
  ])('%s follows PyTorch at its corners', async (_, f, table) => {
    const slopes = grad((x: Tensor) => sum(f(x)))(tensor(table.map(([at]) => at)));
    expect(await slopes.toArray()).toEqual(table.map(([, slope]) => slope));
  });

  it('stay finite far out, twice', async () => {
    const far = () => tensor([-200, 200]);
    for (const f of [elu, celu, selu, sigmoid, logSigmoid, tanh, softplus, gelu, silu, mish]) {
      const once = grad((x: Tensor) => sum(f(x)));
      const twice = grad((x: Tensor) => sum(once(x)));
      for (const g of [once, twice]) expect((await g(far()).data()).every(Number.isFinite)).toBe(true);
    }
  });
});
