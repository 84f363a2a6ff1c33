import { type Cpu, cpu } from '@tessera/backend-cpu';
import { matmul, setBackend, tensor } from '@tessera/tensor';

const backend: Cpu = await cpu({ threads: 2 });
setBackend(backend);
const [value] = await matmul(tensor([[1, 2]]), tensor([[3], [4]])).data();
if (value !== 11) throw new Error(`1·3 + 2·4 came out as ${value}`);
// The program ends here: idle workers do not hold Node open.
