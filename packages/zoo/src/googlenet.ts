/**
 * GoogLeNet: blocks of four branches side by side, their maps concatenated; two auxiliary heads while training.
 * Szegedy et al., "Going deeper with convolutions" (2014), arXiv:1409.4842. torchvision.models.googlenet: its keys, initial
 * values, batch norm, and its 3×3 convolutions where the paper has 5×5 (an old mistake that published weights depend on).
 */
import { BatchNorm2d, Conv2d, type Conv2dOptions, Dropout, Linear, MaxPool2d, Module, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, cat, flatten, maxPool2d, relu, type Tensor } from '@tessera/tensor';
import { normalWeight } from './initial';
import { Network, type Stages } from './network';
import { checkTransform, fromImageNet } from './transform-input';

export interface GoogLeNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Have the auxiliary heads. Default true. */
  readonly auxLogits?: boolean;
  /** Take images normalised with ImageNet's mean and deviation to [−1,1] first, as the published weights want. Default false. */
  readonly transformInput?: boolean;
  /** Before the last layer. Default 0.2. */
  readonly dropout?: number;
  /** Before the last layers of the auxiliary heads. Default 0.7. */
  readonly dropoutAux?: number;
}
/** Logits [N,numClasses] of the three heads; the auxiliary ones only while training, else null. Loss: main + 0.3·(aux2 + aux1). */
export interface GoogLeNetOutputs {
  readonly logits: Tensor;
  readonly aux2: Tensor | null;
  readonly aux1: Tensor | null;
}

/** Channels of an inception block. */
interface Widths {
  readonly one: number;
  /** 1×1 before, 3×3. */
  readonly three: readonly [reduce: number, out: number];
  /** 1×1 before, the "5×5". */
  readonly five: readonly [reduce: number, out: number];
  /** 1×1 behind the pool. */
  readonly pool: number;
}
/** Table 1 of the paper. */
const widths = {
  inception3a: { one: 64, three: [96, 128], five: [16, 32], pool: 32 },
  inception3b: { one: 128, three: [128, 192], five: [32, 96], pool: 64 },
  inception4a: { one: 192, three: [96, 208], five: [16, 48], pool: 64 },
  inception4b: { one: 160, three: [112, 224], five: [24, 64], pool: 64 },
  inception4c: { one: 128, three: [128, 256], five: [24, 64], pool: 64 },
  inception4d: { one: 112, three: [144, 288], five: [32, 64], pool: 64 },
  inception4e: { one: 256, three: [160, 320], five: [32, 128], pool: 128 },
  inception5a: { one: 256, three: [160, 320], five: [32, 128], pool: 128 },
  inception5b: { one: 384, three: [192, 384], five: [48, 128], pool: 128 },
} as const satisfies Record<string, Widths>;

/** Convolution without bias, batch norm (eps 1e-3), ReLU. */
class BasicConv2d extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;
  constructor(inChannels: number, out: number, size: number, options: Conv2dOptions = {}) {
    super();
    this.conv = new Conv2d(inChannels, out, size, { ...options, bias: false });
    normalWeight(this.conv, deviation);
    this.bn = new BatchNorm2d(out, { eps: 1e-3 });
  }
  forward(x: Tensor): Tensor {
    return relu(this.bn.forward(this.conv.forward(x)));
  }
}
/** Of all initial weights. torchvision cuts at ±2, which is 200 of them away and never met. */
const deviation = 0.01;

function linear(inFeatures: number, outFeatures: number): Linear {
  const layer = new Linear(inFeatures, outFeatures);
  normalWeight(layer, deviation);
  return layer;
}

/** x [N,C,H,W] → [N,one + three + five + pool,H,W]. */
class Inception extends Module {
  readonly branch1: BasicConv2d;
  readonly branch2: Sequential;
  readonly branch3: Sequential;
  readonly branch4: Sequential;
  constructor(inChannels: number, { one, three, five, pool }: Widths) {
    super();
    this.branch1 = new BasicConv2d(inChannels, one, 1);
    this.branch2 = reduced(inChannels, three);
    this.branch3 = reduced(inChannels, five);
    const pooling = new MaxPool2d(3, { stride: 1, padding: 1, ceilMode: true });
    this.branch4 = new Sequential(pooling, new BasicConv2d(inChannels, pool, 1));
  }
  forward(x: Tensor): Tensor {
    return cat(
      [this.branch1, this.branch2, this.branch3, this.branch4].map((branch) => branch.forward(x)),
      1,
    );
  }
}
const reduced = (inChannels: number, [reduce, out]: readonly [number, number]): Sequential =>
  new Sequential(new BasicConv2d(inChannels, reduce, 1), new BasicConv2d(reduce, out, 3, { padding: 1 }));

