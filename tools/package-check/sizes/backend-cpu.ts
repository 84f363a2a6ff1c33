/** The same product on the embedded backend. */
import { cpu } from '@tessera/backend-cpu';
import { matmul, setBackend, tensor } from '@tessera/tensor';

export async function product() {
  setBackend(await cpu());
  return matmul(tensor([[1, 2]]), tensor([[3], [4]])).data();
}
