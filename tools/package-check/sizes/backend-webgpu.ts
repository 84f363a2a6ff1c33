/** The same product on a GPU. */
import { webgpu } from '@tessera/backend-webgpu';
import { matmul, setBackend, tensor } from '@tessera/tensor';

export async function product() {
  setBackend(await webgpu());
  return matmul(tensor([[1, 2]]), tensor([[3], [4]])).data();
}
