/** Pooling has no input side; here it also has a usual window, so that the lecture's `flex.MaxPool2d()` is a layer. */
import * as nn from '@tessera/nn';
import type { AvgPoolOptions, Sizes } from '@tessera/tensor';

/** nn.MaxPool2d, of 2×2 windows unless told. */
export class MaxPool2d extends nn.MaxPool2d {
  constructor(kernelSize: Sizes = 2, options: nn.MaxPoolOptions = {}) {
    super(kernelSize, options);
  }
}
/** nn.AvgPool2d, of 2×2 windows unless told. */
export class AvgPool2d extends nn.AvgPool2d {
  constructor(kernelSize: Sizes = 2, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }
}
