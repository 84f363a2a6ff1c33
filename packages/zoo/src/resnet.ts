/**
 * ResNet and its wider relatives: blocks that add what they compute to what they are given.
 * He et al., "Deep residual learning for image recognition" (2015), arXiv:1512.03385; Xie et al., ResNeXt (2016),
 * arXiv:1611.05431; Zagoruyko and Komodakis, Wide ResNet (2016), arXiv:1605.07146.
 * torchvision.models.resnet*: its keys and initial values, with the stride in the 3×3 convolution ("v1.5").
 */
import { BatchNorm2d, type Conv2d, Linear, Module, Sequential } from '@tessera/nn';
import { ArgumentError, adaptiveAvgPool2d, add, flatten, maxPool2d, relu, type Tensor } from '@tessera/tensor';
import { conv } from './conv';
import { zero } from './initial';
import { Network, type Stages } from './network';

interface Config {
  readonly block: typeof BasicBlock | typeof Bottleneck | typeof PlainBlock;
  /** Blocks of each of the four stages. */
  readonly layers: readonly [number, number, number, number];
  readonly groups?: number;
  readonly widthPerGroup?: number;
}
export interface ResNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Start each block as the identity: its last batch norm multiplies by 0. Default false. */
  readonly zeroInitResidual?: boolean;
  /** Keep the size of stages 2, 3, 4 and dilate instead. Default none. Bottleneck nets only. */
  readonly replaceStrideWithDilation?: readonly [boolean, boolean, boolean];
}
export type PlainOptions = Pick<ResNetOptions, 'numClasses' | 'inChannels'>;
/** What a stage hands its blocks. */
interface BlockOptions {
  readonly stride: number;
  readonly groups: number;
  readonly widthPerGroup: number;
  readonly dilation: number;
}

/** Makes the shortcut fit: 1×1 convolution and norm, where stride or channels change. */
const downsampling = (inChannels: number, out: number, stride: number): Sequential | null =>
  stride === 1 && inChannels === out
    ? null
    : new Sequential(conv(inChannels, out, 1, { stride }), new BatchNorm2d(out));

/** y = relu(x + 3×3 → 3×3).  x [N,C,H,W] → [N,planes,⌈H/stride⌉,⌈W/stride⌉]. */
export class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  /** @throws ArgumentError for groups, another width or dilation, which only a bottleneck has. */
  constructor(inChannels: number, planes: number, { stride, groups, widthPerGroup, dilation }: BlockOptions) {
    super();
    if (groups !== 1 || widthPerGroup !== 64 || dilation !== 1)
      throw new ArgumentError(
        `BasicBlock: groups ${groups}, widthPerGroup ${widthPerGroup}, dilation ${dilation}; wants 1, 64 and 1; take a net of bottlenecks (resnet50)`,
      );
    this.conv1 = conv(inChannels, planes, 3, { stride });
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = conv(planes, planes, 3);
    this.bn2 = new BatchNorm2d(planes);
    this.downsample = downsampling(inChannels, planes, stride);
  }
  get lastNorm(): BatchNorm2d {
    return this.bn2;
  }
  forward(x: Tensor): Tensor {
    const inner = relu(this.bn1.forward(this.conv1.forward(x)));
    const residual = this.bn2.forward(this.conv2.forward(inner));
    return relu(add(residual, this.downsample?.forward(x) ?? x));
  }
}

/** A BasicBlock without its shortcut: y = relu(3×3 → 3×3).  x [N,C,H,W] → [N,planes,⌈H/stride⌉,⌈W/stride⌉]. */
export class PlainBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;

  constructor(inChannels: number, planes: number, { stride }: BlockOptions) {
    super();
    this.conv1 = conv(inChannels, planes, 3, { stride });
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = conv(planes, planes, 3);
    this.bn2 = new BatchNorm2d(planes);
  }
  forward(x: Tensor): Tensor {
    const inner = relu(this.bn1.forward(this.conv1.forward(x)));
    return relu(this.bn2.forward(this.conv2.forward(inner)));
  }
}

/** y = relu(x + 1×1 → 3×3 → 1×1).  x [N,C,H,W] → [N,4·planes,⌈H/stride⌉,⌈W/stride⌉]; between: ⌊planes·widthPerGroup/64⌋·groups. */
export class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inChannels: number, planes: number, options: BlockOptions) {
    super();
    const { stride, groups, widthPerGroup, dilation } = options;
    const width = Math.floor((planes * widthPerGroup) / 64) * groups;
    const out = planes * Bottleneck.expansion;
    this.conv1 = conv(inChannels, width, 1);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = conv(width, width, 3, { stride, groups, dilation });
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = conv(width, out, 1);
    this.bn3 = new BatchNorm2d(out);
    this.downsample = downsampling(inChannels, out, stride);
  }
  get lastNorm(): BatchNorm2d {
    return this.bn3;
  }
  forward(x: Tensor): Tensor {
    const narrow = relu(this.bn1.forward(this.conv1.forward(x)));
    const inner = relu(this.bn2.forward(this.conv2.forward(narrow)));
    const residual = this.bn3.forward(this.conv3.forward(inner));
    return relu(add(residual, this.downsample?.forward(x) ?? x));
  }
}

