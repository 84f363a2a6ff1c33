/**
 * What types know of shapes: how many axes there are, and how many channels or features where those are literals. A layer
 * states what it takes and makes; `Sequential` goes through them, and where two do not fit, the parameter's type is a sentence
 * that says so. Heights and widths are left to run time, and so is all that is computed. Nothing of this exists at run time.
 */

/** Sizes of axes, unknown ones `number`: [number, 64, number, number]. Of number[] not even their count is known. */
export type Dims = readonly number[];

/**
 * Under this key a layer's class tells its shapes, as in
 * `declare readonly [shapes]: Maps<'Conv2d', '[N,C,H,W]', In, Out>`; a module that tells nothing fits everywhere.
 */
export declare const shapes: unique symbol;

/** By what a message calls them: the shapes that a layer may take, C being the size that matters to it. */
interface Layouts<C extends number> {
  '[N,C]': [number, C];
  '[C,L]': [C, number];
  '[N,C,L]': [number, C, number];
  '[N,C] or [N,C,L]': [number, C, number?];
  '[C,H,W]': [C, number, number];
  '[N,C,H,W]': [number, C, number, number];
  '[C,D,H,W]': [C, number, number, number];
  '[N,C,D,H,W]': [number, C, number, number, number];
  '[N,C,…]': [number, C, ...number[]];
  '[…,C]': [...number[], C];
}
type Layout = keyof Layouts<number>;

/** y has x's shape, whatever it is. */
export interface Keeps {
  readonly keeps: true;
}
/**
 * x has In channels in this layout, y has Out in the same ('same': as many as x). The layout `Else` will do too: that of one
 * sample. Where nothing is known of x, it is taken to be a batch; `new Input('DHW')` tells otherwise.
 */
export interface Maps<
  Name extends string,
  At extends Layout,
  In extends number,
  Out extends number | 'same' = 'same',
  Else extends Layout = never,
> {
  readonly maps: [name: Name, at: At, takes: In, makes: Out, or: Else];
}
/** x has as many axes as Takes, y the shape Result. */
export interface Makes<Name extends string, Takes extends Dims, Result extends Dims> {
  readonly makes: [name: Name, takes: Takes, makes: Result];
}
/** One layer after the other. */
export interface Chain<Layers extends readonly unknown[]> {
  readonly chain: Layers;
}
/** Each layer on x; y has the shape of what the last one makes ('sum'), or only its count of axes ('cat'). */
export interface Beside<Name extends string, Layers extends readonly unknown[], How extends 'sum' | 'cat'> {
  readonly beside: [name: Name, layers: Layers, how: How];
}

/** What a module makes of x: `MadeBy<typeof model>` is [number, 10] of a classifier; number[] where types do not know. */
export type MadeBy<M, X extends Dims = Dims> =
  Step<ShapesOf<M>, Value<X, 'x'>, ''> extends Value<infer Y, string> ? Y : Dims;

/** These layers; and for the first that does not fit to those before it, a sentence instead. */
export type Fitting<Layers extends readonly unknown[]> =
  Follow<Layers, Value<Dims, ''>, ''> extends Misfit<string, infer Told> ? Told : Layers;

/** What a module tells of its shapes; unknown where it tells nothing. */
export type ShapesOf<M> = [M] extends [{ readonly [shapes]: infer S }] ? S : unknown;
/** A shape on its way through a model, and the place of the layer that it has its channels from. */
interface Value<Shape, From extends string> {
  readonly value: [shape: Shape, from: From];
}
interface Misfit<Why extends string, Told extends readonly unknown[]> {
  readonly misfit: [why: Why, told: Told];
}

/** The Value behind these layers, or the first Misfit. From a spread array on nothing is known. */
type Follow<Layers, X, Path extends string, Done extends readonly unknown[] = []> = Layers extends readonly [
  infer Layer,
  ...infer Rest,
]
  ? Step<ShapesOf<Layer>, X, `${Path}${Done['length']}`> extends infer Y
    ? Y extends string
      ? Misfit<Y, [...Done, Y, ...Rest]>
      : Follow<Rest, Y, Path, [...Done, Layer]>
    : never
  : Layers extends readonly []
    ? X
    : Value<Dims, ''>;

/** The Value behind the last of these layers, each on X, or why one does not fit. */
type Each<Layers, X, Path extends string, Y = X, Done extends readonly unknown[] = []> = Layers extends readonly [
  infer Layer,
  ...infer Rest,
]
  ? Step<ShapesOf<Layer>, X, `${Path}.${Done['length']}`> extends infer Z
    ? Z extends string
      ? Z
      : Each<Rest, X, Path, Z, [...Done, Layer]>
    : never
  : Layers extends readonly []
    ? Y
    : Value<Dims, ''>;

/** The Value behind one layer, or why it does not fit. */
type Step<Shapes, X, Path extends string> =
  X extends Value<infer S, infer From>
    ? [Shapes] extends [Keeps]
      ? X
      : [Shapes] extends [Maps<infer Name, infer At, infer In, infer Out, infer Else>]
        ? Map<S, From, S extends Layouts<number>[Else] ? Else : At, In, Out, `${Path} (${Name})`>
        : [Shapes] extends [Makes<infer Name, infer Takes, infer Y>]
          ? [Rank<S> & Takes['length']] extends [never]
            ? `layer ${Path} (${Name}): wants ${Takes['length']} axes, gets ${Rank<S>} from layer ${From}`
            : Value<Y, `${Path} (${Name})`>
          : [Shapes] extends [Chain<infer Layers>]
            ? Follow<Layers, X, Path extends '' ? '' : `${Path}.`> extends infer Y
              ? Y extends Misfit<infer Why, readonly unknown[]>
                ? Why
                : Y
              : never
            : [Shapes] extends [Beside<infer Name, infer Layers, infer How>]
              ? Each<Layers, X, Path> extends infer Y
                ? [How, Y] extends ['cat', Value<infer S, string>]
                  ? Value<{ [K in keyof S]: number }, `${Path} (${Name})`>
                  : Y
                : never
              : Value<Dims, ''>
    : never;

/** Step for Maps. Two sizes, `A & B`, are never where they are literals that differ. */
type Map<S, From extends string, At extends Layout, In extends number, Out, Here extends string> = S extends Layouts<
  infer C
>[At]
  ? [C & In] extends [never]
    ? `layer ${Here}: wants ${In} ${At extends '[…,C]' ? 'features' : 'channels'}, gets ${C} from layer ${From}`
    : Out extends number
      ? Value<Put<S, At, Out>, Here>
      : Value<Put<S, At, C & In>, number extends C ? Here : From>
  : [Rank<S> & Layouts<number>[At]['length']] extends [never]
    ? `layer ${Here}: wants ${At}, gets ${Rank<S>} axes from layer ${From}`
    : Value<Layouts<Out extends number ? Out : In>[At], Here>;

/** S with C where the layout has it. What else is known stays before the last axis, and is forgotten in maps. */
type Put<S, At extends Layout, C extends number> = At extends '[…,C]'
  ? S extends readonly [...infer Head, number]
    ? [...Head, C]
    : Layouts<C>[At]
  : { [K in keyof S]: K extends keyof Layouts<C>[At] ? Layouts<C>[At][K] : number };
type Rank<S> = S extends { readonly length: infer N extends number } ? N : never;
