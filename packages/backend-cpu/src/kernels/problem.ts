/**
 * A convolution or its input's gradient as one problem: sums over taps of padded planes.
 *
 * The gradient of a convolution of stride s falls into s classes along an axis: ∂x[i] = Σ g[(i + padding − r·dilation) / s]·w[r]
 * has, for each i mod s, only those taps for which that is whole, and for them it reads g at stride 1. So each class is a
 * convolution of its own, whose outputs lie s apart.
 */
import type { ConvKernel, Expr } from '@tessera/tensor/backend';
import { three } from './operands';
import { type AxisTap, type PlaneAxis, planeAxis } from './planes';

/** Outputs first, first + step, … of an axis, and the taps they sum: tap `which[t]` reads where `taps[t]` says. */
export interface OutputClass {
  readonly first: number;
  readonly count: number;
  readonly which: readonly number[];
  readonly taps: readonly AxisTap[];
}
export interface Axis {
  readonly plane: PlaneAxis;
  readonly step: number;
  readonly classes: readonly OutputClass[];
}

export interface Problem {
  readonly n: number;
  readonly groups: number;
  /** Channels read and made, per group. */
  readonly channels: number;
  readonly made: number;
  /** Three axes each. */
  readonly input: readonly [number, number, number];
  readonly output: readonly [number, number, number];
  /** The depth axis has one class: its gradient reads g with zeros between its elements. */
  readonly depth: Axis;
  readonly y: Axis;
  readonly x: Axis;
  readonly image: Expr;
  readonly weight: Expr;
}

/** How far ahead the taps of an axis reach. */
export const reachOf = ({ classes }: Axis): number =>
  Math.max(0, ...classes.flatMap(({ taps }) => taps.map(({ ahead }) => ahead)));

export function problemOf({ direction, sizes, a, b }: ConvKernel): Problem {
  const { n, c, o, groups } = sizes;
  const [input, kernel, output] = [three(sizes.input, 1), three(sizes.kernel, 1), three(sizes.output, 1)];
  const [stride, dilation, padding] = [three(sizes.stride, 1), three(sizes.dilation, 1), three(sizes.padding, 0)];
  const forward = direction === 'forward';
  const axis = (i: 0 | 1 | 2): Axis => {
    const all = Array.from({ length: kernel[i] }, (_, r) => r);
    if (forward) {
      const { axis: plane, taps } = planeAxis(input[i], kernel[i], stride[i], dilation[i], padding[i]);
      return { plane, step: 1, classes: [{ first: 0, count: output[i], which: all, taps }] };
    }
    if (i > 0) return gradientAxis(input[i], output[i], kernel[i], stride[i], dilation[i], padding[i]);
    const reach = (kernel[i] - 1) * dilation[i];
    const { axis: plane } = planeAxis(output[i], kernel[i], 1, dilation[i], reach - padding[i]);
    const taps = all.map((r) => ({ phase: 0, ahead: reach - r * dilation[i] }));
    return {
      plane: { ...plane, spread: stride[i] },
      step: 1,
      classes: [{ first: 0, count: input[i], which: all, taps }],
    };
  };
  const axes = { depth: axis(0), y: axis(1), x: axis(2) };
  const shared = { n, groups, ...axes, image: a, weight: b };
  if (forward) return { ...shared, channels: c / groups, made: o / groups, input, output };
  return { ...shared, channels: o / groups, made: c / groups, input: output, output: input };
}

function gradientAxis(
  size: number,
  gradient: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: number,
): Axis {
  const base = Math.floor(padding / stride);
  const shift = padding - stride * base;
  // output first + stride·u reads g at u + ahead, before the planes' padding is added
  const classes = Array.from({ length: Math.min(stride, size) }, (_, first) => {
    const which = Array.from({ length: kernel }, (_, r) => r).filter(
      (r) => (r * dilation) % stride === (first + shift) % stride,
    );
    const carry = first + shift >= stride ? 1 : 0;
    const ahead = which.map((r) => base + carry - Math.floor((r * dilation) / stride));
    return { first, count: Math.ceil((size - first) / stride), which, ahead };
  });
  const before = -Math.min(0, ...classes.flatMap(({ ahead }) => ahead));
  return {
    plane: { size: gradient, step: 1, phases: [0], before, spread: 1 },
    step: stride,
    classes: classes.map(({ ahead, ...rest }) => ({
      ...rest,
      taps: ahead.map((place) => ({ phase: 0, ahead: place + before })),
    })),
  };
}
