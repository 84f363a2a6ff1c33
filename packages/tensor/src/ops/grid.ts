/**
 * Sampling at given places. A grid holds coordinates from −1 to 1 over an image; each output is a weighted sum of the pixels
 * around its place. One map reads them; the transpose in x is one scatter, and the slope in the grid one reduction over
 * channels, and both are made of the same taps as the forward.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, add, apply, index, mul } from '../expr';
import { defineMultiOp, defineOp, type Input, type OpExpr, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { sub as minus, mul as times } from './arithmetic';
import { arange, ones } from './create';
import { type GridAttributes, int, num, type Tap, tapsOf } from './grid-taps';
import { stack } from './join';
import { matmul } from './linalg';
import { cast } from './math';
import { expand, reshape, transpose } from './shape';
import { wantDtype } from './types';

/** Taps of all spatial axes; the grid's last axis names them innermost first (x, y, z). `places` are those of its other axes. */
function axesOf(grid: Input, spatial: readonly number[], places: readonly OpExpr[], attributes: GridAttributes) {
  const rank = spatial.length;
  return spatial.map((size, i) => tapsOf(readAt(grid, [...places, int(rank - 1 - i)]), size, attributes));
}
/** Every choice of one tap an axis, as lists of tap numbers. */
const choices = (counts: readonly number[]): number[][] =>
  counts.reduce<number[][]>(
    (all, count) => all.flatMap((own) => Array.from({ length: count }, (_, k) => [...own, k])),
    [[]],
  );
const product = (factors: readonly OpExpr[]): OpExpr => factors.reduce((a, b) => mul(a, b));

/** y[n,c,p] = Σ over taps of weight·x[n,c,place]. The op behind gridSample. */
export const sampleGrid = /* @__PURE__ */ defineOp({
  name: 'gridSample',
  args: (x: TensorLike, grid: TensorLike, attributes: GridAttributes) => [[x, grid], attributes],
  shape: ([x, grid]) => ({
    shape: sampledShape((x as Tensor).shape, (grid as Tensor).shape),
    dtype: (x as Tensor).dtype,
  }),
  lower: (inputs, attributes) => {
    const [x, grid] = inputs as [Input, Input];
    const spatial = x.shape.slice(2);
    const axes = axesOf(grid, spatial, [index(0), ...spatial.map((_, i): OpExpr => index(i + 2))], attributes);
    const taps = axes.map(({ count, tap }) => Array.from({ length: count }, (_, k) => tap(int(k))));
    const terms = choices(axes.map(({ count }) => count)).map((choice) => {
      const chosen = choice.map((k, i) => (taps[i] as Tap[])[k] as Tap);
      const value = readAt(x, [index(0), index(1), ...chosen.map(({ place }) => place)]);
      return attributes.mode === 'nearest' ? value : mul(product(chosen.map(({ weight }) => weight)), value);
    });
    return { kind: 'map', outs: [terms.reduce<OpExpr>((sum, term, i) => (i ? add(sum, term) : term), num(0))] };
  },
});
const sampledShape = (x: Shape, grid: Shape): Shape => [
  x[0] ?? grid[0] ?? null,
  x[1] as number | null,
  ...grid.slice(1, -1),
];

/** g [N,C,…] spread over an image of `size` by the same taps: the gradient of sampleGrid in x. */
export const spreadGrid = /* @__PURE__ */ defineOp({
  name: 'gridSampleGradInput',
  args: (g: TensorLike, grid: TensorLike, size: Shape, attributes: GridAttributes) => [
    [g, grid],
    { ...attributes, size },
  ],
  shape: ([g], { size }) => ({ shape: [...(g as Tensor).shape.slice(0, 2), ...size], dtype: (g as Tensor).dtype }),
  lower: (inputs, attributes, [out]) => {
    const [g, grid] = inputs as [Input, Input];
    const { shape } = out as { shape: readonly number[] };
    const spatial = shape.slice(2);
    const rank = g.shape.length;
    const places = g.shape.map((_, i): OpExpr => index(i));
    const axes = axesOf(grid, spatial, [index(0), ...places.slice(2)], attributes);
    // The last axis of the updates runs over all choices of taps; its digits are the tap of each axis.
    let rest: OpExpr = index(rank);
    const chosen = [...axes]
      .reverse()
      .map(({ count, tap }) => {
        const digit = apply('mod', [rest, int(count)]);
        rest = apply('div', [rest, int(count)]);
        return tap(digit);
      })
      .reverse();
    return {
      kind: 'scatter',
      shape,
      updates: [...g.shape, axes.reduce((all, { count }) => all * count, 1)],
      combine: 'add',
      init: num(0),
      at: [index(0), index(1), ...chosen.map(({ place }) => place)],
      value: mul(readAt(g, places), product(chosen.map(({ weight }) => weight))),
    };
  },
});

