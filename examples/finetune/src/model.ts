/** A frozen, pretrained backbone, and a head on one of its maps. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Dropout, Linear, Module, saveSafetensors } from '@tessera/nn';
import { adaptiveAvgPool2d, flatten, LoadError, type Tensor } from '@tessera/tensor';
import { type InceptionV3, inceptionV3 } from '@tessera/zoo/inception';
import { type Preset, preprocess } from '@tessera/zoo/presets';
import { loadPretrained } from '@tessera/zoo/pretrained';
import { InceptionV3Model } from 'nsfwjs/models/inception_v3';
import { convert, type LayersModel } from '../../../tools/convert-tfjs/convert';

/** Pixels a side that the network sees. */
export const side = 96;
/** These weights want [0,1] as it is. */
const preset: Preset = {
  resize: side,
  crop: side,
  interpolation: 'bilinear',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  labels: null,
};
/** Tiles [N,3,h,w] uint8 → [N,3,96,96]. */
export const prepare = preprocess(preset);

/** Images [N,3,96,96] → logits [N,classes], from the means of the backbone's last but one map: [N,768,4,4]. */
export class Classifier extends Module {
  readonly backbone: InceptionV3;
  readonly dropout = new Dropout(0.5);
  readonly head: Linear;
  constructor(backbone: InceptionV3, classes: number) {
    super();
    this.backbone = backbone;
    this.head = new Linear(768, classes);
  }
  forward(x: Tensor): Tensor {
    const { C4 } = this.backbone.features(x, ['C4']);
    return this.head.forward(this.dropout.forward(flatten(adaptiveAvgPool2d(C4, 1), 1)));
  }
}

/** The backbone: it does not train, and norms by the statistics that it was trained with. */
export async function pretrained(cache: string): Promise<InceptionV3> {
  const backbone = inceptionV3({ variant: 'keras', auxLogits: false });
  const { missing, unexpected } = await loadPretrained(backbone, await weights(cache), { strict: false });
  const strange = [...missing, ...unexpected].filter((key) => !key.startsWith('fc.')); // the file's own head is another
  if (strange.length) throw new LoadError(`pretrained: the weights do not fit, at ${strange.join(', ')}`);
  return backbone.freeze().eval();
}

/** Inception v3 as the npm package nsfwjs brings it for tfjs, converted to a safetensors file once. → its path */
async function weights(cache: string): Promise<string> {
  const path = join(cache, 'inception_v3.safetensors');
  if (existsSync(path)) return path;
  const { default: json } = await InceptionV3Model.modelJson();
  const bundles = await Promise.all(InceptionV3Model.weightBundles.map((bundle) => bundle()));
  const shards = bundles.map(({ default: text }) => Buffer.from(text as unknown as string, 'base64'));
  const { tensors } = convert(json as unknown as LayersModel, shards);
  await saveSafetensors(tensors, path);
  return path;
}
