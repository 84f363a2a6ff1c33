import { library } from '../../tools/build/tsdown.js';

export default library({
  index: 'src/index.ts',
  alexnet: 'src/alexnet.ts',
  'cifar-resnet': 'src/cifar-resnet.ts',
  crops: 'src/crops.ts',
  densenet: 'src/densenet.ts',
  googlenet: 'src/googlenet.ts',
  'imagenet-labels': 'src/imagenet-labels.ts',
  inception: 'src/inception.ts',
  lecture: 'src/lecture.ts',
  mobilenet: 'src/mobilenet.ts',
  overfeat: 'src/overfeat.ts',
  'preact-resnet': 'src/preact-resnet.ts',
  presets: 'src/presets.ts',
  pretrained: 'src/pretrained.ts',
  resnet: 'src/resnet.ts',
  squeezenet: 'src/squeezenet.ts',
  topk: 'src/topk.ts',
  vgg: 'src/vgg.ts',
});
