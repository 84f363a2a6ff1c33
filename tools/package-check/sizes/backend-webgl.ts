/** The same product on WebGL2. */
import { webgl } from '@tessera/backend-webgl';
import { matmul, setBackend, tensor } from '@tessera/tensor';

export async function product() {
  setBackend(await webgl());
  return matmul(tensor([[1, 2]]), tensor([[3], [4]])).data();
}
