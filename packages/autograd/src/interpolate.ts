/** The gradient of resizing: the same weights, from outputs to inputs. */
import { resample, resampleAxes } from '@tessera/tensor';
import { defineGradient } from './rules';

export function interpolation(): void {
  /** The transposed tables; and transposed again. */
  defineGradient(resampleAxes, (g, inputs, _, { specs }) => [
    resample(
      g,
      specs.map((spec) => ({ ...spec, transposed: !spec.transposed })),
    ),
    ...inputs.slice(1).map(() => null),
  ]);
}
