/**
 * Sampling at given places. A grid holds coordinates from −1 to 1 over an image; each output is a weighted sum of the pixels
 * around its place. One map reads them, one scatter is its transpose, and each can be told to take derivatives of the weights
 * in place of the weights: with that the two are closed under differentiation by image and grid.
 */
import { ArgumentError, ShapeError } from '../errors';
import { add, apply, index, mul } from '../expr';
import { defineOp, type Input, type OpExpr, read, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { sub as minus, mul as times } from './arithmetic';
import { arange, ones } from './create';
import { type GridAttributes, int, num, type Tap, tapsOf } from './grid-taps';
import { stack } from './join';
import { matmul } from './linalg';
import { cast } from './math';
import { expand, reshape, transpose } from './shape';
import { wantDtype } from './types';
import { wantWord } from './words';

/**
 * Taps of all spatial axes over `domain` [N, C, …places] (and more axes behind). The grid's last axis names the spatial axes
 * innermost first: (x, y, z).
 */
function axesOf(grid: Input, spatial: readonly number[], domain: readonly number[], attributes: GridAttributes) {
  const rank = spatial.length;
  const [n, ...places] = grid.shape.slice(0, -1) as [number, ...number[]];
  const behind = domain.slice(2 + places.length).map(() => 1);
  return spatial.map((size, i) => {
    const start = grid.shape.map((_, axis) => (axis === grid.shape.length - 1 ? rank - 1 - i : 0));
    const number = read(grid, domain, [
      { type: 'slice', start, step: start.map(() => 1), size: [n, ...places, 1] },
      { type: 'reshape', shape: [n, 1, ...places, ...behind] },
    ]);
    return tapsOf(number, size, attributes.orders[i] as number, attributes);
  });
}
const product = (factors: readonly OpExpr[]): OpExpr => factors.reduce((a, b) => mul(a, b));

/** y[n,c,p] = Σ over taps of weight·x[n,c,place], or a derivative of it by the grid (`orders`): the op behind gridSample. */
export const sampleGrid = /* @__PURE__ */ defineOp({
  name: 'gridSample',
  args: (x: TensorLike, grid: TensorLike, attributes: GridAttributes) => [[x, grid], attributes],
  shape: ([x, grid]) => {
    const [from, to] = [(x as Tensor).shape, (grid as Tensor).shape];
    const [n, c] = [from[0] ?? to[0] ?? null, from[1] as number | null];
    return { shape: [n, c, ...to.slice(1, -1)], dtype: (x as Tensor).dtype };
  },
  lower: (inputs, attributes, [out]) => {
    const [x, grid] = inputs as [Input, Input];
    const { shape } = out as { shape: readonly number[] };
    const axes = axesOf(grid, x.shape.slice(2), shape, attributes).map(({ count, tap }) =>
      Array.from({ length: count }, (_, k) => tap(int(k))),
    );
    // Every choice of one tap an axis is one term.
    const choices = axes.reduce<Tap[][]>((all, taps) => all.flatMap((own) => taps.map((tap) => [...own, tap])), [[]]);
    const terms = choices.map((taps) => {
      const value = readAt(x, [index(0), index(1), ...taps.map(({ place }) => place)]);
      return attributes.mode === 'nearest' ? value : mul(product(taps.map(({ weight }) => weight)), value);
    });
    return { kind: 'map', outs: [terms.reduce((a: OpExpr, b) => add(a, b))] };
  },
});

/** g [N,C,…] spread over an image of `size` by the same weights: the transpose of sampleGrid in x. */
export const spreadGrid = /* @__PURE__ */ defineOp({
  name: 'gridSpread',
  args: (g: TensorLike, grid: TensorLike, size: Shape, attributes: GridAttributes) => [
    [g, grid],
    { ...attributes, size },
  ],
  shape: ([g], { size }) => ({ shape: [...(g as Tensor).shape.slice(0, 2), ...size], dtype: (g as Tensor).dtype }),
  lower: (inputs, attributes, [out]) => {
    const [g, grid] = inputs as [Input, Input];
    const { shape } = out as { shape: readonly number[] };
    const spatial = shape.slice(2);
    const terms = { nearest: 1, bilinear: 2, bicubic: 4 }[attributes.mode] ** spatial.length;
    // The last axis of the updates runs over all choices of taps; its digits are the tap of each axis.
    const updates = [...g.shape, terms];
    let rest: OpExpr = index(g.shape.length);
    const taps = axesOf(grid, spatial, updates, attributes).map(({ count, tap }) => {
      const digit = apply('mod', [rest, int(count)]);
      rest = apply('div', [rest, int(count)]);
      return tap(digit);
    });
    const value = read(g, updates, [{ type: 'reshape', shape: [...g.shape, 1] }]);
    return {
      kind: 'scatter',
      shape,
      updates,
      combine: 'add',
      init: num(0),
      at: [index(0), index(1), ...taps.map(({ place }) => place)],
      value: mul(value, product(taps.map(({ weight }) => weight))),
    };
  },
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
  wantWord('gridSample', 'mode', mode, ['bilinear', 'nearest', 'bicubic']);
  wantWord('gridSample', 'paddingMode', paddingMode, ['zeros', 'border', 'reflection']);
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
  return sampleGrid(t, g, { mode, paddingMode, alignCorners, orders: Array<number>(rank).fill(0) });
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
