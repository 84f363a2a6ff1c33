import { zeros } from '@tessera/tensor';
import { createModel, listModels, type ModelOptions } from '@tessera/zoo';
import { alexnet } from '@tessera/zoo/alexnet';
import { cifarResnet20 } from '@tessera/zoo/cifar-resnet';
import { fiveCrop } from '@tessera/zoo/crops';
import { densenet121 } from '@tessera/zoo/densenet';
import { googlenet } from '@tessera/zoo/googlenet';
import { inceptionV3 } from '@tessera/zoo/inception';
import { lectureAlexnet } from '@tessera/zoo/lecture';
import { mobilenetV2 } from '@tessera/zoo/mobilenet';
import { overfeatFast } from '@tessera/zoo/overfeat';
import { preactResnet18 } from '@tessera/zoo/preact-resnet';
import { imagenet, preprocess } from '@tessera/zoo/presets';
import { loadPretrained } from '@tessera/zoo/pretrained';
import { resnet18 } from '@tessera/zoo/resnet';
import { squeezenet1_1 } from '@tessera/zoo/squeezenet';
import { topK } from '@tessera/zoo/topk';
import { vgg11 } from '@tessera/zoo/vgg';

const towers = [alexnet, cifarResnet20, densenet121, googlenet, inceptionV3, lectureAlexnet, mobilenetV2];
for (const make of [...towers, overfeatFast, preactResnet18, resnet18, squeezenet1_1, vgg11])
  if (make({ numClasses: 2 }).parameters().length === 0)
    throw new Error(`@tessera/zoo: ${make.name} has no parameters`);

const options: ModelOptions<'googlenet'> = { auxLogits: false };
const model = await createModel('googlenet', options);
if (model.aux1 !== null || !listModels().includes('inception_v3') || !(await createModel('mobilenet_v2')).training)
  throw new Error('@tessera/zoo: createModel is not what its types say');

const crops = fiveCrop(preprocess(imagenet)(zeros([3, 256, 300], { dtype: 'uint8' })), 200);
if (crops.length !== 5) throw new Error('@tessera/zoo: fiveCrop makes five');
for (const f of [loadPretrained, topK]) if (typeof f !== 'function') throw new Error('@tessera/zoo: a path is empty');
