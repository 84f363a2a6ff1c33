/**
 * Small networks in a page on an emulated WebGL2, which takes longer to compile their programs than to run them. Others by
 * `VITE_NETWORKS=resnet50,googlenet pnpm vitest run --project browser packages/zoo/test/webgl.page.test.ts`.
 */
import { webgl } from '@tessera/backend-webgl';
import { describeModels } from './models-suite';

const asked = (import.meta as { readonly env?: Record<string, string> }).env?.['VITE_NETWORKS'];

describeModels('webgl', () => webgl(), {
  networks: asked?.split(',') ?? ['cifarResnet20', 'squeezenet1_1', 'resnet18', 'thinInception'],
});
