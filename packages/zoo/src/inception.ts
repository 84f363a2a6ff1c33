/**
 * Inception v3: blocks of branches with factorised convolutions (5×5 as two 3×3, 7×7 as 1×7 and 7×1).
 * Szegedy et al., "Rethinking the inception architecture for computer vision" (2015), arXiv:1512.00567.
 * torchvision.models.inception_v3: its keys and initial values. Fields have the names of its keys.
 */
import {
  BatchNorm2d,
  Conv2d,
  type Conv2dOptions,
  Dropout,
  Linear,
  Module,
  ReLU,
  Sequential,
  type Size2d,
} from '@tessera/nn';
import { adaptiveAvgPool2d, avgPool2d, cat, flatten, maxPool2d, relu, type Tensor } from '@tessera/tensor';
import { normalWeight } from './initial';
import { Network, type Stages } from './network';
import { checkTransform, fromImageNet } from './transform-input';

export interface InceptionOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Have the auxiliary head. Default true. */
  readonly auxLogits?: boolean;
  /** Take images normalised with ImageNet's mean and deviation to [−1,1] first, as the published weights want. Default false. */
  readonly transformInput?: boolean;
  /** Before the last layer, and behind each hidden one. Default 0.5. */
  readonly dropout?: number;
  /** Widths of layers with ReLU before the last one, for heads that have such: `fc.0`, `fc.3` …. Default none. */
  readonly hidden?: readonly number[];
  /**
   * 'keras': averages in the blocks leave the padding out of their count, as in tf.keras.applications.InceptionV3. All else is
   * the same; its batch norms have no weight, which is a weight of 1, and it wants images in [−1,1] or as they were trained.
   * Default 'torchvision'.
   */
  readonly variant?: 'torchvision' | 'keras';
}
/** Logits [N,numClasses] of both heads; the auxiliary one only while training, else null. Loss: main + 0.3 or 0.4·aux. */
export interface InceptionOutputs {
  readonly logits: Tensor;
  readonly aux: Tensor | null;
}

/** Convolution without bias, batch norm (eps 1e-3), ReLU. */
class BasicConv2d extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;
  constructor(inChannels: number, out: number, size: Size2d, options: Conv2dOptions = {}) {
    super();
    this.conv = new Conv2d(inChannels, out, size, { ...options, bias: false });
    normalWeight(this.conv, 0.1); // cut at ±2 there, which is 20 deviations away and never met
    this.bn = new BatchNorm2d(out, { eps: 1e-3 });
  }
  forward(x: Tensor): Tensor {
    return relu(this.bn.forward(this.conv.forward(x)));
  }
}
function linear(inFeatures: number, outFeatures: number, std: number): Linear {
  const layer = new Linear(inFeatures, outFeatures);
  normalWeight(layer, std);
  return layer;
}
const through = (x: Tensor, ...layers: readonly Module[]): Tensor => layers.reduce((y, layer) => layer.forward(y), x);
const concat = (...maps: readonly Tensor[]): Tensor => cat(maps, 1);
type Average = (x: Tensor) => Tensor;
const averageOf =
  (variant: 'torchvision' | 'keras'): Average =>
  (x) =>
    avgPool2d(x, 3, { stride: 1, padding: 1, countIncludePad: variant === 'torchvision' });
/** [N,inFeatures] → [N,numClasses]. */
function classifier(inFeatures: number, hidden: readonly number[], numClasses: number, dropout: number): Module {
  const layers = hidden.flatMap((width, i) => [
    linear(hidden[i - 1] ?? inFeatures, width, 0.1),
    new ReLU(),
    new Dropout(dropout),
  ]);
  const last = linear(hidden.at(-1) ?? inFeatures, numClasses, 0.1);
  return layers.length ? new Sequential(...layers, last) : last;
}
/** Half a 7×7 each, with the padding that keeps the size. */
const wide = [1, 7] as const;
const tall = [7, 1] as const;
const padWide = { padding: [0, 3] } as const;
const padTall = { padding: [3, 0] } as const;

