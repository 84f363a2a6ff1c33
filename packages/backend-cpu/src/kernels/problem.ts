/** A convolution or its input's gradient as one problem: sums over taps of padded planes. */
import type { ConvKernel, Expr } from '@tessera/tensor/backend';
import { three } from './operands';
import { type AxisTap, type PlaneAxis, planeAxis } from './planes';

/** A convolution with stride only on the reading side: the forward one, or the input's gradient seen as one over g. */
export interface Problem {
  readonly n: number;
  readonly groups: number;
  /** Channels read and made, per group. */
  readonly channels: number;
  readonly made: number;
  /** Three axes each. */
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly axes: readonly PlaneAxis[];
  readonly taps: readonly (readonly AxisTap[])[];
  readonly image: Expr;
  readonly weight: Expr;
}

export function problemOf({ direction, sizes, a, b }: ConvKernel): Problem {
  const { n, c, o, groups } = sizes;
  const [input, kernel, output] = [three(sizes.input, 1), three(sizes.kernel, 1), three(sizes.output, 1)];
  const [stride, dilation, padding] = [three(sizes.stride, 1), three(sizes.dilation, 1), three(sizes.padding, 0)];
  const at = (list: readonly number[], axis: number) => list[axis] as number;
  if (direction === 'forward') {
    const axes = [0, 1, 2].map((i) =>
      planeAxis(at(input, i), at(kernel, i), at(stride, i), at(dilation, i), at(padding, i)),
    );
    const [channels, made] = [c / groups, o / groups];
    const parts = { axes: axes.map(({ axis }) => axis), taps: axes.map(({ taps }) => taps) };
    return { n, groups, channels, made, input, output, ...parts, image: a, weight: b };
  }
  // ∂x[i] = Σ g[(i + padding − r·dilation) / stride]·w[r]; counting taps from the last, that is a convolution over spread g
  const axes = [0, 1, 2].map((i) => {
    const before = (at(kernel, i) - 1) * at(dilation, i) - at(padding, i);
    const { axis, taps } = planeAxis(at(output, i), at(kernel, i), 1, at(dilation, i), before);
    return { axis: { ...axis, spread: at(stride, i) }, taps };
  });
  const parts = { axes: axes.map(({ axis }) => axis), taps: axes.map(({ taps }) => taps) };
  return {
    n,
    groups,
    channels: o / groups,
    made: c / groups,
    input: output,
    output: input,
    ...parts,
    image: a,
    weight: b,
  };
}
