import { library } from '../../tools/build/tsdown.js';

export default library({
  alexnet: 'src/alexnet.ts',
  googlenet: 'src/googlenet.ts',
  inception: 'src/inception.ts',
  resnet: 'src/resnet.ts',
  vgg: 'src/vgg.ts',
});