/** x [N,C,H,W] → [N,224 + pool,H,W]. */
class InceptionA extends Module {
  readonly branch1x1: BasicConv2d;
  readonly branch5x5_1: BasicConv2d;
  readonly branch5x5_2 = new BasicConv2d(48, 64, 5, { padding: 2 });
  readonly branch3x3dbl_1: BasicConv2d;
  readonly branch3x3dbl_2 = new BasicConv2d(64, 96, 3, { padding: 1 });
  readonly branch3x3dbl_3 = new BasicConv2d(96, 96, 3, { padding: 1 });
  readonly branch_pool: BasicConv2d;
  readonly average: Average;
  constructor(inChannels: number, pool: number, average: Average) {
    super();
    this.average = average;
    this.branch1x1 = new BasicConv2d(inChannels, 64, 1);
    this.branch5x5_1 = new BasicConv2d(inChannels, 48, 1);
    this.branch3x3dbl_1 = new BasicConv2d(inChannels, 64, 1);
    this.branch_pool = new BasicConv2d(inChannels, pool, 1);
  }
  forward(x: Tensor): Tensor {
    return concat(
      through(x, this.branch1x1),
      through(x, this.branch5x5_1, this.branch5x5_2),
      through(x, this.branch3x3dbl_1, this.branch3x3dbl_2, this.branch3x3dbl_3),
      through(this.average(x), this.branch_pool),
    );
  }
}

/** x [N,C,H,W] → [N,480 + C,⌊(H−1)/2⌋,⌊(W−1)/2⌋]. */
class InceptionB extends Module {
  readonly branch3x3: BasicConv2d;
  readonly branch3x3dbl_1: BasicConv2d;
  readonly branch3x3dbl_2 = new BasicConv2d(64, 96, 3, { padding: 1 });
  readonly branch3x3dbl_3 = new BasicConv2d(96, 96, 3, { stride: 2 });
  constructor(inChannels: number) {
    super();
    this.branch3x3 = new BasicConv2d(inChannels, 384, 3, { stride: 2 });
    this.branch3x3dbl_1 = new BasicConv2d(inChannels, 64, 1);
  }
  forward(x: Tensor): Tensor {
    return concat(
      through(x, this.branch3x3),
      through(x, this.branch3x3dbl_1, this.branch3x3dbl_2, this.branch3x3dbl_3),
      maxPool2d(x, 3, { stride: 2 }),
    );
  }
}

/** x [N,C,H,W] → [N,768,H,W]; `c` channels between. */
class InceptionC extends Module {
  readonly branch1x1: BasicConv2d;
  readonly branch7x7_1: BasicConv2d;
  readonly branch7x7_2: BasicConv2d;
  readonly branch7x7_3: BasicConv2d;
  readonly branch7x7dbl_1: BasicConv2d;
  readonly branch7x7dbl_2: BasicConv2d;
  readonly branch7x7dbl_3: BasicConv2d;
  readonly branch7x7dbl_4: BasicConv2d;
  readonly branch7x7dbl_5: BasicConv2d;
  readonly branch_pool: BasicConv2d;
  readonly average: Average;
  constructor(inChannels: number, c: number, average: Average) {
    super();
    this.average = average;
    this.branch1x1 = new BasicConv2d(inChannels, 192, 1);
    this.branch7x7_1 = new BasicConv2d(inChannels, c, 1);
    this.branch7x7_2 = new BasicConv2d(c, c, wide, padWide);
    this.branch7x7_3 = new BasicConv2d(c, 192, tall, padTall);
    this.branch7x7dbl_1 = new BasicConv2d(inChannels, c, 1);
    this.branch7x7dbl_2 = new BasicConv2d(c, c, tall, padTall);
    this.branch7x7dbl_3 = new BasicConv2d(c, c, wide, padWide);
    this.branch7x7dbl_4 = new BasicConv2d(c, c, tall, padTall);
    this.branch7x7dbl_5 = new BasicConv2d(c, 192, wide, padWide);
    this.branch_pool = new BasicConv2d(inChannels, 192, 1);
  }
  forward(x: Tensor): Tensor {
    const doubled = through(x, this.branch7x7dbl_1, this.branch7x7dbl_2, this.branch7x7dbl_3);
    return concat(
      through(x, this.branch1x1),
      through(x, this.branch7x7_1, this.branch7x7_2, this.branch7x7_3),
      through(doubled, this.branch7x7dbl_4, this.branch7x7dbl_5),
      through(this.average(x), this.branch_pool),
    );
  }
}

