/**
 * Small networks on an emulated GPU in Node (Dawn); their shaders take longer to compile than to run. Others by
 * `NETWORKS=vgg11,densenet121 pnpm vitest run --project node packages/zoo/test/webgpu.test.ts`, and whole files by `pnpm golden`.
 */
import { webgpu } from '@tessera/backend-webgpu';
import { emulated } from '../../backend-webgpu/test/emulated';
import { describeModels } from './models-suite';

describeModels('webgpu', async () => webgpu(await emulated()), {
  networks: process.env['NETWORKS']?.split(',') ?? [
    ...['cifarResnet20', 'squeezenet1_1', 'mobilenetV2', 'resnet18'],
    ...['thinVgg', 'thinInception', 'thinDensenet'],
  ],
});
