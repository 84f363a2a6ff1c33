import { autoBackend, type PassedOver } from '@tessera/backend-auto';
import { add, setBackend, tensor } from '@tessera/tensor';

const passed: PassedOver[] = [];
const backend = await autoBackend({ onPassedOver: (each) => passed.push(each) });
setBackend(backend);
const [sum] = await add(tensor([1]), 1).data();
backend.dispose();
if (sum !== 2 || !passed.every(({ reason }) => reason.message)) throw new Error(`${backend.name}: ${sum}`);
