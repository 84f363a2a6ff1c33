/** Convolution and its two gradients. */
import type { ConvKernel } from '@tessera/tensor/backend';
import type { Program } from '../shader';
import { type Build, storePasses } from '../stores';
import { plainConv } from './products';

export function conv(build: Build, kernel: ConvKernel): Program {
  const { direction, sizes, stores } = kernel;
  const { n, c, o, groups, input, output, kernel: window } = sizes;
  const shapes = { forward: [n, o, ...output], inputGrad: [n, c, ...input], weightGrad: [o, c / groups, ...window] };
  const title = `conv ${direction} [${[n, c, ...input]}] ∗ [${[o, c / groups, ...window]}] stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding} groups ${groups}`;
  storePasses(build, title, [{ shape: shapes[direction], stores }], {
    make: plainConv(build, kernel),
    lanesOnly: true,
  });
  return build.program();
}
