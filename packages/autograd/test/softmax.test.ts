import { logSoftmax, setBackend, softmax, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, it } from 'vitest';
import { checkGradients } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

describe('gradients of softmax', () => {
  const x = () =>
    tensor([
      [1, -2, 0.5],
      [0.25, 3, -1],
    ]);
  it.each([0, 1, -1])('agree with finite differences along dim %i, twice', async (dim) => {
    await checkGradients((t) => softmax(t, dim), [x()]);
    await checkGradients((t) => logSoftmax(t, dim), [x()]);
  });
});