const configs = {
  resnet18: { block: BasicBlock, layers: [2, 2, 2, 2] },
  resnet34: { block: BasicBlock, layers: [3, 4, 6, 3] },
  resnet50: { block: Bottleneck, layers: [3, 4, 6, 3] },
  resnet101: { block: Bottleneck, layers: [3, 4, 23, 3] },
  resnet152: { block: Bottleneck, layers: [3, 8, 36, 3] },
  resnext50_32x4d: { block: Bottleneck, layers: [3, 4, 6, 3], groups: 32, widthPerGroup: 4 },
  resnext101_32x8d: { block: Bottleneck, layers: [3, 4, 23, 3], groups: 32, widthPerGroup: 8 },
  resnext101_64x4d: { block: Bottleneck, layers: [3, 4, 23, 3], groups: 64, widthPerGroup: 4 },
  wide_resnet50_2: { block: Bottleneck, layers: [3, 4, 6, 3], widthPerGroup: 128 },
  wide_resnet101_2: { block: Bottleneck, layers: [3, 4, 23, 3], widthPerGroup: 128 },
  plain18: { block: PlainBlock, layers: [2, 2, 2, 2] },
  plain34: { block: PlainBlock, layers: [3, 4, 6, 3] },
} satisfies Record<string, Config>;

/** x [N,C,H,W] → logits [N,numClasses]. C1 is the stem's map, C2 to C5 those of the four stages. */
export class ResNet extends Network<'C1' | 'C2' | 'C3' | 'C4' | 'C5'> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly fc: Linear;

  /** @throws ArgumentError (from the layers) for sizes that are no positive integers. */
  constructor(options: Config & ResNetOptions) {
    super();
    const { block, layers, groups = 1, widthPerGroup = 64, numClasses = 1000, inChannels = 3 } = options;
    const dilate = options.replaceStrideWithDilation ?? [false, false, false];
    this.conv1 = conv(inChannels, 64, 7, { stride: 2 });
    this.bn1 = new BatchNorm2d(64);
    let [channels, dilation] = [64, 1];
    const stage = (planes: number, blocks: number, stride: number, dilated = false): Sequential => {
      // The first block still has the dilation of the stage before it.
      const first = { stride: dilated ? 1 : stride, groups, widthPerGroup, dilation };
      if (dilated) dilation *= stride;
      const rest = { stride: 1, groups, widthPerGroup, dilation };
      const made = Array.from({ length: blocks }, (_, i) => {
        const one = new block(channels, planes, i === 0 ? first : rest);
        channels = planes * block.expansion;
        if (options.zeroInitResidual && 'lastNorm' in one) zero(one.lastNorm, 'weight');
        return one;
      });
      return new Sequential(...made);
    };
    this.layer1 = stage(64, layers[0], 1);
    this.layer2 = stage(128, layers[1], 2, dilate[0]);
    this.layer3 = stage(256, layers[2], 2, dilate[1]);
    this.layer4 = stage(512, layers[3], 2, dilate[2]);
    this.fc = new Linear(channels, numClasses);
  }
  stages(): Stages<'C1' | 'C2' | 'C3' | 'C4' | 'C5'> {
    return {
      C1: (x) => relu(this.bn1.forward(this.conv1.forward(x))),
      C2: (map) => this.layer1.forward(maxPool2d(map, 3, { stride: 2, padding: 1 })),
      C3: (map) => this.layer2.forward(map),
      C4: (map) => this.layer3.forward(map),
      C5: (map) => this.layer4.forward(map),
    };
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.fc.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

/** 11,689,512 parameters; 69.8 % top-1. */
export const resnet18 = (options: ResNetOptions = {}): ResNet => new ResNet({ ...configs.resnet18, ...options });
/** 21,797,672 parameters; 73.3 % top-1. */
export const resnet34 = (options: ResNetOptions = {}): ResNet => new ResNet({ ...configs.resnet34, ...options });
/** 25,557,032 parameters; 76.1 % top-1. */
export const resnet50 = (options: ResNetOptions = {}): ResNet => new ResNet({ ...configs.resnet50, ...options });
/** 44,549,160 parameters; 77.4 % top-1. */
export const resnet101 = (options: ResNetOptions = {}): ResNet => new ResNet({ ...configs.resnet101, ...options });
/** 60,192,808 parameters; 78.3 % top-1. */
export const resnet152 = (options: ResNetOptions = {}): ResNet => new ResNet({ ...configs.resnet152, ...options });
/** 25,028,904 parameters; 77.6 % top-1. */
export const resnext50_32x4d = (options: ResNetOptions = {}): ResNet =>
  new ResNet({ ...configs.resnext50_32x4d, ...options });
/** 88,791,336 parameters; 79.3 % top-1. */
export const resnext101_32x8d = (options: ResNetOptions = {}): ResNet =>
  new ResNet({ ...configs.resnext101_32x8d, ...options });
/** 83,455,272 parameters; 83.2 % top-1. */
export const resnext101_64x4d = (options: ResNetOptions = {}): ResNet =>
  new ResNet({ ...configs.resnext101_64x4d, ...options });
/** 68,883,240 parameters; 78.5 % top-1. */
export const wide_resnet50_2 = (options: ResNetOptions = {}): ResNet =>
  new ResNet({ ...configs.wide_resnet50_2, ...options });
/** 126,886,696 parameters; 78.8 % top-1. */
export const wide_resnet101_2 = (options: ResNetOptions = {}): ResNet =>
  new ResNet({ ...configs.wide_resnet101_2, ...options });
/** 11,515,688 parameters: ResNet-18 without shortcuts, to see what they are for. */
export const plain18 = (options: PlainOptions = {}): ResNet => new ResNet({ ...configs.plain18, ...options });
/** 21,623,848 parameters: ResNet-34 without shortcuts. */
export const plain34 = (options: PlainOptions = {}): ResNet => new ResNet({ ...configs.plain34, ...options });