/** An auxiliary head. x [N,C,H,W] → [N,numClasses]. */
class InceptionAux extends Module {
  readonly conv: BasicConv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly dropout: Dropout;
  constructor(inChannels: number, numClasses: number, p: number) {
    super();
    this.conv = new BasicConv2d(inChannels, 128, 1);
    this.fc1 = linear(128 * 4 * 4, 1024);
    this.fc2 = linear(1024, numClasses);
    this.dropout = new Dropout(p);
  }
  forward(x: Tensor): Tensor {
    const map = this.conv.forward(adaptiveAvgPool2d(x, 4));
    return this.fc2.forward(this.dropout.forward(relu(this.fc1.forward(flatten(map, 1)))));
  }
}

type Tap = 'C1' | 'C2' | 'C3' | 'inception4a' | 'inception4d' | 'C4' | 'C5';

/**
 * x [N,C,H,W], H and W at least 15 → logits [N,numClasses]; `outputs` gives those of the auxiliary heads as well. torchvision's
 * published weights want `transformInput: true`, and the auxiliary heads in their file were never trained.
 */
export class GoogLeNet extends Network<Tap> {
  readonly conv1: BasicConv2d;
  readonly conv2: BasicConv2d;
  readonly conv3: BasicConv2d;
  readonly inception3a = new Inception(192, widths.inception3a);
  readonly inception3b = new Inception(256, widths.inception3b);
  readonly inception4a = new Inception(480, widths.inception4a);
  readonly inception4b = new Inception(512, widths.inception4b);
  readonly inception4c = new Inception(512, widths.inception4c);
  readonly inception4d = new Inception(512, widths.inception4d);
  readonly inception4e = new Inception(528, widths.inception4e);
  readonly inception5a = new Inception(832, widths.inception5a);
  readonly inception5b = new Inception(832, widths.inception5b);
  readonly aux1: InceptionAux | null;
  readonly aux2: InceptionAux | null;
  readonly dropout: Dropout;
  readonly fc: Linear;
  readonly transformInput: boolean;

  constructor(options: GoogLeNetOptions = {}) {
    super();
    const { numClasses = 1000, inChannels = 3, auxLogits = true, transformInput = false } = options;
    const { dropout = 0.2, dropoutAux = 0.7 } = options;
    this.conv1 = new BasicConv2d(inChannels, 64, 7, { stride: 2, padding: 3 });
    this.conv2 = new BasicConv2d(64, 64, 1);
    this.conv3 = new BasicConv2d(64, 192, 3, { padding: 1 });
    this.aux1 = auxLogits ? new InceptionAux(512, numClasses, dropoutAux) : null;
    this.aux2 = auxLogits ? new InceptionAux(528, numClasses, dropoutAux) : null;
    this.dropout = new Dropout(dropout);
    this.fc = linear(1024, numClasses);
    checkTransform('GoogLeNet', transformInput, inChannels);
    this.transformInput = transformInput;
  }
  /** Without auxiliary heads those of a file are passed over. */
  override keyFrom(given: string): string | null {
    return !this.aux1 && /^aux[12]\./.test(given) ? null : given;
  }
  stages(): Stages<Tap> {
    const shrink = (map: Tensor, size: number) => maxPool2d(map, size, { stride: 2, ceilMode: true });
    const through = (map: Tensor, ...layers: readonly Module[]) => layers.reduce((x, layer) => layer.forward(x), map);
    return {
      C1: (x) => this.conv1.forward(this.transformInput ? fromImageNet(x) : x),
      C2: (map) => through(shrink(map, 3), this.conv2, this.conv3),
      C3: (map) => through(shrink(map, 3), this.inception3a, this.inception3b),
      inception4a: (map) => this.inception4a.forward(shrink(map, 3)),
      inception4d: (map) => through(map, this.inception4b, this.inception4c, this.inception4d),
      C4: (map) => this.inception4e.forward(map),
      C5: (map) => through(shrink(map, 2), this.inception5a, this.inception5b),
    };
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.fc.forward(this.dropout.forward(flatten(adaptiveAvgPool2d(map, 1), 1)));
  }
  /** What torchvision's model gives while training. */
  outputs(x: Tensor): GoogLeNetOutputs {
    const { inception4a, inception4d, C5 } = this.features(x, ['inception4a', 'inception4d', 'C5']);
    const [aux2, aux1] = this.training ? [this.aux2?.forward(inception4d), this.aux1?.forward(inception4a)] : [];
    return { logits: this.head(C5), aux2: aux2 ?? null, aux1: aux1 ?? null };
  }
}

/** 13,004,888 parameters, 6,624,904 without the auxiliary heads; 69.8 % top-1. torchvision.models.googlenet */
export const googlenet = (options: GoogLeNetOptions = {}): GoogLeNet => new GoogLeNet(options);
