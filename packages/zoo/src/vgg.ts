/**
 * VGG: rows of 3×3 convolutions, each stage ended by a pool.
 * Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014), arXiv:1409.1556.
 * torchvision.models.vgg*: its keys and initial values.
 */
import { BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, type Module, ReLU, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, flatten, type Tensor } from '@tessera/tensor';
import { kaimingFanOut, normalWeight, zero } from './initial';
import { RowNetwork } from './network';

interface Config {
  /** Channels of the convolutions of each of the five stages. */
  readonly stages: readonly (readonly number[])[];
  readonly batchNorm: boolean;
}
/** Table 1 of the paper: columns A, B, D, E. */
const a = [[64], [128], [256, 256], [512, 512], [512, 512]];
const b = [
  [64, 64],
  [128, 128],
  [256, 256],
  [512, 512],
  [512, 512],
];
const d = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
];
const e = [
  [64, 64],
  [128, 128],
  [256, 256, 256, 256],
  [512, 512, 512, 512],
  [512, 512, 512, 512],
];
const configs = {
  vgg11: { stages: a, batchNorm: false },
  vgg11_bn: { stages: a, batchNorm: true },
  vgg13: { stages: b, batchNorm: false },
  vgg13_bn: { stages: b, batchNorm: true },
  vgg16: { stages: d, batchNorm: false },
  vgg16_bn: { stages: d, batchNorm: true },
  vgg19: { stages: e, batchNorm: false },
  vgg19_bn: { stages: e, batchNorm: true },
} satisfies Record<string, Config>;

export interface VGGOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Behind the first two linear layers' ReLU. Default 0.5. */
  readonly dropout?: number;
}

function convolutions({ stages, batchNorm }: Config, inChannels: number): Sequential {
  let channels = inChannels;
  const layers = stages.flatMap((stage): Module[] => [
    ...stage.flatMap((out): Module[] => {
      const conv = new Conv2d(channels, out, 3, { padding: 1 });
      kaimingFanOut(conv);
      zero(conv, 'bias');
      channels = out;
      return [conv, ...(batchNorm ? [new BatchNorm2d(out)] : []), new ReLU()];
    }),
    new MaxPool2d(2),
  ]);
  return new Sequential(...layers);
}

function linear(inFeatures: number, outFeatures: number): Linear {
  const layer = new Linear(inFeatures, outFeatures);
  normalWeight(layer, 0.01);
  zero(layer, 'bias');
  return layer;
}
const classifier = (p: number, numClasses: number): Sequential =>
  new Sequential(
    linear(512 * 7 * 7, 4096),
    new ReLU(),
    new Dropout(p),
    linear(4096, 4096),
    new ReLU(),
    new Dropout(p),
    linear(4096, numClasses),
  );

/** Where each stage's pool stands, which begins the next; C5 is the last pool's map. */
function ends({ stages, batchNorm }: Config): Record<Tap, number> {
  const place = (count: number): number => {
    const convs = stages.slice(0, count).flat().length;
    return convs * (batchNorm ? 3 : 2) + count - 1;
  };
  return { C0: place(1), C1: place(2), C2: place(3), C3: place(4), C4: place(5), C5: place(5) + 1 };
}
type Tap = 'C0' | 'C1' | 'C2' | 'C3' | 'C4' | 'C5';

/** x [N,C,H,W], H and W at least 32 → logits [N,numClasses]. C0 to C4 are the maps before the pools, C5 the last pool's. */
export class VGG extends RowNetwork<Tap> {
  constructor(options: Config & VGGOptions) {
    const { numClasses = 1000, inChannels = 3, dropout = 0.5 } = options;
    super(convolutions(options, inChannels), classifier(dropout, numClasses), ends(options));
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.layers.classifier.forward(flatten(adaptiveAvgPool2d(map, 7), 1));
  }
}

/** 132,863,336 parameters. */
export const vgg11 = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg11, ...options });
/** 132,868,840 parameters. */
export const vgg11_bn = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg11_bn, ...options });
/** 133,047,848 parameters. */
export const vgg13 = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg13, ...options });
/** 133,053,736 parameters. */
export const vgg13_bn = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg13_bn, ...options });
/** 138,357,544 parameters. */
export const vgg16 = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg16, ...options });
/** 138,365,992 parameters. */
export const vgg16_bn = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg16_bn, ...options });
/** 143,667,240 parameters. */
export const vgg19 = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg19, ...options });
/** 143,678,248 parameters. */
export const vgg19_bn = (options: VGGOptions = {}): VGG => new VGG({ ...configs.vgg19_bn, ...options });
