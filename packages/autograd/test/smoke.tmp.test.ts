import { checkGradients, valueAndGrad } from '@tessera/autograd';
import * as T from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { it } from 'vitest';

it('x', async () => {
  T.setBackend(reference({ dtype: 'float64' }));
  const x = T.tensor([
    [1, 2, 3],
    [4, 5, -6],
  ]);
  console.log(await T.add(x, 1).toArray());
  console.log(await T.softmax(x, 1).toArray());
  console.log(await T.sum(x, 1).toArray(), await T.mean(x).item());
  const t = T.tensor([0, 1], { dtype: 'int32' });
  console.log(await T.crossEntropy(x, t).item());
  const { value, grads } = valueAndGrad(() => T.crossEntropy(x, t, { labelSmoothing: 0.1 }), x);
  console.log(await value.item(), await grads.toArray());
  await checkGradients((x) => T.crossEntropy(x, t, { labelSmoothing: 0.1 }), [x]);
  await checkGradients((x) => T.logsumexp(x, 1), [x]);
  await checkGradients((x) => T.softmax(x, 1), [x]);
});
