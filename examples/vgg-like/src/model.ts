/** The cell of the lecture with `conv2d_block` and `make_vgg_like_model`, layer for layer. */
import * as flex from '@tessera/flex';
import * as nn from '@tessera/nn';

/** [N,C,H,W] → [N,d,H/2,W/2] */
const conv2dBlock = (d: number) => [
  new flex.Conv2d(d, 3, { padding: 1 }),
  new flex.BatchNorm(),
  new nn.ReLU(),
  new flex.Conv2d(d, 3, { padding: 1 }),
  new flex.BatchNorm(),
  new nn.ReLU(),
  new flex.MaxPool2d(),
];

/** Images [N,3,H,W] of one size, 64 at least → logits [N,1000]. `narrow` divides the lecture's widths, to try things quickly. */
export const makeVggLikeModel = (narrow = 1) =>
  new nn.Sequential(
    ...conv2dBlock(64 / narrow),
    ...conv2dBlock(128 / narrow),
    ...conv2dBlock(256 / narrow),
    ...conv2dBlock(512 / narrow),
    ...conv2dBlock(1024 / narrow),
    ...conv2dBlock(2048 / narrow),
    // [N,2048,4,4] for images of 256×256
    new nn.Flatten(),
    new flex.Linear(4096 / narrow),
    new flex.BatchNorm(),
    new nn.ReLU(),
    new flex.Linear(4096 / narrow),
    new flex.BatchNorm(),
    new nn.ReLU(),
    new flex.Linear(1000),
  );
