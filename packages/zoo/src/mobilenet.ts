/**
 * MobileNet v2: inverted residuals, narrow maps joined by shortcuts with wide depthwise convolutions between.
 * Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018), arXiv:1801.04381.
 * torchvision.models.mobilenet_v2: its keys and initial values.
 */
import { BatchNorm2d, Dropout, Linear, Module, ReLU6, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, add, flatten, type Tensor } from '@tessera/tensor';
import { conv } from './conv';
import { normalWeight, zero } from './initial';
import { RowNetwork } from './network';

/** Table 2 of the paper: expansion, channels, blocks, stride of the first block. */
const table = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

export interface MobileNetV2Options {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Multiplies the channels of every layer, rounded to multiples of 8; the last map never has fewer than 1280. Default 1. */
  readonly widthMult?: number;
  /** Before the last layer. Default 0.2. */
  readonly dropout?: number;
}

/** Convolution, batch norm, ReLU6. */
const convNormReLU6 = (inChannels: number, out: number, size: number, options = {}): Sequential =>
  new Sequential(conv(inChannels, out, size, options), new BatchNorm2d(out), new ReLU6());

/** y = 1×1 expansion → 3×3 depthwise → 1×1 without ReLU, + x where the shape stays.  x [N,C,H,W] → [N,out,⌈H/stride⌉,⌈W/stride⌉]. */
class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly shortcut: boolean;
  constructor(inChannels: number, out: number, stride: number, expansion: number) {
    super();
    const wide = inChannels * expansion;
    this.conv = new Sequential(
      ...(expansion === 1 ? [] : [convNormReLU6(inChannels, wide, 1)]),
      convNormReLU6(wide, wide, 3, { stride, groups: wide }),
      conv(wide, out, 1),
      new BatchNorm2d(out),
    );
    this.shortcut = stride === 1 && inChannels === out;
  }
  forward(x: Tensor): Tensor {
    const y = this.conv.forward(x);
    return this.shortcut ? add(x, y) : y;
  }
}

/** The multiple of 8 nearest to `channels`, but not more than a tenth below. */
function multipleOf8(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

function layersOf(inChannels: number, widthMult: number): Sequential {
  let channels = multipleOf8(32 * widthMult);
  const stem = convNormReLU6(inChannels, channels, 3, { stride: 2 });
  const blocks = table.flatMap(([expansion, width, count, stride]) =>
    Array.from({ length: count }, (_, i) => {
      const out = multipleOf8(width * widthMult);
      const block = new InvertedResidual(channels, out, i === 0 ? stride : 1, expansion);
      channels = out;
      return block;
    }),
  );
  return new Sequential(stem, ...blocks, convNormReLU6(channels, lastChannels(widthMult), 1));
}
const lastChannels = (widthMult: number): number => multipleOf8(1280 * Math.max(1, widthMult));

/** x [N,C,H,W] → logits [N,numClasses]. C1 to C4 are the maps before the size halves, C5 the last, of 1280 channels. */
export class MobileNetV2 extends RowNetwork<'C1' | 'C2' | 'C3' | 'C4' | 'C5'> {
  constructor({ numClasses = 1000, inChannels = 3, widthMult = 1, dropout = 0.2 }: MobileNetV2Options = {}) {
    const fc = new Linear(lastChannels(widthMult), numClasses);
    normalWeight(fc, 0.01);
    zero(fc, 'bias');
    const ends = { C1: 2, C2: 4, C3: 7, C4: 14, C5: 19 };
    super(layersOf(inChannels, widthMult), new Sequential(new Dropout(dropout), fc), ends);
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.layers.classifier.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

/** 3,504,872 parameters; 71.9 % top-1. torchvision.models.mobilenet_v2 */
export const mobilenetV2 = (options: MobileNetV2Options = {}): MobileNetV2 => new MobileNetV2(options);