/** Σ_c g·∂y/∂grid, for each of the grid's coordinates one tensor [N,…]: the gradient of sampleGrid in its grid. */
export const slopeGrid = /* @__PURE__ */ defineMultiOp({
  name: 'gridSampleGradGrid',
  args: (g: TensorLike, x: TensorLike, grid: TensorLike, attributes: GridAttributes) => [[g, x, grid], attributes],
  shape: ([g, x]) => {
    const [n, , ...places] = (g as Tensor).shape as (number | null)[];
    return (x as Tensor).shape
      .slice(2)
      .map(() => ({ shape: [n as number | null, ...places], dtype: 'float32' as const }));
  },
  lower: (inputs, attributes) => {
    const [g, x, grid] = inputs as [Input, Input, Input];
    const spatial = x.shape.slice(2);
    const [n, channels, ...places] = g.shape as [number, number, ...number[]];
    // Domain [N,…places,C], reduced over C.
    const at = places.map((_, i): OpExpr => index(i + 1));
    const channel = index(1 + places.length);
    const axes = axesOf(grid, spatial, [index(0), ...at], attributes);
    const taps = axes.map(({ count, tap }) => Array.from({ length: count }, (_, k) => tap(int(k))));
    const cotangent = readAt(g, [index(0), channel, ...at]);
    const byAxis = spatial.map((_, axis) => {
      const terms = choices(axes.map(({ count }) => count)).map((choice) => {
        const chosen = choice.map((k, i) => (taps[i] as Tap[])[k] as Tap);
        const value = readAt(x, [index(0), channel, ...chosen.map(({ place }) => place)]);
        return mul(product(chosen.map((tap, i) => (i === axis ? tap.slope : tap.weight))), value);
      });
      return mul(cotangent, terms.reduce((a, b) => add(a, b))); // biome-ignore format: one
    });
    return {
      kind: 'reduce',
      shape: [n, ...places, channels],
      axes: [1 + places.length],
      stages: [byAxis.map((expr) => ({ combine: 'sum', expr, dtype: 'float32' }))],
      // Grid coordinates are innermost first.
      outs: spatial.map((_, i) => ({ per: 'row', expr: acc(spatial.length - 1 - i) })),
    };
  },
  notDifferentiable: 'it is a slope already; grid_sample has no second derivative in PyTorch either',
});

export interface GridSampleOptions {
  /** Default 'bilinear' (over three axes: trilinear). */
  readonly mode?: GridAttributes['mode'];
  /** What lies outside: 0, the nearest edge, or a mirror image. Default 'zeros'. */
  readonly paddingMode?: GridAttributes['paddingMode'];
  /** Do −1 and 1 mean the centres of the corner pixels rather than their outer corners? Default false. */
  readonly alignCorners?: boolean;
}

/** x at the grid's places.  x [N,C,H,W], grid [N,P,Q,2] of (x, y) from −1 to 1 → [N,C,P,Q]; or x [N,C,D,H,W], grid
 *  [N,…,3] of (x, y, z). torch.nn.functional.grid_sample.
 *  @throws ShapeError where batch sizes or axes disagree, ArgumentError for bicubic over three axes. */
export function gridSample(x: TensorLike, grid: TensorLike, options: GridSampleOptions = {}): Tensor {
  const { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false } = options;
  const [t, g] = [toTensor(x, 'gridSample'), toTensor(grid, 'gridSample')];
  for (const [what, of] of [
    ['input', t],
    ['grid', g],
  ] as const)
    wantDtype('gridSample', what, of.dtype, ['float32', 'float16']);
  const rank = t.rank - 2;
  const [n, batch] = [t.shape[0] ?? null, g.shape[0] ?? null];
  if ((rank !== 2 && rank !== 3) || g.rank !== rank + 2 || (g.shape[g.rank - 1] ?? rank) !== rank)
    throw new ShapeError(
      `gridSample: input ${showShape(t.shape)} and grid ${showShape(g.shape)}; wants [N,C,H,W] and [N,P,Q,2], or three axes and 3`,
    );
  if (n !== batch && n !== null && batch !== null)
    throw new ShapeError(`gridSample: ${n} images and ${batch} grids; expand one to the other`);
  if (mode === 'bicubic' && rank === 3)
    throw new ArgumentError(`gridSample: bicubic for input ${showShape(t.shape)}; over three axes use bilinear`);
  return sampleGrid(t, g, { mode, paddingMode, alignCorners });
}

/** The grid of an affine map.  theta [N,2,3], size [N,C,H,W] → [N,H,W,2]; theta [N,3,4], size [N,C,D,H,W] → [N,D,H,W,3].
 *  grid[n,p] = theta[n]·(x, y, …, 1). torch.nn.functional.affine_grid. */
export function affineGrid(
  theta: TensorLike,
  size: readonly number[],
  { alignCorners = false }: { readonly alignCorners?: boolean } = {},
): Tensor {
  const t = toTensor(theta, 'affineGrid');
  const [n, , ...spatial] = size as [number, number, ...number[]];
  const rank = spatial.length;
  if ((rank !== 2 && rank !== 3) || t.rank !== 3 || t.shape[1] !== rank || t.shape[2] !== rank + 1)
    throw new ShapeError(
      `affineGrid: theta ${showShape(t.shape)} for size [${size}]; wants [N,${rank},${rank + 1}] and [N,C,H,W] or [N,C,D,H,W]`,
    );
  const base = spatial.map((length, axis) => {
    const steps = cast(arange(length), 'float32');
    const ends = alignCorners ? Math.max(length - 1, 1) : length;
    // Pixel centres, from −1 to 1 between the corner centres or the outer corners; one pixel lies in the middle.
    const centred = times(minus(steps, (length - 1) / 2), 2 / ends);
    return expand(reshape(centred, spatial.map((_, i) => (i === axis ? length : 1))), spatial); // biome-ignore format: one
  });
  const points = reshape(stack([...base.reverse(), ones(spatial)], rank), [-1, rank + 1]);
  return reshape(matmul(points, transpose(t)), [n, ...spatial, rank]);
}
