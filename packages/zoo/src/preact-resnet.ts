/**
 * ResNet with norm and ReLU before each convolution, so that what is added reaches the end as it is.
 * He et al., "Identity mappings in deep residual networks" (2016), arXiv:1603.05027. Between its papers' two programs: the stride
 * is in the 3×3 convolution, as in /resnet; shortcuts that change shape are a 1×1 convolution of the activated map.
 */
import { BatchNorm2d, type Conv2d, Linear, Module, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, add, flatten, maxPool2d, relu, type Tensor } from '@tessera/tensor';
import { conv } from './conv';
import { Network, type Stages } from './network';

interface Config {
  readonly block: typeof PreActBasicBlock | typeof PreActBottleneck;
  /** Blocks of each of the four stages. */
  readonly layers: readonly [number, number, number, number];
}
export interface PreActResNetOptions {
  /** Default 1000; 10 for the networks for CIFAR. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
}
/** What a stage hands its blocks. */
interface BlockOptions {
  readonly stride: number;
  /** The stem has activated what comes, which is true of the first block. */
  readonly activated: boolean;
}

const projection = (inChannels: number, out: number, stride: number): Conv2d | null =>
  stride === 1 && inChannels === out ? null : conv(inChannels, out, 1, { stride });

/** y = x + (norm, ReLU, 3×3, norm, ReLU, 3×3).  x [N,C,H,W] → [N,planes,⌈H/stride⌉,⌈W/stride⌉]. */
export class PreActBasicBlock extends Module {
  static readonly expansion = 1;
  readonly bn1: BatchNorm2d | null;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly downsample: Conv2d | null;

  constructor(inChannels: number, planes: number, { stride, activated }: BlockOptions) {
    super();
    this.bn1 = activated ? null : new BatchNorm2d(inChannels);
    this.conv1 = conv(inChannels, planes, 3, { stride });
    this.bn2 = new BatchNorm2d(planes);
    this.conv2 = conv(planes, planes, 3);
    this.downsample = projection(inChannels, planes, stride);
  }
  forward(x: Tensor): Tensor {
    const active = this.bn1 ? relu(this.bn1.forward(x)) : x;
    const inner = relu(this.bn2.forward(this.conv1.forward(active)));
    return add(this.downsample?.forward(active) ?? x, this.conv2.forward(inner));
  }
}

/** y = x + (norm, ReLU, 1×1, norm, ReLU, 3×3, norm, ReLU, 1×1).  x [N,C,H,W] → [N,4·planes,⌈H/stride⌉,⌈W/stride⌉]. */
export class PreActBottleneck extends Module {
  static readonly expansion = 4;
  readonly bn1: BatchNorm2d | null;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly downsample: Conv2d | null;

  constructor(inChannels: number, planes: number, { stride, activated }: BlockOptions) {
    super();
    const out = planes * PreActBottleneck.expansion;
    this.bn1 = activated ? null : new BatchNorm2d(inChannels);
    this.conv1 = conv(inChannels, planes, 1);
    this.bn2 = new BatchNorm2d(planes);
    this.conv2 = conv(planes, planes, 3, { stride });
    this.bn3 = new BatchNorm2d(planes);
    this.conv3 = conv(planes, out, 1);
    this.downsample = projection(inChannels, out, stride);
  }
  forward(x: Tensor): Tensor {
    const active = this.bn1 ? relu(this.bn1.forward(x)) : x;
    const narrow = relu(this.bn2.forward(this.conv1.forward(active)));
    const inner = relu(this.bn3.forward(this.conv2.forward(narrow)));
    return add(this.downsample?.forward(active) ?? x, this.conv3.forward(inner));
  }
}

const configs = {
  preactResnet18: { block: PreActBasicBlock, layers: [2, 2, 2, 2] },
  preactResnet34: { block: PreActBasicBlock, layers: [3, 4, 6, 3] },
  preactResnet50: { block: PreActBottleneck, layers: [3, 4, 6, 3] },
  preactResnet101: { block: PreActBottleneck, layers: [3, 4, 23, 3] },
  preactResnet152: { block: PreActBottleneck, layers: [3, 8, 36, 3] },
  preactResnet200: { block: PreActBottleneck, layers: [3, 24, 36, 3] },
} satisfies Record<string, Config>;

/** A stage's blocks, of which the first changes the shape. */
function stage(
  block: Config['block'],
  inChannels: number,
  planes: number,
  count: number,
  first: BlockOptions,
): Sequential {
  const out = planes * block.expansion;
  const rest = { stride: 1, activated: false };
  return new Sequential(
    new block(inChannels, planes, first),
    ...Array.from({ length: count - 1 }, () => new block(out, planes, rest)),
  );
}

/** x [N,C,H,W] → logits [N,numClasses]. C1 is the stem's map, C2 to C4 sums as they leave a stage, C5 the last, normalised. */
export class PreActResNet extends Network<'C1' | 'C2' | 'C3' | 'C4' | 'C5'> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly norm: BatchNorm2d;
  readonly fc: Linear;

