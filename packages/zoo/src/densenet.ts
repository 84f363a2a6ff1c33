/**
 * DenseNet: each layer reads the maps of all layers before it in its block, and adds a few channels to them.
 * Huang et al., "Densely connected convolutional networks" (2016), arXiv:1608.06993 (the DenseNet-BC of its Table 1).
 * torchvision.models.densenet*: its keys and initial values.
 */
import {
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  type Conv2dOptions,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '@tessera/nn';
import { adaptiveAvgPool2d, cat, dropout, flatten, relu, type Tensor } from '@tessera/tensor';
import { normalWeight, zero } from './initial';
import { RowNetwork } from './network';

interface Config {
  /** Channels that a layer adds. */
  readonly growth: number;
  /** Layers of each of the four blocks. */
  readonly blocks: readonly [number, number, number, number];
  /** Channels of the stem. */
  readonly start: number;
}
const configs = {
  densenet121: { growth: 32, blocks: [6, 12, 24, 16], start: 64 },
  densenet161: { growth: 48, blocks: [6, 12, 36, 24], start: 96 },
  densenet169: { growth: 32, blocks: [6, 12, 32, 32], start: 64 },
  densenet201: { growth: 32, blocks: [6, 12, 48, 32], start: 64 },
} as const satisfies Record<string, Config>;

export interface DenseNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** On what each layer adds. Default 0. */
  readonly dropRate?: number;
}

/** Without bias, weight ~ N(0, 2/(C·R·S)). */
function conv(inChannels: number, out: number, size: number, options: Conv2dOptions = {}): Conv2d {
  const layer = new Conv2d(inChannels, out, size, { ...options, bias: false });
  normalWeight(layer, Math.sqrt(2 / (inChannels * size * size)));
  return layer;
}

/** Norm, ReLU, 1×1 convolution to 4·growth channels; norm, ReLU, 3×3.  x [N,C,H,W] → [N,growth,H,W]. */
class DenseLayer extends Module {
  readonly norm1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly dropRate: number;
  constructor(inChannels: number, growth: number, dropRate: number) {
    super();
    const narrow = 4 * growth;
    this.norm1 = new BatchNorm2d(inChannels);
    this.conv1 = conv(inChannels, narrow, 1);
    this.norm2 = new BatchNorm2d(narrow);
    this.conv2 = conv(narrow, growth, 3, { padding: 1 });
    this.dropRate = dropRate;
  }
  /** Files of before 2018 are taken too: they have `norm.1` where this has `norm1`. */
  override keyFrom(given: string): string {
    return given.replace(/^([a-z]+)\.([12]\.)/, '$1$2');
  }
  forward(x: Tensor): Tensor {
    const narrow = this.conv1.forward(relu(this.norm1.forward(x)));
    const added = this.conv2.forward(relu(this.norm2.forward(narrow)));
    return dropout(added, { p: this.dropRate, training: this.training });
  }
}

/** Layers denselayer1, denselayer2, … x [N,C,H,W] → [N,C + layers·growth,H,W]. */
class DenseBlock extends Sequential {
  constructor(inChannels: number, layers: number, growth: number, dropRate: number) {
    const made = Array.from({ length: layers }, (_, i) => new DenseLayer(inChannels + i * growth, growth, dropRate));
    super(Object.fromEntries(made.map((layer, i) => [`denselayer${i + 1}`, layer])));
  }
  override forward(x: Tensor): Tensor {
    return [...this].reduce((maps, layer) => cat([maps, layer.forward(maps)], 1), x);
  }
}

const transition = (channels: number): Sequential =>
  new Sequential({
    norm: new BatchNorm2d(channels),
    relu: new ReLU(),
    conv: conv(channels, channels / 2, 1),
    pool: new AvgPool2d(2),
  });

function layersOf({ growth, blocks, start }: Config, inChannels: number, dropRate: number): [Sequential, out: number] {
  let channels = start;
  const stages = blocks.flatMap((layers, i): [string, Module][] => {
    const block = new DenseBlock(channels, layers, growth, dropRate);
    channels += layers * growth;
    if (i === blocks.length - 1) return [[`denseblock${i + 1}`, block]];
    const halved = transition(channels);
    channels /= 2;
    return [
      [`denseblock${i + 1}`, block],
      [`transition${i + 1}`, halved],
    ];
  });
  const row = new Sequential({
    conv0: conv(inChannels, start, 7, { stride: 2, padding: 3 }),
    norm0: new BatchNorm2d(start),
    relu0: new ReLU(),
    pool0: new MaxPool2d(3, { stride: 2, padding: 1 }),
    ...Object.fromEntries(stages),
    norm5: new BatchNorm2d(channels),
    relu5: new ReLU(),
  });
  return [row, channels];
}

/** x [N,C,H,W], H and W at least 29 → logits [N,numClasses]. C1 is the stem's map, C2 to C5 those of the four blocks. */
export class DenseNet extends RowNetwork<'C1' | 'C2' | 'C3' | 'C4' | 'C5', Linear> {
  constructor(options: Config & DenseNetOptions) {
    const { numClasses = 1000, inChannels = 3, dropRate = 0 } = options;
    const [row, channels] = layersOf(options, inChannels, dropRate);
    const classifier = new Linear(channels, numClasses);
    zero(classifier, 'bias');
    super(row, classifier, { C1: 3, C2: 5, C3: 7, C4: 9, C5: 13 });
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.layers.classifier.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

/** 7,978,856 parameters; 74.4 % top-1. */
export const densenet121 = (options: DenseNetOptions = {}): DenseNet =>
  new DenseNet({ ...configs.densenet121, ...options });
/** 28,681,000 parameters; 77.1 % top-1. */
export const densenet161 = (options: DenseNetOptions = {}): DenseNet =>
  new DenseNet({ ...configs.densenet161, ...options });
/** 14,149,480 parameters; 75.6 % top-1. */
export const densenet169 = (options: DenseNetOptions = {}): DenseNet =>
  new DenseNet({ ...configs.densenet169, ...options });
/** 20,013,928 parameters; 76.9 % top-1. */
export const densenet201 = (options: DenseNetOptions = {}): DenseNet =>
  new DenseNet({ ...configs.densenet201, ...options });
