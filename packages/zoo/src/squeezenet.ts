/**
 * SqueezeNet: blocks that squeeze the channels by 1×1 convolutions before they expand them, fifty times smaller than AlexNet.
 * Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (2016), arXiv:1602.07360.
 * torchvision.models.squeezenet1_*: its keys and initial values.
 */
import { Conv2d, Dropout, MaxPool2d, Module, ReLU, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, cat, flatten, relu, type Tensor } from '@tessera/tensor';
import { kaimingUniform, normalWeight, zero } from './initial';
import { RowNetwork } from './network';

type Fires = readonly (readonly [squeeze: number, expand: number])[];
interface Config {
  readonly stem: readonly [channels: number, size: number];
  /** Squeezed and expanded channels of the blocks behind each pool. */
  readonly fires: readonly Fires[];
}
const configs = {
  squeezenet1_0: {
    stem: [96, 7],
    fires: [
      [
        [16, 64],
        [16, 64],
        [32, 128],
      ],
      [
        [32, 128],
        [48, 192],
        [48, 192],
        [64, 256],
      ],
      [[64, 256]],
    ],
  },
  squeezenet1_1: {
    stem: [64, 3],
    fires: [
      [
        [16, 64],
        [16, 64],
      ],
      [
        [32, 128],
        [32, 128],
      ],
      [
        [48, 192],
        [48, 192],
        [64, 256],
        [64, 256],
      ],
    ],
  },
} as const satisfies Record<string, Config>;

export interface SqueezeNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Before the last convolution. Default 0.5. */
  readonly dropout?: number;
}

function conv(
  inChannels: number,
  out: number,
  size: number,
  options: { stride?: number; padding?: number } = {},
): Conv2d {
  const layer = new Conv2d(inChannels, out, size, options);
  kaimingUniform(layer);
  zero(layer, 'bias');
  return layer;
}

/** x [N,C,H,W] → [N,2·expand,H,W]. */
class Fire extends Module {
  readonly squeeze: Conv2d;
  readonly expand1x1: Conv2d;
  readonly expand3x3: Conv2d;
  constructor(inChannels: number, squeeze: number, expand: number) {
    super();
    this.squeeze = conv(inChannels, squeeze, 1);
    this.expand1x1 = conv(squeeze, expand, 1);
    this.expand3x3 = conv(squeeze, expand, 3, { padding: 1 });
  }
  forward(x: Tensor): Tensor {
    const narrow = relu(this.squeeze.forward(x));
    return cat([relu(this.expand1x1.forward(narrow)), relu(this.expand3x3.forward(narrow))], 1);
  }
}

function layersOf({ stem: [width, size], fires }: Config, inChannels: number): Sequential {
  let channels = width;
  const blocks = fires.flatMap((stage) => [
    new MaxPool2d(3, { stride: 2, ceilMode: true }),
    ...stage.map(([squeeze, expand]) => {
      const fire = new Fire(channels, squeeze, expand);
      channels = 2 * expand;
      return fire;
    }),
  ]);
  return new Sequential(conv(inChannels, width, size, { stride: 2 }), new ReLU(), ...blocks);
}

/** A dropout, the convolution that is the last layer, and its ReLU. */
function classifierOf(numClasses: number, dropout: number): Sequential {
  const last = new Conv2d(512, numClasses, 1);
  normalWeight(last, 0.01);
  zero(last, 'bias');
  return new Sequential(new Dropout(dropout), last, new ReLU());
}

/** x [N,C,H,W], H and W at least 21 (version 1.1: 17) → logits [N,numClasses], none below 0. */
export class SqueezeNet extends RowNetwork<'C1' | 'C2' | 'C3' | 'C4'> {
  constructor(options: Config & SqueezeNetOptions) {
    const { numClasses = 1000, inChannels = 3, dropout = 0.5, fires } = options;
    const [two, three, four] = fires.map(
      (_, i) => 2 + fires.slice(0, i + 1).reduce((sum, { length }) => sum + 1 + length, 0),
    );
    const ends = { C1: 2, C2: two as number, C3: three as number, C4: four as number };
    super(layersOf(options, inChannels), classifierOf(numClasses, dropout), ends);
  }
  /** The last map, of any size → [N,numClasses]: a map of each class, and its mean. */
  head(map: Tensor): Tensor {
    return flatten(adaptiveAvgPool2d(this.layers.classifier.forward(map), 1), 1);
  }
}

/** 1,248,424 parameters; 58.1 % top-1. torchvision.models.squeezenet1_0 */
export const squeezenet1_0 = (options: SqueezeNetOptions = {}): SqueezeNet =>
  new SqueezeNet({ ...configs.squeezenet1_0, ...options });
/** 1,235,496 parameters; 58.2 % top-1, with 2.4 times less arithmetic. torchvision.models.squeezenet1_1 */
export const squeezenet1_1 = (options: SqueezeNetOptions = {}): SqueezeNet =>
  new SqueezeNet({ ...configs.squeezenet1_1, ...options });
