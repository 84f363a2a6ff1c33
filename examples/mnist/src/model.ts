/** The network of the main job. */

import * as nn from '@tessera/nn';
import { cast, div, sub, type Tensor } from '@tessera/tensor';

/** Digits [N,1,28,28] → logits [N,10]; 55,146 parameters. */
export const digitNet = () =>
  new nn.Sequential(
    ...[new nn.Conv2d(1, 16, 5, { padding: 2 }), new nn.BatchNorm2d(16), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(16, 32, 3, { padding: 1 }), new nn.BatchNorm2d(32), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(32, 64, 3, { padding: 1 }), new nn.BatchNorm2d(64), new nn.ReLU()],
    ...[new nn.Flatten(), new nn.Linear(3136, 10)],
  );

/** Mean and deviation of all training pixels, 0 to 255. */
const [mean, deviation] = [33.32, 78.57];

/** Pixels as the network takes them: mean 0, deviation 1. */
export const normalise = (pixels: Tensor): Tensor => div(sub(cast(pixels, 'float32'), mean), deviation);
