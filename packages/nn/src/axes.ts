/** The lecture's layers that check axes and move them about. Axis letters: B batch, D depth (channels), H, W, L length. */
import {
  ArgumentError,
  cast,
  isMeta,
  meta,
  permute,
  reshape,
  type Shape,
  ShapeError,
  type State,
  showShape,
  type Tensor,
} from '@tessera/tensor';
import { checkedRange, newlySeen, type Range, seeFirst } from './check-range';
import { Module } from './module';
import type { Dims, Keeps, Makes, shapes } from './types';

/** What an axis may be: anything (null), this many, or from … to. */
export type SizeCheck = number | null | readonly [least: number, most: number];

export interface InputOptions<Sizes extends readonly SizeCheck[] | null = readonly SizeCheck[] | null> {
  /** What the axes must be, after reordering. Default: nothing is checked but their number. */
  readonly sizes?: Sizes;
  /** The letters of `order` in the order that the model wants. Default: as they are. */
  readonly reorder?: string;
  /** What the values are to lie in, in the first batch and in debug mode: `checkRanges(model)` and `fit` look. Default: anywhere. */
  readonly range?: Range | null;
}
/**
 * The door of a model: y is x as float32, its axes moved from `order` to `reorder`, their sizes checked.
 * `new Input('BDHW', { sizes: [null, 3, 224, 224], range: [-5, 5] })`. torchmore's layers.Input, without its parameter
 * @throws ArgumentError where letters and sizes disagree; forward: ShapeError for other axes.
 */
export class Input<
  Order extends string = string,
  const Sizes extends readonly SizeCheck[] | null = null,
> extends Module {
  declare readonly [shapes]: Makes<
    'Input',
    Letters<Order>,
    Sizes extends readonly SizeCheck[] ? Checked<Sizes> : Letters<Order>
  >;
  readonly order: string;
  readonly reorder: string;
  readonly sizes: readonly SizeCheck[] | null;
  readonly range: Range | null;
  /** Least and most value of the batches looked at, where there is a range. */
  readonly seen: State | null;
  watched = false;
  constructor(order: Order, { sizes, reorder = order, range = null }: InputOptions<Sizes> = {}) {
    super();
    axesFrom('Input', order, reorder);
    if (sizes && sizes.length !== order.length)
      throw new ArgumentError(`Input: ${sizes.length} sizes for the axes ${order}; wants one each`);
    this.order = order;
    this.reorder = reorder;
    this.sizes = sizes ?? null;
    this.range = range && checkedRange('Input', range);
    this.seen = range && newlySeen();
  }
  forward(x: Tensor): Tensor {
    const { order, reorder } = this;
    if (x.rank !== order.length)
      throw new ShapeError(`input: ${showShape(x.shape)} has ${x.rank} axes, wants ${order}; reshape it first`);
    const y = order === reorder ? x : permute(x, axesFrom('Input', order, reorder));
    if (this.sizes) checkSizes('input', y.shape, this.sizes, reorder);
    const z = y.dtype === 'float32' ? y : cast(y, 'float32');
    seeFirst(this, z);
    return z;
  }
}

/** y = x where its sizes are these, in every call. torchmore's layers.CheckSizes @throws forward: ShapeError elsewhere. */
export class CheckSizes extends Module {
  declare readonly [shapes]: Keeps;
  readonly sizes: readonly SizeCheck[];
  /** Letters of the axes, for messages. */
  readonly order: string;
  readonly label: string;
  constructor(
    sizes: readonly SizeCheck[],
    { name = '', order = '' }: { readonly name?: string; readonly order?: string } = {},
  ) {
    super();
    if (order && order.length !== sizes.length)
      throw new ArgumentError(`CheckSizes: ${sizes.length} sizes for the axes ${order}; wants one each`);
    this.sizes = sizes;
    this.order = order;
    this.label = name;
  }
  forward(x: Tensor): Tensor {
    checkSizes(`checkSizes${this.label && ` ${this.label}`}`, x.shape, this.sizes, this.order);
    return x;
  }
}

/** A letter, an axis. */
type Letters<Order extends string, Found extends number[] = []> = string extends Order
  ? number[]
  : Order extends `${string}${infer Rest}`
    ? Letters<Rest, [...Found, number]>
    : Found;
/** As many axes, of any size. */
type Unknown<Axes extends readonly unknown[]> = { -readonly [K in keyof Axes]: number };
/** The sizes that are fixed. */
type Checked<Sizes extends readonly SizeCheck[]> = {
  -readonly [K in keyof Sizes]: Sizes[K] extends number ? Sizes[K] : number;
};

function checkSizes(op: string, shape: Shape, sizes: readonly SizeCheck[], letters?: string): void {
  const wanted = () => sizes.map((size) => (size === null ? 'any' : typeof size === 'number' ? size : size.join('–')));
  if (shape.length !== sizes.length)
    throw new ShapeError(`${op}: ${showShape(shape)} has ${shape.length} axes, wants [${wanted()}]; reshape it first`);
  for (const [axis, size] of shape.entries()) {
    const check = sizes[axis] as SizeCheck;
    if (check === null || size === null) continue;
    const [least, most] = typeof check === 'number' ? [check, check] : check;
    if (size < least || size > most)
      throw new ShapeError(
        `${op}: ${showShape(shape)} has ${size} on axis ${letters?.[axis] ?? axis}, wants [${wanted()}]; resize or reorder the input`,
      );
  }
}

