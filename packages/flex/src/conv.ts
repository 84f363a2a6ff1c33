/** Convolutions and their transposes for whatever channels come in. Sizes are one number for all axes, or one each. */

import type { Maps, shapes } from '@tessera/nn';
import * as nn from '@tessera/nn';
import type { Sizes } from '@tessera/tensor';
import { type Side, Sized } from './sized';

/** A weight [O,C/groups,…], and [C,O/groups,…] of a transpose. */
const inConv = (groups = 1): Pick<Side, 'axis' | 'least' | 'inWeight'> => ({
  axis: 1,
  least: groups,
  inWeight: [1, groups],
});
const inTranspose = (groups = 1): Pick<Side, 'axis' | 'least'> => ({ axis: 1, least: groups });

/** nn.Conv1d of the input's channels.  x [N,C,L] → [N,O,L']. torchmore's flex.Conv1d
 *  @throws ArgumentError where groups divide the out-channels not, at the first input where they do not divide C; ShapeError
 *  for another rank, another C than the first. */
export class Conv1d<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'Conv1d', '[N,C,L]', number, Out>;
  constructor(outChannels: Out, kernelSize: Sizes, options: nn.ConvOptions = {}) {
    const make = (channels: number) => new nn.Conv1d(channels, outChannels, kernelSize, options);
    super({ ...inConv(options.groups), ranks: [3, 3, '[N,C,L]'], make });
  }
}
/** As Conv1d: nn.Conv2d of x [N,C,H,W] → [N,O,H',W']. torchmore's flex.Conv2d */
export class Conv2d<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'Conv2d', '[N,C,H,W]', number, Out>;
  constructor(outChannels: Out, kernelSize: nn.Size2d, options: nn.Conv2dOptions = {}) {
    const make = (channels: number) => new nn.Conv2d(channels, outChannels, kernelSize, options);
    super({ ...inConv(options.groups), ranks: [4, 4, '[N,C,H,W]'], make });
  }
}
/** As Conv1d: nn.Conv3d of x [N,C,D,H,W] → [N,O,D',H',W']. torchmore's flex.Conv3d */
export class Conv3d<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'Conv3d', '[N,C,D,H,W]', number, Out>;
  constructor(outChannels: Out, kernelSize: Sizes, options: nn.ConvOptions = {}) {
    const make = (channels: number) => new nn.Conv3d(channels, outChannels, kernelSize, options);
    super({ ...inConv(options.groups), ranks: [5, 5, '[N,C,D,H,W]'], make });
  }
}

/** As Conv1d: nn.ConvTranspose1d of x [N,C,L] → [N,O,L']. torchmore's flex.ConvTranspose1d */
export class ConvTranspose1d<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'ConvTranspose1d', '[N,C,L]', number, Out>;
  constructor(outChannels: Out, kernelSize: Sizes, options: nn.ConvTransposeOptions = {}) {
    const make = (channels: number) => new nn.ConvTranspose1d(channels, outChannels, kernelSize, options);
    super({ ...inTranspose(options.groups), ranks: [3, 3, '[N,C,L]'], make });
  }
}
/** As Conv1d: nn.ConvTranspose2d of x [N,C,H,W] → [N,O,H',W']. torchmore's flex.ConvTranspose2d */
export class ConvTranspose2d<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'ConvTranspose2d', '[N,C,H,W]', number, Out>;
  constructor(outChannels: Out, kernelSize: Sizes, options: nn.ConvTransposeOptions = {}) {
    const make = (channels: number) => new nn.ConvTranspose2d(channels, outChannels, kernelSize, options);
    super({ ...inTranspose(options.groups), ranks: [4, 4, '[N,C,H,W]'], make });
  }
}
/** As Conv1d: nn.ConvTranspose3d of x [N,C,D,H,W] → [N,O,D',H',W']. torchmore's flex.ConvTranspose3d */
export class ConvTranspose3d<Out extends number = number> extends Sized {
  declare readonly [shapes]: Maps<'ConvTranspose3d', '[N,C,D,H,W]', number, Out>;
  constructor(outChannels: Out, kernelSize: Sizes, options: nn.ConvTransposeOptions = {}) {
    const make = (channels: number) => new nn.ConvTranspose3d(channels, outChannels, kernelSize, options);
    super({ ...inTranspose(options.groups), ranks: [5, 5, '[N,C,D,H,W]'], make });
  }
}
