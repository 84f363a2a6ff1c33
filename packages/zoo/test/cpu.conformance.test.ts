/** Small networks in Node, in a page with one worker, and in a page with threads; all of them in Node: golden.test.ts. */
import { cpu } from '@tessera/backend-cpu';
import { describeModels } from './models-suite';

describeModels('cpu', () => cpu({ threads: 2 }), {
  networks: ['cifarResnet20', 'cifarPreactResnet20', 'squeezenet1_1', 'mobilenetV2', 'resnet18'],
});
