/** Every kind of kernel on Chromium's emulated GPU, in both pages, against the float64 reference. */
import { describeKernels } from '@tessera/testkit';
import { webgpu } from '../src/index';

describeKernels('webgpu', () => webgpu(), {
  random: 0, // each is a shader more that the emulator keeps
  accuracy: 'shader',
  onSkip: (reason) => console.log(`webgpu: skipped: ${reason}`),
});
