/** Normalisations of whatever channels come in. */

import type { Maps, shapes } from '@tessera/nn';
import * as nn from '@tessera/nn';
import type { State, Tensor } from '@tessera/tensor';
import { type Side, Sized } from './sized';

/**
 * Batch normalisation by the input's rank: [N,C] and [N,C,L] → nn.BatchNorm1d, [N,C,H,W] → 2d, [N,C,D,H,W] → 3d. A state dict
 * does not tell the rank: after loading into it, it is a norm of any rank until it sees an input. torchmore's flex.BatchNorm
 * @throws ShapeError for another rank, another C than the first, and in training one value a channel.
 */
export class BatchNorm extends Sized {
  declare readonly [shapes]: Maps<'BatchNorm', '[N,C,…]', number>;
  readonly options: nn.BatchNormOptions;
  constructor(options: nn.BatchNormOptions = {}) {
    super({
      axis: 1,
      ranks: [2, 5, '[N,C], [N,C,L], [N,C,H,W] or [N,C,D,H,W]'],
      make: (c, rank) => ofRank(rank, c, options),
    });
    this.options = options;
  }
  override forward(x: Tensor): Tensor {
    const { layer } = this;
    if (layer instanceof BatchNormOfAnyRank)
      this.layer = Object.assign(ofRank(x.rank, this.size as number, this.options), layer).train(layer.training);
    return super.forward(x);
  }
  override settleBy(values: ReadonlyMap<string, Tensor | State>, path: string): void {
    super.settleBy(values, path);
    const { layer, options, size } = this;
    if (layer && size !== null) this.settle(() => new BatchNormOfAnyRank(size, options));
  }
}
const ofRank = (rank: number, channels: number, options: nn.BatchNormOptions) =>
  rank < 4
    ? new nn.BatchNorm1d(channels, options)
    : rank === 4
      ? new nn.BatchNorm2d(channels, options)
      : new nn.BatchNorm3d(channels, options);
class BatchNormOfAnyRank extends nn.BatchNorm1d {
  override forward(x: Tensor): Tensor {
    return this.normalize(x);
  }
}

/** nn.BatchNorm1d of the input's channels.  x [N,C] or [N,C,L] → the same. torchmore's flex.BatchNorm1d
 *  @throws ShapeError for another rank, another C than the first, and in training one value a channel. */
export class BatchNorm1d extends Sized {
  declare readonly [shapes]: Maps<'BatchNorm1d', '[N,C] or [N,C,L]', number>;
  constructor(options: nn.BatchNormOptions = {}) {
    super({ axis: 1, ranks: [2, 3, '[N,C] or [N,C,L]'], make: (channels) => new nn.BatchNorm1d(channels, options) });
  }
}
/** As BatchNorm1d on x [N,C,H,W]. torchmore's flex.BatchNorm2d */
export class BatchNorm2d extends Sized {
  declare readonly [shapes]: Maps<'BatchNorm2d', '[N,C,H,W]', number>;
  constructor(options: nn.BatchNormOptions = {}) {
    super({ ...images, make: (channels) => new nn.BatchNorm2d(channels, options) });
  }
}
/** As BatchNorm1d on x [N,C,D,H,W]. torchmore's flex.BatchNorm3d */
export class BatchNorm3d extends Sized {
  declare readonly [shapes]: Maps<'BatchNorm3d', '[N,C,D,H,W]', number>;
  constructor(options: nn.BatchNormOptions = {}) {
    super({ ...volumes, make: (channels) => new nn.BatchNorm3d(channels, options) });
  }
}

/** nn.InstanceNorm1d of the input's channels.  x [N,C,L] → the same. torchmore's flex.InstanceNorm1d
 *  @throws ShapeError for another rank, another C than the first, one place a channel. */
export class InstanceNorm1d extends Sized {
  declare readonly [shapes]: Maps<'InstanceNorm1d', '[N,C,L]', number>;
  constructor(options: nn.InstanceNormOptions = {}) {
    super({ ...sequences, make: (channels) => new nn.InstanceNorm1d(channels, options) });
  }
}
/** As InstanceNorm1d on x [N,C,H,W]. torchmore's flex.InstanceNorm2d */
export class InstanceNorm2d extends Sized {
  declare readonly [shapes]: Maps<'InstanceNorm2d', '[N,C,H,W]', number>;
  constructor(options: nn.InstanceNormOptions = {}) {
    super({ ...images, make: (channels) => new nn.InstanceNorm2d(channels, options) });
  }
}
/** As InstanceNorm1d on x [N,C,D,H,W]. torchmore's flex.InstanceNorm3d */
export class InstanceNorm3d extends Sized {
  declare readonly [shapes]: Maps<'InstanceNorm3d', '[N,C,D,H,W]', number>;
  constructor(options: nn.InstanceNormOptions = {}) {
    super({ ...volumes, make: (channels) => new nn.InstanceNorm3d(channels, options) });
  }
}
const sequences: Pick<Side, 'axis' | 'ranks'> = { axis: 1, ranks: [3, 3, '[N,C,L]'] };
const images: Pick<Side, 'axis' | 'ranks'> = { axis: 1, ranks: [4, 4, '[N,C,H,W]'] };
const volumes: Pick<Side, 'axis' | 'ranks'> = { axis: 1, ranks: [5, 5, '[N,C,D,H,W]'] };

/** nn.GroupNorm of the input's channels.  x [N,C,…] → the same.
 *  @throws ArgumentError at the first input where the groups are not equal; ShapeError for another C than the first. */
export class GroupNorm extends Sized {
  declare readonly [shapes]: Maps<'GroupNorm', '[N,C,…]', number>;
  constructor(numGroups: number, options: nn.NormOptions = {}) {
    super({
      axis: 1,
      ranks: [2, Number.POSITIVE_INFINITY, '[N,C,…]'],
      least: numGroups,
      make: (channels) => new nn.GroupNorm(numGroups, channels, options),
    });
  }
}

/** nn.LayerNorm over the input's last axis.  x [N,…,F] → the same. @throws ShapeError for another F than the first. */
export class LayerNorm extends Sized {
  declare readonly [shapes]: Maps<'LayerNorm', '[…,C]', number>;
  constructor(options: nn.LayerNormOptions = {}) {
    super({
      axis: -1,
      ranks: [2, Number.POSITIVE_INFINITY, '[N,…,F]'],
      make: (features) => new nn.LayerNorm(features, options),
    });
  }
}
