/**
 * Models that must not compile. What stands behind `@ts-expect-error` is the sentence in the error, which types.test.ts
 * compares; that there is an error at all is seen by the type check.
 */
import type { Tensor } from '@tessera/tensor';
import {
  Additive,
  AvgPool1d,
  BatchNorm1d,
  BatchNorm2d,
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose2d,
  Dropout2d,
  Flatten,
  GELU,
  GroupNorm,
  Identity,
  Input,
  InstanceNorm3d,
  KeepSize,
  LayerNorm,
  Linear,
  MaxPool2d,
  Module,
  MultiheadAttention,
  Parallel,
  Permute,
  PixelShuffle,
  ReLU,
  Reshape,
  RMSNorm,
  Sequential,
  Shortcut,
  View,
} from '../src/index';

class Mine extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

export const channels = [
  // @ts-expect-error layer 2 (Conv2d): wants 32 channels, gets 64 from layer 0 (Conv2d)
  () => new Sequential(new Conv2d(3, 64, 3), new ReLU(), new Conv2d(32, 64, 3)),
  // @ts-expect-error layer 1 (BatchNorm2d): wants 64 channels, gets 32 from layer 0 (Conv2d)
  () => new Sequential(new Conv2d(3, 32, 3), new BatchNorm2d(64)),
  // @ts-expect-error layer 4 (Conv2d): wants 4 channels, gets 8 from layer 0 (Conv2d)
  () => new Sequential(new Conv2d(3, 8, 3), new BatchNorm2d(8), new MaxPool2d(2), new Dropout2d(), new Conv2d(4, 8, 3)),
  // @ts-expect-error layer 1 (ConvTranspose2d): wants 3 channels, gets 8 from layer 0 (ConvTranspose2d)
  () => new Sequential(new ConvTranspose2d(3, 8, 2), new ConvTranspose2d(3, 8, 2)),
  // @ts-expect-error layer 2 (GroupNorm): wants 12 channels, gets 16 from layer 0 (Conv1d)
  () => new Sequential(new Conv1d(3, 16, 3), new AvgPool1d(2), new GroupNorm(4, 12)),
  // @ts-expect-error layer 1 (InstanceNorm3d): wants 4 channels, gets 8 from layer 0 (Conv3d)
  () => new Sequential(new Conv3d(1, 8, 3), new InstanceNorm3d(4)),
  // @ts-expect-error layer 1 (Conv2d): wants 1 channels, gets 3 from layer 0 (Input)
  () => new Sequential(new Input('BDHW', { sizes: [null, 3, 224, 224] }), new Conv2d(1, 8, 3)),
  // @ts-expect-error layer 2 (Conv2d): wants 3 channels, gets 4 from layer 1 (Conv2d)
  () => new Sequential(new Mine(), new Conv2d(3, 4, 1), new Conv2d(3, 4, 1), new Mine()),
];

export const features = [
  // @ts-expect-error layer 2 (Linear): wants 8 features, gets 16 from layer 0 (Linear)
  () => new Sequential(new Linear(2, 16), new GELU(), new Linear(8, 1)),
  // @ts-expect-error layer 1 (LayerNorm): wants 32 features, gets 64 from layer 0 (Linear)
  () => new Sequential(new Linear(2, 64), new LayerNorm(32)),
  // @ts-expect-error layer 3 (RMSNorm): wants 4 features, gets 10 from layer 2 (Linear)
  () => new Sequential(new Conv2d(3, 8, 3), new Flatten(), new Linear(72, 10), new RMSNorm([4])),
  // @ts-expect-error layer 3 (BatchNorm1d): wants 8 channels, gets 10 from layer 2 (Linear)
  () => new Sequential(new Conv2d(3, 8, 3), new Flatten(), new Linear(72, 10), new BatchNorm1d(8)),
  // @ts-expect-error layer 1 (MultiheadAttention): wants 32 features, gets 64 from layer 0 (Linear)
  () => new Sequential(new Linear(1000, 64), new MultiheadAttention(32, 4)),
];

export const ranks = [
  // @ts-expect-error layer 2 (Conv2d): wants [N,C,H,W], gets 2 axes from layer 1 (Flatten)
  () => new Sequential(new Conv2d(3, 64, 3), new Flatten(), new Conv2d(64, 64, 3)),
  // @ts-expect-error layer 2 (MaxPool2d): wants [N,C,H,W], gets 2 axes from layer 0 (Reshape)
  () => new Sequential(new Reshape(0, [1, 2, 3]), new ReLU(), new MaxPool2d(2)),
  // @ts-expect-error layer 1 (Reshape): wants 4 axes, gets 2 from layer 0 (View)
  () => new Sequential(new View(-1, 64), new Reshape(0, [1, 2, 3])),
  // @ts-expect-error layer 1 (BatchNorm1d): wants [N,C] or [N,C,L], gets 4 axes from layer 0 (Conv2d)
  () => new Sequential(new Conv2d(3, 64, 3), new BatchNorm1d(64)),
  // @ts-expect-error layer 1 (BatchNorm2d): wants [N,C,H,W], gets 3 axes from layer 0 (Input)
  () => new Sequential(new Input('DHW'), new BatchNorm2d(3)),
  // @ts-expect-error layer 1 (Permute): wants 3 axes, gets 4 from layer 0 (Input)
  () => new Sequential(new Input('BDHW'), new Permute(0, 2, 1)),
  // @ts-expect-error layer 1 (PixelShuffle): wants [N,C,H,W], gets 3 axes from layer 0 (Conv1d)
  () => new Sequential(new Conv1d(3, 64, 3), new PixelShuffle(2)),
];

const trunk = new Sequential(new Conv2d(3, 32, 3), new ReLU());
export const nested = [
  // @ts-expect-error layer 1 (Conv2d): wants 16 channels, gets 32 from layer 0.0 (Conv2d)
  () => new Sequential(trunk, new Conv2d(16, 16, 3)),
  // @ts-expect-error layer 1.1.0 (BatchNorm2d): wants 16 channels, gets 32 from layer 0.0 (Conv2d)
  () => new Sequential(trunk, new Sequential(new ReLU(), new Sequential(new BatchNorm2d(16)))),
  // @ts-expect-error layer 1.1 (Conv2d): wants 16 channels, gets 32 from layer 0.0 (Conv2d)
  () => new Sequential(trunk, new Parallel([new Conv2d(32, 8, 1), new Conv2d(16, 8, 1)])),
  // @ts-expect-error layer 2 (Conv2d): wants 8 channels, gets 32 from layer 1.1 (Conv2d)
  () => new Sequential(trunk, new Additive([new Identity(), new Conv2d(32, 32, 1)]), new Conv2d(8, 8, 1)),
  // @ts-expect-error layer 1.0.0 (Conv2d): wants 8 channels, gets 32 from layer 0.0 (Conv2d)
  () => new Sequential(trunk, new Shortcut([new Conv2d(8, 8, 1)])),
  // @ts-expect-error layer 1 (Conv2d): wants 8 channels, gets 32 from layer 0.0 (Conv2d)
  () => new Sequential(trunk, new KeepSize(new Conv2d(8, 8, 1))),
  // @ts-expect-error layer 2 (Conv2d): wants 4 channels, gets 8 from layer 0 (Conv2d)
  () => new Sequential(...[new Conv2d(3, 8, 3), new ReLU()], ...[new Conv2d(4, 8, 3)]),
];