/** Axes by letters: `new Reorder('BHWD', 'BDHW')`. torchmore's layers.Reorder @throws ArgumentError for other letters. */
export class Reorder extends Module {
  readonly from: string;
  readonly to: string;
  constructor(from: string, to: string) {
    super();
    axesFrom('Reorder', from, to);
    this.from = from;
    this.to = to;
  }
  forward(x: Tensor): Tensor {
    if (x.rank !== this.from.length)
      throw new ShapeError(
        `reorder: ${showShape(x.shape)} has ${x.rank} axes, wants ${this.from}; name each axis of it`,
      );
    return permute(x, axesFrom('Reorder', this.from, this.to));
  }
}
function axesFrom(layer: string, from: string, to: string): number[] {
  const sorted = (letters: string) => [...letters].sort().join('');
  if (new Set(from).size !== from.length || sorted(from) !== sorted(to))
    throw new ArgumentError(`${layer}: '${from}' to '${to}'; wants the same letters, each once`);
  return [...to].map((letter) => from.indexOf(letter));
}

/** Axis i of y is axis dims[i] of x. torchmore's layers.Permute; torch.permute @throws forward: ShapeError unless they are x's axes. */
export class Permute<Order extends readonly number[] = readonly number[]> extends Module {
  declare readonly [shapes]: Makes<'Permute', Unknown<Order>, Unknown<Order>>;
  readonly dims: readonly number[];
  constructor(...dims: Order) {
    super();
    this.dims = dims;
  }
  forward(x: Tensor): Tensor {
    return permute(x, this.dims);
  }
}

/** y = x with these sizes, one of which may be −1: what is left. torchmore's layers.Viewer; torch.Tensor.view
 *  @throws forward: ShapeError where the elements are not as many. */
export class View<Sizes extends readonly number[] = readonly number[]> extends Module {
  declare readonly [shapes]: Makes<'View', Dims, { [K in keyof Sizes]: Sizes[K] extends -1 ? number : Sizes[K] }>;
  readonly sizes: readonly number[];
  constructor(...sizes: Sizes) {
    super();
    this.sizes = sizes;
  }
  forward(x: Tensor): Tensor {
    return reshape(x, this.sizes);
  }
}

/** Groups of axes, one by one. */
type Flat<Axes extends readonly unknown[]> = Axes extends readonly [infer Group, ...infer Rest]
  ? [...(Group extends readonly unknown[] ? Unknown<Group> : [number]), ...Flat<Rest>]
  : Axes extends readonly []
    ? []
    : number[];
/**
 * Axes of x put together: a number is that axis, a list the product of those. `new Reshape(0, [1, 2, 3])` makes [N,C·H·W] of
 * [N,C,H,W]. torchmore's layers.Reshape @throws ArgumentError unless the axes are 0, 1, 2, … in order; forward: ShapeError
 * for another rank.
 */
export class Reshape<
  const Axes extends readonly (number | readonly number[])[] = readonly (number | readonly number[])[],
> extends Module {
  declare readonly [shapes]: Makes<'Reshape', Flat<Axes>, Unknown<Axes>>;
  readonly axes: readonly (number | readonly number[])[];
  constructor(...axes: Axes) {
    super();
    if (axes.flat().some((axis, i) => axis !== i))
      throw new ArgumentError(
        `Reshape: axes ${JSON.stringify(axes)}, wants each axis once and in order, as in Reshape(0, [1, 2, 3]); Permute moves them`,
      );
    this.axes = axes;
  }
  forward(x: Tensor): Tensor {
    if (x.rank !== this.axes.flat().length)
      throw new ShapeError(
        `reshape: ${showShape(x.shape)} has ${x.rank} axes, wants ${this.axes.flat().length}; list each axis of it once`,
      );
    const size = (axes: readonly number[]): number | null =>
      axes.reduce<number | null>((product, axis) => {
        const own = x.shape[axis] as number | null;
        return product === null || own === null ? null : product * own;
      }, 1);
    return reshape(
      x,
      this.axes.map((entry) => size(typeof entry === 'number' ? [entry] : entry)),
    );
  }
}

export interface LambdaOptions {
  /** For drawings and messages. Default: the function's own. */
  readonly name?: string;
  /** y's shape from x's, where f cannot run on shapes alone (it wants to know a size). Default: f itself tells. */
  readonly shape?: (shape: Shape) => Shape;
}
/** y = f(x): a function as a layer. torchmore's layers.Fun_ */
export class Lambda extends Module {
  readonly f: (x: Tensor) => Tensor;
  readonly label: string;
  readonly shape: ((shape: Shape) => Shape) | null;
  constructor(f: (x: Tensor) => Tensor, { name = f.name, shape }: LambdaOptions = {}) {
    super();
    this.f = f;
    this.label = name;
    this.shape = shape ?? null;
  }
  forward(x: Tensor): Tensor {
    return this.shape && isMeta(x) ? meta(this.shape(x.shape), x.dtype) : this.f(x);
  }
}

/** y = x, shown to `see` at call 0 and each `every`th after; in a compiled step only while it is traced, with a tensor that
 *  cannot be read. torchmore's layers.Info */
export class Inspect extends Module {
  declare readonly [shapes]: Keeps;
  readonly see: (x: Tensor, call: number) => void;
  readonly every: number;
  calls = 0;
  constructor(see: (x: Tensor, call: number) => void, { every = 1 }: { readonly every?: number } = {}) {
    super();
    this.see = see;
    this.every = every;
  }
  forward(x: Tensor): Tensor {
    if (this.calls % this.every === 0) this.see(x, this.calls);
    this.calls++;
    return x;
  }
}
