import { reference } from '@tessera/tensor/reference';
import { describeKernels } from '../src/kernels';

describeKernels('reference', () => reference({ dtype: 'float32' }), { random: 400 });
