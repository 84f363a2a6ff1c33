/** Layers whose input side needs no convolution: the fully connected one, and slopes by channel. */

import type { Maps, shapes } from '@tessera/nn';
import * as nn from '@tessera/nn';
import { Sized } from './sized';

/** nn.Linear of the input's last axis.  x [N,…,I] → [N,…,outFeatures]. torchmore's flex.Linear
 *  @throws ShapeError below rank 2, and for another I than the first. */
export class Linear<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'Linear', '[…,C]', number, Out>;
  constructor(outFeatures: Out, options: nn.LinearOptions = {}) {
    super({
      axis: -1,
      ranks: [2, Number.POSITIVE_INFINITY, '[N,…,I]'],
      make: (features) => new nn.Linear(features, outFeatures, options),
      inWeight: [1, 1],
    });
  }
}

/** nn.PReLU with a slope for each channel.  x [N,C,…] → the same. @throws ShapeError for another C than the first. */
export class PReLU extends Sized {
  declare readonly [shapes]: Maps<'PReLU', '[N,C,…]', number>;
  constructor(options: Pick<nn.PReLUOptions, 'init'> = {}) {
    super({
      axis: 1,
      ranks: [2, Number.POSITIVE_INFINITY, '[N,C,…]'],
      make: (channels) => new nn.PReLU({ ...options, numParameters: channels }),
    });
  }
}