/** x [N,C,H,W] → [N,512 + C,⌊(H−1)/2⌋,⌊(W−1)/2⌋]. */
class InceptionD extends Module {
  readonly branch3x3_1: BasicConv2d;
  readonly branch3x3_2 = new BasicConv2d(192, 320, 3, { stride: 2 });
  readonly branch7x7x3_1: BasicConv2d;
  readonly branch7x7x3_2 = new BasicConv2d(192, 192, wide, padWide);
  readonly branch7x7x3_3 = new BasicConv2d(192, 192, tall, padTall);
  readonly branch7x7x3_4 = new BasicConv2d(192, 192, 3, { stride: 2 });
  constructor(inChannels: number) {
    super();
    this.branch3x3_1 = new BasicConv2d(inChannels, 192, 1);
    this.branch7x7x3_1 = new BasicConv2d(inChannels, 192, 1);
  }
  forward(x: Tensor): Tensor {
    return concat(
      through(x, this.branch3x3_1, this.branch3x3_2),
      through(x, this.branch7x7x3_1, this.branch7x7x3_2, this.branch7x7x3_3, this.branch7x7x3_4),
      maxPool2d(x, 3, { stride: 2 }),
    );
  }
}

/** x [N,C,H,W] → [N,2048,H,W]. Two branches end in a pair side by side. */
class InceptionE extends Module {
  readonly branch1x1: BasicConv2d;
  readonly branch3x3_1: BasicConv2d;
  readonly branch3x3_2a = new BasicConv2d(384, 384, [1, 3], { padding: [0, 1] });
  readonly branch3x3_2b = new BasicConv2d(384, 384, [3, 1], { padding: [1, 0] });
  readonly branch3x3dbl_1: BasicConv2d;
  readonly branch3x3dbl_2 = new BasicConv2d(448, 384, 3, { padding: 1 });
  readonly branch3x3dbl_3a = new BasicConv2d(384, 384, [1, 3], { padding: [0, 1] });
  readonly branch3x3dbl_3b = new BasicConv2d(384, 384, [3, 1], { padding: [1, 0] });
  readonly branch_pool: BasicConv2d;
  readonly average: Average;
  constructor(inChannels: number, average: Average) {
    super();
    this.average = average;
    this.branch1x1 = new BasicConv2d(inChannels, 320, 1);
    this.branch3x3_1 = new BasicConv2d(inChannels, 384, 1);
    this.branch3x3dbl_1 = new BasicConv2d(inChannels, 448, 1);
    this.branch_pool = new BasicConv2d(inChannels, 192, 1);
  }
  forward(x: Tensor): Tensor {
    const single = this.branch3x3_1.forward(x);
    const doubled = through(x, this.branch3x3dbl_1, this.branch3x3dbl_2);
    return concat(
      through(x, this.branch1x1),
      concat(through(single, this.branch3x3_2a), through(single, this.branch3x3_2b)),
      concat(through(doubled, this.branch3x3dbl_3a), through(doubled, this.branch3x3dbl_3b)),
      through(this.average(x), this.branch_pool),
    );
  }
}

