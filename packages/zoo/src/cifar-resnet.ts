/**
 * ResNet for images of 32×32, of 6n+2 layers, and the same networks without shortcuts, which get worse as they get deeper.
 * He et al., "Deep residual learning for image recognition" (2015), arXiv:1512.03385, section 4.2.
 */
import { BatchNorm2d, type Conv2d, Linear, Module, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, add, flatten, pad, relu, slice, type Tensor } from '@tessera/tensor';
import { conv } from './conv';
import { Network, type Stages } from './network';

interface Config {
  /** n: blocks of each of the three stages. */
  readonly blocks: number;
  /** False: a plain network. */
  readonly shortcuts: boolean;
}
const configs = {
  cifarResnet20: { blocks: 3, shortcuts: true },
  cifarResnet32: { blocks: 5, shortcuts: true },
  cifarResnet44: { blocks: 7, shortcuts: true },
  cifarResnet56: { blocks: 9, shortcuts: true },
  cifarResnet110: { blocks: 18, shortcuts: true },
  cifarResnet1202: { blocks: 200, shortcuts: true },
  cifarPlain20: { blocks: 3, shortcuts: false },
  cifarPlain32: { blocks: 5, shortcuts: false },
  cifarPlain44: { blocks: 7, shortcuts: false },
  cifarPlain56: { blocks: 9, shortcuts: false },
  cifarPlain110: { blocks: 18, shortcuts: false },
} as const satisfies Record<string, Config>;

export interface CifarResNetOptions {
  /** Default 10. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
}

/** y = relu(x + 3×3 → 3×3), plain: without x.  x [N,C,H,W] → [N,out,⌈H/stride⌉,⌈W/stride⌉]. */
class Block extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly shortcut: ((x: Tensor) => Tensor) | null;

  constructor(inChannels: number, out: number, stride: number, shortcuts: boolean) {
    super();
    this.conv1 = conv(inChannels, out, 3, { stride });
    this.bn1 = new BatchNorm2d(out);
    this.conv2 = conv(out, out, 3);
    this.bn2 = new BatchNorm2d(out);
    this.shortcut = shortcuts ? (x) => fitted(x, out - inChannels, stride) : null;
  }
  forward(x: Tensor): Tensor {
    const inner = relu(this.bn1.forward(this.conv1.forward(x)));
    const y = this.bn2.forward(this.conv2.forward(inner));
    return relu(this.shortcut ? add(y, this.shortcut(x)) : y);
  }
}
/** The paper's option A, without parameters: every stride-th place, and channels of zeros behind. */
function fitted(x: Tensor, zeros: number, stride: number): Tensor {
  const every = stride === 1 ? x : slice(x, [null, null, [null, null, stride], [null, null, stride]]);
  return zeros === 0 ? every : pad(every, [0, 0, 0, 0, 0, zeros]);
}

/** x [N,C,H,W] → logits [N,numClasses]. C0, C1 and C2 are the maps of the three stages, of 16, 32 and 64 channels. */
export class CifarResNet extends Network<'C0' | 'C1' | 'C2'> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly fc: Linear;

  constructor({ blocks, shortcuts, numClasses = 10, inChannels = 3 }: Config & CifarResNetOptions) {
    super();
    const stage = (channels: number, out: number, stride: number): Sequential =>
      new Sequential(
        new Block(channels, out, stride, shortcuts),
        ...Array.from({ length: blocks - 1 }, () => new Block(out, out, 1, shortcuts)),
      );
    this.conv1 = conv(inChannels, 16, 3);
    this.bn1 = new BatchNorm2d(16);
    this.layer1 = stage(16, 16, 1);
    this.layer2 = stage(16, 32, 2);
    this.layer3 = stage(32, 64, 2);
    this.fc = new Linear(64, numClasses);
  }
  stages(): Stages<'C0' | 'C1' | 'C2'> {
    return {
      C0: (x) => this.layer1.forward(relu(this.bn1.forward(this.conv1.forward(x)))),
      C1: (map) => this.layer2.forward(map),
      C2: (map) => this.layer3.forward(map),
    };
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.fc.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

/** 269,722 parameters; 8.75 % error on CIFAR-10 in the paper. */
export const cifarResnet20 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarResnet20, ...options });
/** 464,154 parameters; 7.51 %. */
export const cifarResnet32 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarResnet32, ...options });
/** 658,586 parameters; 7.17 %. */
export const cifarResnet44 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarResnet44, ...options });
/** 853,018 parameters; 6.97 %. */
export const cifarResnet56 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarResnet56, ...options });
/** 1,727,962 parameters; 6.43 %. The paper begins with learning rate 0.01 until the training error is below 80 %. */
export const cifarResnet110 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarResnet110, ...options });
/** 19,421,274 parameters; 7.93 %. */
export const cifarResnet1202 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarResnet1202, ...options });

/** cifarResnet20 without shortcuts, which have no parameters: as many. */
export const cifarPlain20 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarPlain20, ...options });
/** cifarResnet32 without shortcuts. */
export const cifarPlain32 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarPlain32, ...options });
/** cifarResnet44 without shortcuts. */
export const cifarPlain44 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarPlain44, ...options });
/** cifarResnet56 without shortcuts. */
export const cifarPlain56 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarPlain56, ...options });
/** cifarResnet110 without shortcuts; the paper could not train it to below 60 % error. */
export const cifarPlain110 = (options: CifarResNetOptions = {}): CifarResNet =>
  new CifarResNet({ ...configs.cifarPlain110, ...options });
