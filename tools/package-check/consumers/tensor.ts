import { matmul, setBackend, type Tensor, tensor } from '@tessera/tensor';
import type { Backend } from '@tessera/tensor/backend';
import { explain } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';

const backend: Backend = reference({ dtype: 'float32' });
setBackend(backend);
const product: Tensor = matmul(tensor([[1, 2]]), tensor([[3], [4]]));
if (!explain(product).includes('matmul')) throw new Error('explain does not show the kernel');
const [value] = await product.data();
if (value !== 11) throw new Error(`1·3 + 2·4 came out as ${value}`);
