/**
 * AlexNet: as its paper has it, with two towers, response normalisation and overlapping pools, and the later form with one.
 * Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012);
 * Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), arXiv:1404.5997, which is
 * torchvision.models.alexnet: its keys, its initial values (PyTorch's defaults).
 */
import {
  Conv2d,
  type Conv2dOptions,
  Dropout,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  ReLU,
  responseSettings,
  Sequential,
} from '@tessera/nn';
import { adaptiveAvgPool2d, flatten, type Tensor } from '@tessera/tensor';
import { fill, normalWeight } from './initial';
import { RowNetwork } from './network';

export interface AlexNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Before the first two linear layers. Default 0.5. */
  readonly dropout?: number;
}
export interface AlexNetPaperOptions extends AlexNetOptions {
  /** Towers: 2 as in the paper, where each had a GPU of its own; 1 joins them. Default 2. */
  readonly groups?: 1 | 2;
}

const pool = () => new MaxPool2d(3, { stride: 2 });

const convolutions = (inChannels: number) =>
  new Sequential(
    new Conv2d(inChannels, 64, 11, { stride: 4, padding: 2 }),
    new ReLU(),
    pool(),
    new Conv2d(64, 192, 5, { padding: 2 }),
    new ReLU(),
    pool(),
    new Conv2d(192, 384, 3, { padding: 1 }),
    new ReLU(),
    new Conv2d(384, 256, 3, { padding: 1 }),
    new ReLU(),
    new Conv2d(256, 256, 3, { padding: 1 }),
    new ReLU(),
    pool(),
  );
const classifier = (p: number, numClasses: number) =>
  new Sequential(
    new Dropout(p),
    new Linear(256 * 6 * 6, 4096),
    new ReLU(),
    new Dropout(p),
    new Linear(4096, 4096),
    new ReLU(),
    new Linear(4096, numClasses),
  );

// ---- as in the paper, whose initial weights are N(0, 0.01²) and whose biases are 1 where a ReLU would else start dead ----

function paperConv(inChannels: number, out: number, size: number, bias: 0 | 1, options: Conv2dOptions): Conv2d {
  const layer = new Conv2d(inChannels, out, size, options);
  normalWeight(layer, 0.01);
  fill(layer, 'bias', bias);
  return layer;
}
function paperLinear(inFeatures: number, outFeatures: number, bias: 0 | 1): Linear {
  const layer = new Linear(inFeatures, outFeatures);
  normalWeight(layer, 0.01);
  fill(layer, 'bias', bias);
  return layer;
}
const normalised = () => new LocalResponseNorm(responseSettings.paper);

const paperConvolutions = (inChannels: number, groups: number) =>
  new Sequential(
    paperConv(inChannels, 96, 11, 0, { stride: 4, padding: 2 }),
    new ReLU(),
    normalised(),
    pool(),
    paperConv(96, 256, 5, 1, { padding: 2, groups }),
    new ReLU(),
    normalised(),
    pool(),
    paperConv(256, 384, 3, 0, { padding: 1 }), // reads both towers
    new ReLU(),
    paperConv(384, 384, 3, 1, { padding: 1, groups }),
    new ReLU(),
    paperConv(384, 256, 3, 1, { padding: 1, groups }),
    new ReLU(),
    pool(),
  );
const paperClassifier = (p: number, numClasses: number) =>
  new Sequential(
    new Dropout(p),
    paperLinear(256 * 6 * 6, 4096, 1),
    new ReLU(),
    new Dropout(p),
    paperLinear(4096, 4096, 1),
    new ReLU(),
    paperLinear(4096, numClasses, 0),
  );

/**
 * x [N,C,H,W], H and W at least 63 → logits [N,numClasses]. C2 and C3 are the maps of the first two convolutions (of the paper's
 * net: normalised), C4 that of the last, C5 the last pool's.
 */
export class AlexNet extends RowNetwork<'C2' | 'C3' | 'C4' | 'C5'> {
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.layers.classifier.forward(flatten(adaptiveAvgPool2d(map, 6), 1));
  }
}

/** 61,100,840 parameters; 56.5 % top-1 on ImageNet. torchvision.models.alexnet */
export const alexnet = ({ numClasses = 1000, inChannels = 3, dropout = 0.5 }: AlexNetOptions = {}): AlexNet =>
  new AlexNet(convolutions(inChannels), classifier(dropout, numClasses), { C2: 2, C3: 5, C4: 12, C5: 13 });

/** 60,965,224 parameters, with one tower 62,378,344. @throws ArgumentError for groups that 256 and 384 channels do not divide into. */
export function alexnetPaper(options: AlexNetPaperOptions = {}): AlexNet {
  const { numClasses = 1000, inChannels = 3, dropout = 0.5, groups = 2 } = options;
  const ends = { C2: 3, C3: 7, C4: 14, C5: 15 };
  return new AlexNet(paperConvolutions(inChannels, groups), paperClassifier(dropout, numClasses), ends);
}
