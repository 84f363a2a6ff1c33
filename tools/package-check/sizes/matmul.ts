/** Inference at its smallest: a backend handed in, one product, one read. */
import { matmul, setBackend, tensor } from '@tessera/tensor';
import type { Backend } from '@tessera/tensor/backend';

export async function product(backend: Backend) {
  setBackend(backend);
  return matmul(tensor([[1, 2]]), tensor([[3], [4]])).data();
}
