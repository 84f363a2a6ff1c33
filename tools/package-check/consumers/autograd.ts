import { grad } from '@tessera/autograd';
import * as core from '@tessera/autograd/core';
import { mul, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';

setBackend(reference({ dtype: 'float32' }));
const derivative: Tensor = grad((x: Tensor) => mul(x, x))(tensor(3));
if ((await derivative.item()) !== 6) throw new Error('d/dx x² at 3 is not 6');
if (typeof core.grad !== 'function') throw new Error('core has no grad');
