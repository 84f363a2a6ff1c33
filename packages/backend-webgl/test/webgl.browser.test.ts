/** Every kind of kernel in a page, on whatever draws WebGL2 there: in these tests an emulator. */
import { describeKernels } from '@tessera/testkit';
import { webgl } from '../src/index';

describeKernels('webgl', () => webgl(), {
  random: 20,
  accuracy: 'shader',
  onSkip: (reason) => console.log(`webgl: skipped: ${reason}`),
});
