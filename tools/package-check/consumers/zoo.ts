import { createModel, listModels, type ModelOptions } from '@tessera/zoo';
import { alexnet } from '@tessera/zoo/alexnet';
import { cifarResnet20 } from '@tessera/zoo/cifar-resnet';
import { densenet121 } from '@tessera/zoo/densenet';
import { googlenet } from '@tessera/zoo/googlenet';
import { inceptionV3 } from '@tessera/zoo/inception';
import { lectureAlexnet } from '@tessera/zoo/lecture';
import { mobilenetV2 } from '@tessera/zoo/mobilenet';
import { overfeatFast } from '@tessera/zoo/overfeat';
import { preactResnet18 } from '@tessera/zoo/preact-resnet';
import { resnet18 } from '@tessera/zoo/resnet';
import { squeezenet1_1 } from '@tessera/zoo/squeezenet';
import { vgg11 } from '@tessera/zoo/vgg';

const towers = [alexnet, cifarResnet20, densenet121, googlenet, inceptionV3, lectureAlexnet, mobilenetV2];
for (const make of [...towers, overfeatFast, preactResnet18, resnet18, squeezenet1_1, vgg11])
  if (make({ numClasses: 2 }).parameters().length === 0)
    throw new Error(`@tessera/zoo: ${make.name} has no parameters`);

const options: ModelOptions<'googlenet'> = { auxLogits: false };
const model = await createModel('googlenet', options);
if (model.aux1 !== null || !listModels().includes('googlenet'))
  throw new Error('@tessera/zoo: createModel is not what its types say');
