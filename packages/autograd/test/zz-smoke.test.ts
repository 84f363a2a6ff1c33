import { grad, vjp } from '@tessera/autograd';
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { it } from 'vitest';

it('runs', async () => {
  t.setBackend(reference({ dtype: 'float32' }));
  const x = t.reshape(t.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), [1, 1, 3, 4]);
  const f = (y: t.Tensor) => t.maxPool2d(y, 2, { stride: 1 });
  console.log(await grad((y: t.Tensor) => t.sum(f(y)))(x).data());
  const [y, back] = vjp(f, x) as any;
  console.log(await y.data());
  try {
    const r = back(t.ones([1, 1, 2, 3]));
    console.log(await (r[0] ?? r).data());
  } catch (e) {
    console.log((e as Error).stack);
  }
});
