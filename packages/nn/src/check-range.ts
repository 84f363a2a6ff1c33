/**
 * Checks of values. A forward cannot wait for the device, so a layer keeps there the smallest and the largest it saw, and
 * `checkRanges` looks later; `fit` does after its first batch and after each epoch.
 */
import {
  ArgumentError,
  amax,
  amin,
  guard,
  isMeta,
  maximum,
  minimum,
  runtime,
  State,
  select,
  stack,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { Module } from './module';
import type { Keeps, shapes } from './types';

/** Smallest and largest value allowed. */
export type Range = readonly [low: number, high: number];

/** y = x, whose values are to lie from low to high (−1e5 to 1e5 unless told); NaN does not. torchmore's layers.CheckRange
 *  @throws in `checkRanges`: ArgumentError naming what was seen. */
export class CheckRange extends Module {
  declare readonly [shapes]: Keeps;
  readonly range: Range;
  readonly label: string;
  /** [2] float32: least and most since it was made; NaN where there was one. */
  readonly seen = newlySeen();
  constructor(low = -1e5, high = 1e5, { name = '' }: { readonly name?: string } = {}) {
    super();
    checkedRange('CheckRange', [low, high]);
    this.range = [low, high];
    this.label = name;
  }
  forward(x: Tensor): Tensor {
    see(this.seen, x);
    return x;
  }
}

export const newlySeen = (): State => new State(tensor(Float32Array.of(Infinity, -Infinity)));

/** @throws ArgumentError for a range that nothing is in. */
export function checkedRange(layer: string, [low, high]: Range): Range {
  if (!(low <= high)) throw new ArgumentError(`${layer}: range [${low}, ${high}], wants low ≤ high`);
  return [low, high];
}

/** Takes x's values into account. Of shapes alone there is nothing to see. */
export function see(seen: State, x: Tensor): void {
  if (isMeta(x)) return;
  const [least, most] = [select(seen, 0, 0), select(seen, 0, 1)];
  seen.assign(stack([minimum(least, amin(x)), maximum(most, amax(x))]));
}
/** As `see`, but in the first batch and in debug mode only: a compiled step is then traced anew without it. */
export function seeFirst(layer: { readonly seen: State | null; watched: boolean }, x: Tensor): void {
  if (!layer.seen || isMeta(x)) return;
  if (guard(() => layer.watched && runtime.debug === null)) return;
  see(layer.seen, x);
  layer.watched = true;
}

/**
 * Reads what the model's CheckRange layers, and its Inputs with a range, have seen.
 * @throws ArgumentError naming the first layer that saw NaN or something out of its range.
 */
export async function checkRanges(model: Module<never, unknown>): Promise<void> {
  for (const [path, module] of model.namedModules()) {
    if (!isRanged(module)) continue;
    const [low, high] = module.range;
    const [least, most] = (await module.seen.data()) as unknown as [number, number];
    if (least >= low && most <= high) continue;
    if (least === Infinity && most === -Infinity) continue;
    const label = 'label' in module && module.label ? ` ${module.label}` : '';
    throw new ArgumentError(
      `${path ? `${path} (${module.constructor.name})` : module.constructor.name}${label}: values from ${least} to ${most}, wants ${low} to ${high}; normalise what comes in, or look at the layer before`,
    );
  }
}
const isRanged = (module: object): module is { readonly range: Range; readonly seen: State } =>
  'range' in module && Array.isArray(module.range) && 'seen' in module && module.seen instanceof State;