  constructor({ block, layers, numClasses = 1000, inChannels = 3 }: Config & PreActResNetOptions) {
    super();
    const { expansion } = block;
    this.conv1 = conv(inChannels, 64, 7, { stride: 2 });
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = stage(block, 64, 64, layers[0], { stride: 1, activated: true });
    this.layer2 = stage(block, 64 * expansion, 128, layers[1], { stride: 2, activated: false });
    this.layer3 = stage(block, 128 * expansion, 256, layers[2], { stride: 2, activated: false });
    this.layer4 = stage(block, 256 * expansion, 512, layers[3], { stride: 2, activated: false });
    this.norm = new BatchNorm2d(512 * expansion);
    this.fc = new Linear(512 * expansion, numClasses);
  }
  stages(): Stages<'C1' | 'C2' | 'C3' | 'C4' | 'C5'> {
    return {
      C1: (x) => relu(this.bn1.forward(this.conv1.forward(x))),
      C2: (map) => this.layer1.forward(maxPool2d(map, 3, { stride: 2, padding: 1 })),
      C3: (map) => this.layer2.forward(map),
      C4: (map) => this.layer3.forward(map),
      C5: (map) => relu(this.norm.forward(this.layer4.forward(map))),
    };
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.fc.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

/** x [N,C,H,W], made for 32×32 → logits [N,numClasses]. C0 and C1 are sums as they leave a stage, C2 the last, normalised. */
export class CifarPreActResNet extends Network<'C0' | 'C1' | 'C2'> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly norm: BatchNorm2d;
  readonly fc: Linear;

  /** `blocks` bottlenecks in each of the three stages: 9·blocks + 2 layers. */
  constructor(blocks: number, { numClasses = 10, inChannels = 3 }: PreActResNetOptions = {}) {
    super();
    this.conv1 = conv(inChannels, 16, 3);
    this.bn1 = new BatchNorm2d(16);
    this.layer1 = stage(PreActBottleneck, 16, 16, blocks, { stride: 1, activated: true });
    this.layer2 = stage(PreActBottleneck, 64, 32, blocks, { stride: 2, activated: false });
    this.layer3 = stage(PreActBottleneck, 128, 64, blocks, { stride: 2, activated: false });
    this.norm = new BatchNorm2d(256);
    this.fc = new Linear(256, numClasses);
  }
  stages(): Stages<'C0' | 'C1' | 'C2'> {
    return {
      C0: (x) => this.layer1.forward(relu(this.bn1.forward(this.conv1.forward(x)))),
      C1: (map) => this.layer2.forward(map),
      C2: (map) => relu(this.norm.forward(this.layer3.forward(map))),
    };
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.fc.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

/** 11,687,720 parameters. */
export const preactResnet18 = (options: PreActResNetOptions = {}): PreActResNet =>
  new PreActResNet({ ...configs.preactResnet18, ...options });
/** 21,795,880 parameters. */
export const preactResnet34 = (options: PreActResNetOptions = {}): PreActResNet =>
  new PreActResNet({ ...configs.preactResnet34, ...options });
/** 25,549,352 parameters. */
export const preactResnet50 = (options: PreActResNetOptions = {}): PreActResNet =>
  new PreActResNet({ ...configs.preactResnet50, ...options });
/** 44,541,480 parameters. */
export const preactResnet101 = (options: PreActResNetOptions = {}): PreActResNet =>
  new PreActResNet({ ...configs.preactResnet101, ...options });
/** 60,185,128 parameters. */
export const preactResnet152 = (options: PreActResNetOptions = {}): PreActResNet =>
  new PreActResNet({ ...configs.preactResnet152, ...options });
/** 64,666,152 parameters. */
export const preactResnet200 = (options: PreActResNetOptions = {}): PreActResNet =>
  new PreActResNet({ ...configs.preactResnet200, ...options });
/** 1,703,258 parameters; 5.46 % error on CIFAR-10 in the paper. */
export const cifarPreactResnet164 = (options: PreActResNetOptions = {}): CifarPreActResNet =>
  new CifarPreActResNet(18, options);
/** 10,327,706 parameters; 4.62 % with batches of 64. */
export const cifarPreactResnet1001 = (options: PreActResNetOptions = {}): CifarPreActResNet =>
  new CifarPreActResNet(111, options);
