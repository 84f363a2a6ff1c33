/**
 * OverFeat: a classifier that is a convolution from end to end, so that a larger image gives a map of answers.
 * Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional networks" (2013),
 * arXiv:1312.6229: its tables 1 (fast) and 3 (accurate), initial weights N(0, 0.01²).
 */
import { Conv2d, type Conv2dOptions, Dropout, MaxPool2d, type Module, ReLU, Sequential } from '@tessera/nn';
import { amax, type Tensor } from '@tessera/tensor';
import { normalWeight, zero } from './initial';
import { RowNetwork } from './network';

export interface OverFeatOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Before the last two layers' convolutions. Default 0.5. */
  readonly dropout?: number;
}
interface Config {
  /** Convolutions with their ReLU: channels, size, options; a number is a pool of that size. */
  readonly row: readonly (readonly [out: number, size: number, options?: Conv2dOptions] | number)[];
  /** Places of the last map that one answer sees, and the channels between. */
  readonly classifier: readonly [size: number, first: number, second: number];
}
const configs = {
  overfeatFast: {
    row: [
      [96, 11, { stride: 4 }],
      2,
      [256, 5],
      2,
      [512, 3, { padding: 1 }],
      [1024, 3, { padding: 1 }],
      [1024, 3, { padding: 1 }],
      2,
    ],
    classifier: [6, 3072, 4096],
  },
  overfeatAccurate: {
    row: [
      [96, 7, { stride: 2 }],
      3,
      [256, 7],
      2,
      [512, 3, { padding: 1 }],
      [512, 3, { padding: 1 }],
      [1024, 3, { padding: 1 }],
      [1024, 3, { padding: 1 }],
      3,
    ],
    classifier: [5, 4096, 4096],
  },
} as const satisfies Record<string, Config>;

function conv(inChannels: number, out: number, size: number, options: Conv2dOptions = {}): Conv2d {
  const layer = new Conv2d(inChannels, out, size, options);
  normalWeight(layer, 0.01);
  zero(layer, 'bias');
  return layer;
}

function layersOf({ row }: Config, inChannels: number): Sequential {
  let channels = inChannels;
  const layers = row.flatMap((entry): Module[] => {
    if (typeof entry === 'number') return [new MaxPool2d(entry)];
    const [out, size, options] = entry;
    const layer = conv(channels, out, size, options);
    channels = out;
    return [layer, new ReLU()];
  });
  return new Sequential(...layers);
}
const classifierOf = ({ classifier: [size, first, second] }: Config, numClasses: number, dropout: number): Sequential =>
  new Sequential(
    conv(1024, first, size),
    new ReLU(),
    new Dropout(dropout),
    conv(first, second, 1),
    new ReLU(),
    new Dropout(dropout),
    conv(second, numClasses, 1),
  );

/**
 * x [N,C,H,W], 231×231 (fast) or 221×221 (accurate) for one answer → logits [N,numClasses]. `stage1` and `stage2` are the maps
 * of the first two convolutions, `stage3` the last convolution's before its pool, which offset pooling reads, `stage4` the pool's.
 */
export class OverFeat extends RowNetwork<'stage1' | 'stage2' | 'stage3' | 'stage4'> {
  constructor(options: Config & OverFeatOptions) {
    const { numClasses = 1000, inChannels = 3, dropout = 0.5 } = options;
    const row = layersOf(options, inChannels);
    const ends = { stage1: 2, stage2: 5, stage3: row.length - 1, stage4: row.length };
    super(row, classifierOf(options, numClasses, dropout), ends);
  }
  /** The last map [N,1024,h,w] → logits at each place [N,numClasses,h−5,w−5] (accurate: h−4, w−4). @throws ShapeError for a smaller map. */
  dense(map: Tensor): Tensor {
    return this.layers.classifier.forward(map);
  }
  /** The last map → [N,numClasses], of each class the largest of its places, as the paper has it. */
  head(map: Tensor): Tensor {
    return amax(this.dense(map), [2, 3]);
  }
}

/** 145,920,872 parameters. */
export const overfeatFast = (options: OverFeatOptions = {}): OverFeat =>
  new OverFeat({ ...configs.overfeatFast, ...options });
/** 144,656,488 parameters. */
export const overfeatAccurate = (options: OverFeatOptions = {}): OverFeat =>
  new OverFeat({ ...configs.overfeatAccurate, ...options });
