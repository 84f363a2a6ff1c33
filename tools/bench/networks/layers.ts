/**
 * A network as data: a list of layers, in the order they run, that every contestant can build it from. Values are numbered: 0 are
 * the images, layer i makes value i + 1.
 */
import { numbers, product, type Shape } from '../work.ts';

export type Pair = readonly [height: number, width: number];

/** How a weight is filled, alike for everyone: numbers from −½ to ½ (work.ts), times `scale`, plus `offset`. */
export interface Parameter {
  readonly shape: Shape;
  readonly scale: number;
  readonly offset: number;
}

/** Weights are places in the network's list of parameters; null: there is none. */
type Affine = { readonly weight: number; readonly bias: number | null };
type Windows = { readonly kernel: Pair; readonly stride: Pair; readonly padding: Pair };

export type Doing =
  | ({ readonly kind: 'conv'; readonly stride: Pair; readonly padding: Pair; readonly groups: number } & Affine)
  | ({ readonly kind: 'linear' } & Affine)
  /** With the batch's own statistics: in networks for inference it is folded into what stands before it. */
  | ({ readonly kind: 'batchNorm'; readonly eps: number } & Affine)
  /** min(max(x, 0), most). */
  | { readonly kind: 'relu'; readonly most: number | null }
  /** `covers`: one window over the whole map. Averages count the padding's zeros. */
  | ({ readonly kind: 'maxPool' | 'avgPool'; readonly covers: boolean } & Windows)
  | { readonly kind: 'add' }
  /** Of channels. */
  | { readonly kind: 'cat' }
  /** [N,C,H,W] → [N,C·H·W]. */
  | { readonly kind: 'flatten' };

export type Layer = Doing & {
  readonly from: readonly number[];
  /** Of what it makes. */
  readonly shape: Shape;
};

export interface Network {
  /** [N,C,H,W] */
  readonly images: Shape;
  readonly layers: readonly Layer[];
  readonly parameters: readonly Parameter[];
  /** What a training step does with the gradients. */
  readonly sgd: { readonly lr: number; readonly momentum: number };
}

/** The values of parameter number i: seed 0 is the images'. */
export function valuesOf({ shape, scale, offset }: Parameter, i: number): Float32Array {
  return numbers(product(shape), i + 1).map((value) => value * scale + offset);
}
export const imagesOf = ({ images }: Network): Float32Array => numbers(product(images), 0);

export function labelsOf({ images, layers }: Network): Int32Array {
  const classes = layers.at(-1)?.shape[1] as number;
  return Int32Array.from({ length: images[0] as number }, (_, i) => (7919 * i + 1) % classes);
}

/** Multiply-adds of convolutions and products, each two. A training step has three times as many. */
export function flopsOf({ layers, parameters }: Network): number {
  const each = layers.map((layer) => {
    if (layer.kind !== 'conv' && layer.kind !== 'linear') return 0;
    return 2 * product(layer.shape) * product(itemAt(parameters, layer.weight).shape.slice(1));
  });
  return each.reduce((sum, flops) => sum + flops, 0);
}

/** How many layers read each value; what the network gives is read once, by whoever asked. */
export function usesOf({ layers }: Network): number[] {
  const uses = [...layers.map(() => 0), 1];
  for (const { from } of layers) for (const value of from) uses[value] = (uses[value] as number) + 1;
  return uses;
}

/** For layers whose description leaves them nothing to be but values that were made before. */
export const itemAt = <T>(values: readonly (T | undefined)[], place: number): T => {
  const value = values[place];
  if (value === undefined) throw new RangeError(`bench: a layer reads value ${place}, which is not there`);
  return value;
};
