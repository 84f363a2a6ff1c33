/** Every kind of kernel on an emulated GPU, against the float64 reference. */
import { describeKernels } from '@tessera/testkit';
import { webgpu } from '../src/index';
import { emulated } from './emulated';

describeKernels('webgpu', async () => webgpu(await emulated()), {
  random: 20,
  accuracy: 'shader',
  onSkip: (reason) => console.log(`webgpu: skipped: ${reason}`),
});
