/** Networks with the kernels of large ones and few channels, for backends on which a large one takes minutes. */
import { AvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, cat, flatten, type Tensor } from '@tessera/tensor';
import { DenseNet } from '../src/densenet';

const classes = 10;
const convolution = (
  from: number,
  to: number,
  size: number | [number, number],
  padding: number | [number, number] = 0,
) =>
  new Sequential(new Conv2d(from, to, size, { padding, bias: false }), new BatchNorm2d(to, { eps: 1e-3 }), new ReLU());

/** VGG's convolutions with biases, pools and a classifier of two hidden layers. */
export class ThinVgg extends Module {
  readonly features = new Sequential(
    ...[
      [3, 16],
      [16, 24],
      [24, 32],
      [32, 32],
    ].flatMap(([from, to], i) => [
      new Conv2d(from as number, to as number, 3, { padding: 1 }),
      new ReLU(),
      ...(i === 2 ? [] : [new MaxPool2d(2)]),
    ]),
  );
  readonly classifier = new Sequential(
    new Linear(32 * 4 * 4, 64),
    new ReLU(),
    new Dropout(),
    new Linear(64, 64),
    new ReLU(),
    new Dropout(),
    new Linear(64, classes),
  );
  forward(x: Tensor): Tensor {
    return this.classifier.forward(flatten(this.features.forward(x), 1));
  }
}

/** What Inception is made of: 1×7 and 7×1, 5×5, pools of both kinds, joined; then a block that halves the map. */
export class ThinInception extends Module {
  readonly stem = new Sequential(new Conv2d(3, 16, 3, { stride: 2, bias: false }), new BatchNorm2d(16), new ReLU());
  readonly one = convolution(16, 8, 1);
  readonly five = new Sequential(convolution(16, 8, 1), convolution(8, 12, 5, 2));
  readonly seven = new Sequential(
    convolution(16, 8, 1),
    convolution(8, 8, [1, 7], [0, 3]),
    convolution(8, 12, [7, 1], [3, 0]),
  );
  readonly pooled = new Sequential(new AvgPool2d(3, { stride: 1, padding: 1 }), convolution(16, 8, 1));
  readonly halved = new Sequential(convolution(40, 16, 1), new Conv2d(16, 24, 3, { stride: 2, bias: false }));
  readonly pool = new MaxPool2d(3, { stride: 2, ceilMode: true });
  readonly fc = new Linear(64, classes);
  forward(x: Tensor): Tensor {
    const start = this.stem.forward(x);
    const joined = cat(
      [this.one, this.five, this.seven, this.pooled].map((branch) => branch.forward(start)),
      1,
    );
    const map = cat([this.halved.forward(joined), this.pool.forward(joined)], 1);
    return this.fc.forward(flatten(adaptiveAvgPool2d(map, 1), 1));
  }
}

export const thin = {
  thinVgg: () => new ThinVgg(),
  thinInception: () => new ThinInception(),
  thinDensenet: () => new DenseNet({ growth: 8, blocks: [2, 2, 2, 2], start: 16, numClasses: classes }),
};
