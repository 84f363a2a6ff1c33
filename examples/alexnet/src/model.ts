/** The cell "AlexNet (approximately)" of the lecture, layer for layer. */
import * as flex from '@tessera/flex';
import * as nn from '@tessera/nn';

/** Images [N,3,side,side] → logits [N,1000]. The lecture's images have 224 pixels a side. */
export const makeAlexnet = (side = 224) =>
  new nn.Sequential(
    new nn.Input('BDHW', { sizes: [null, 3, side, side] }),
    new flex.Conv2d(2 * 48, [11, 11]),
    new nn.ReLU(),
    new nn.MaxPool2d([2, 2]),
    new flex.Conv2d(2 * 192, [3, 3]),
    new nn.ReLU(),
    new flex.Conv2d(2 * 192, [3, 3]),
    new nn.ReLU(),
    new flex.Conv2d(2 * 128, [3, 3]),
    new nn.Reshape(0, [1, 2, 3]),
    new flex.Linear(4096),
    new nn.ReLU(),
    new flex.Linear(4096),
    new nn.ReLU(),
    new flex.Linear(1000),
  );
