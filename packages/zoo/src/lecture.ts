/**
 * The networks of the lecture "The Modern Deep Learning Era", cell for cell: rows of layers whose keys are their places, for
 * images of one size, which shape inference tells the layers. They learn with PyTorch's initial values.
 */
import { BatchNorm, Conv2d, Linear, MaxPool2d, shapeInference } from '@tessera/flex';
import { Flatten, Input, type Module, ReLU, Reshape, Sequential } from '@tessera/nn';
import type { Tensor } from '@tessera/tensor';
import { cut, mapsOf, type Network, part, type Stages } from './network';

export interface LectureOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Height and width of the images. Default 224 for AlexNet, 256 for the VGG-like network. */
  readonly size?: number;
}

/** x [N,C,size,size] → logits [N,numClasses]: layers one after the other, of which those before the last of `ends` are the features. */
export class LectureNetwork<Tap extends string> extends Sequential implements Network<Tap> {
  private readonly ends: Readonly<Record<Tap, number>>;
  private readonly begin: number;

  constructor(layers: readonly Module[], ends: Readonly<Record<Tap, number>>) {
    super(...layers);
    this.ends = ends;
    this.begin = Math.max(...Object.values<number>(ends));
  }
  stages(): Stages<Tap> {
    return cut(this, this.ends);
  }
  /** The last map of images x. */
  features(x: Tensor): Tensor;
  /** The maps of these names. @throws ArgumentError for a name that it has not. */
  features<T extends Tap>(x: Tensor, taps: readonly T[]): Readonly<Record<T, Tensor>>;
  features(x: Tensor, taps?: readonly Tap[]): Tensor | Readonly<Record<string, Tensor>> {
    return mapsOf(this, x, taps);
  }
  /** The last map of images of the size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return part(this, this.names.slice(this.begin)).forward(map);
  }
}

/**
 * The cell "AlexNet (approximately)": four convolutions without stride or padding, one pool. 10,719,985,768 parameters as printed,
 * which is 43 GB: nothing is drawn before it is used. Of 32×32: 49,676,392. C0 is the map before the pool, C1 the last
 * convolution's. @throws ShapeError for a size below 24.
 */
export function lectureAlexnet(options: LectureOptions = {}): LectureNetwork<'C0' | 'C1'> {
  const { numClasses = 1000, inChannels = 3, size = 224 } = options;
  const layers = [
    new Input('BDHW', { sizes: [null, inChannels, size, size] }),
    new Conv2d(2 * 48, [11, 11]),
    new ReLU(),
    new MaxPool2d([2, 2]),
    new Conv2d(2 * 192, [3, 3]),
    new ReLU(),
    new Conv2d(2 * 192, [3, 3]),
    new ReLU(),
    new Conv2d(2 * 128, [3, 3]),
    new Reshape(0, [1, 2, 3]),
    new Linear(4096),
    new ReLU(),
    new Linear(4096),
    new ReLU(),
    new Linear(numClasses),
  ];
  const model = new LectureNetwork(layers, { C0: 3, C1: 9 });
  shapeInference(model, [null, inChannels, size, size]);
  return model;
}

/** The cell's function of the same name: two convolutions with norms, and a pool. */
const conv2dBlock = (d: number): Module[] => [
  new Conv2d(d, 3, { padding: 1 }),
  new BatchNorm(),
  new ReLU(),
  new Conv2d(d, 3, { padding: 1 }),
  new BatchNorm(),
  new ReLU(),
  new MaxPool2d(),
];

/**
 * The cell `make_vgg_like_model`: six blocks of 64 to 2048 channels, spliced into one row. 230,603,048 parameters. C0 to C5 are the
 * maps before the pools, C6 the last pool's. Training wants two images at least. @throws ShapeError for a size below 64.
 */
export function vggLike(options: LectureOptions = {}): LectureNetwork<'C0' | 'C1' | 'C2' | 'C3' | 'C4' | 'C5' | 'C6'> {
  const { numClasses = 1000, inChannels = 3, size = 256 } = options;
  const layers = [
    ...[64, 128, 256, 512, 1024, 2048].flatMap(conv2dBlock),
    new Flatten(),
    new Linear(4096),
    new BatchNorm(),
    new ReLU(),
    new Linear(4096),
    new BatchNorm(),
    new ReLU(),
    new Linear(numClasses),
  ];
  const model = new LectureNetwork(layers, { C0: 6, C1: 13, C2: 20, C3: 27, C4: 34, C5: 41, C6: 42 });
  shapeInference(model, [null, inChannels, size, size]);
  return model;
}
