/** A small network on an emulated GPU in Node (Dawn); its shaders take longer to compile than it takes to run. */
import { webgpu } from '@tessera/backend-webgpu';
import { emulated } from '../../backend-webgpu/test/emulated';
import { describeModels } from './models-suite';

describeModels('webgpu', async () => webgpu(await emulated()), {
  networks: ['cifarResnet20'],
});
