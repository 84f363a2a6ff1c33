import { zeros } from '@tessera/tensor';
import { alexnet } from '@tessera/zoo/alexnet';
import { fiveCrop } from '@tessera/zoo/crops';
import { googlenet } from '@tessera/zoo/googlenet';
import { inceptionV3 } from '@tessera/zoo/inception';
import { imagenet, preprocess } from '@tessera/zoo/presets';
import { loadPretrained } from '@tessera/zoo/pretrained';
import { resnet18 } from '@tessera/zoo/resnet';
import { topK } from '@tessera/zoo/topk';
import { vgg11 } from '@tessera/zoo/vgg';

for (const make of [alexnet, googlenet, inceptionV3, resnet18, vgg11])
  if (make({ numClasses: 2 }).parameters().length === 0)
    throw new Error(`@tessera/zoo: ${make.name} has no parameters`);

const crops = fiveCrop(preprocess(imagenet)(zeros([3, 256, 300], { dtype: 'uint8' })), 200);
if (crops.length !== 5) throw new Error('@tessera/zoo: fiveCrop makes five');
for (const f of [loadPretrained, topK]) if (typeof f !== 'function') throw new Error('@tessera/zoo: a path is empty');
