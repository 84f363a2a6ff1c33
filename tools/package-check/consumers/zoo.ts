import { alexnet } from '@tessera/zoo/alexnet';
import { googlenet } from '@tessera/zoo/googlenet';
import { inceptionV3 } from '@tessera/zoo/inception';
import { resnet18 } from '@tessera/zoo/resnet';
import { vgg11 } from '@tessera/zoo/vgg';

for (const make of [alexnet, googlenet, inceptionV3, resnet18, vgg11])
  if (make({ numClasses: 2 }).parameters().length === 0)
    throw new Error(`@tessera/zoo: ${make.name} has no parameters`);