/** The auxiliary head. x [N,C,17,17] → [N,numClasses]. */
class InceptionAux extends Module {
  readonly conv0: BasicConv2d;
  /** Starts at 0.1, as in torchvision: its `conv1.stddev = 0.01` stands on the block, where the loop over layers never reads it. */
  readonly conv1 = new BasicConv2d(128, 768, 5);
  readonly fc: Linear;
  constructor(inChannels: number, numClasses: number) {
    super();
    this.conv0 = new BasicConv2d(inChannels, 128, 1);
    this.fc = linear(768, numClasses, 0.001);
  }
  forward(x: Tensor): Tensor {
    const map = through(avgPool2d(x, 5, { stride: 3 }), this.conv0, this.conv1);
    return this.fc.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

type Tap = 'C1' | 'C2' | 'C3' | 'C4' | 'C5';

/**
 * x [N,C,H,W], made for 299×299, at least 75 → logits [N,numClasses]; `outputs` gives those of the auxiliary head as well.
 * torchvision's published weights want `transformInput: true`.
 */
export class InceptionV3 extends Network<Tap> {
  readonly Conv2d_1a_3x3: BasicConv2d;
  readonly Conv2d_2a_3x3 = new BasicConv2d(32, 32, 3);
  readonly Conv2d_2b_3x3 = new BasicConv2d(32, 64, 3, { padding: 1 });
  readonly Conv2d_3b_1x1 = new BasicConv2d(64, 80, 1);
  readonly Conv2d_4a_3x3 = new BasicConv2d(80, 192, 3);
  readonly Mixed_5b: InceptionA;
  readonly Mixed_5c: InceptionA;
  readonly Mixed_5d: InceptionA;
  readonly Mixed_6a = new InceptionB(288);
  readonly Mixed_6b: InceptionC;
  readonly Mixed_6c: InceptionC;
  readonly Mixed_6d: InceptionC;
  readonly Mixed_6e: InceptionC;
  readonly AuxLogits: InceptionAux | null;
  readonly Mixed_7a = new InceptionD(768);
  readonly Mixed_7b: InceptionE;
  readonly Mixed_7c: InceptionE;
  readonly dropout: Dropout;
  readonly fc: Module;
  readonly transformInput: boolean;

  constructor(options: InceptionOptions = {}) {
    super();
    const { numClasses = 1000, inChannels = 3, auxLogits = true, transformInput = false, dropout = 0.5 } = options;
    const { hidden = [], variant = 'torchvision' } = options;
    const average = averageOf(variant);
    this.Conv2d_1a_3x3 = new BasicConv2d(inChannels, 32, 3, { stride: 2 });
    [this.Mixed_5b, this.Mixed_5c] = [new InceptionA(192, 32, average), new InceptionA(256, 64, average)];
    this.Mixed_5d = new InceptionA(288, 64, average);
    [this.Mixed_6b, this.Mixed_6c] = [new InceptionC(768, 128, average), new InceptionC(768, 160, average)];
    [this.Mixed_6d, this.Mixed_6e] = [new InceptionC(768, 160, average), new InceptionC(768, 192, average)];
    [this.Mixed_7b, this.Mixed_7c] = [new InceptionE(1280, average), new InceptionE(2048, average)];
    this.AuxLogits = auxLogits ? new InceptionAux(768, numClasses) : null;
    this.dropout = new Dropout(dropout);
    this.fc = classifier(2048, hidden, numClasses, dropout);
    checkTransform('InceptionV3', transformInput, inChannels);
    this.transformInput = transformInput;
  }
  /** Without an auxiliary head that of a file is passed over. */
  override keyFrom(given: string): string | null {
    return !this.AuxLogits && given.startsWith('AuxLogits.') ? null : given;
  }
  stages(): Stages<Tap> {
    const shrink = (map: Tensor) => maxPool2d(map, 3, { stride: 2 });
    return {
      C1: (x) =>
        through(this.transformInput ? fromImageNet(x) : x, this.Conv2d_1a_3x3, this.Conv2d_2a_3x3, this.Conv2d_2b_3x3),
      C2: (map) => through(shrink(map), this.Conv2d_3b_1x1, this.Conv2d_4a_3x3),
      C3: (map) => through(shrink(map), this.Mixed_5b, this.Mixed_5c, this.Mixed_5d),
      C4: (map) => through(map, this.Mixed_6a, this.Mixed_6b, this.Mixed_6c, this.Mixed_6d, this.Mixed_6e),
      C5: (map) => through(map, this.Mixed_7a, this.Mixed_7b, this.Mixed_7c),
    };
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.fc.forward(flatten(this.dropout.forward(adaptiveAvgPool2d(map, 1)), 1));
  }
  /** What torchvision's model gives while training. */
  outputs(x: Tensor): InceptionOutputs {
    const { C4, C5 } = this.features(x, ['C4', 'C5']);
    return { logits: this.head(C5), aux: this.training ? (this.AuxLogits?.forward(C4) ?? null) : null };
  }
}

/** 27,161,264 parameters, 23,834,568 without the auxiliary head; 77.3 % top-1. torchvision.models.inception_v3 */
export const inceptionV3 = (options: InceptionOptions = {}): InceptionV3 => new InceptionV3(options);
