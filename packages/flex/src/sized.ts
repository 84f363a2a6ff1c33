/** What flex layers share whose input side is the size of one axis. */
import type { Module } from '@tessera/nn';
import { LoadError, randomState, type Shape, ShapeError, type State, showShape, type Tensor } from '@tessera/tensor';
import { Flex } from './flex';

/** What a layer of nn wants to know of its input. */
export interface Side {
  /** The axis that tells it: 1 has the channels, −1 the features. */
  readonly axis: 1 | -1;
  /** The ranks that x may have, and how messages write them. */
  readonly ranks: readonly [least: number, most: number, layout: string];
  /** The layer for inputs of this size and rank. */
  readonly make: (size: number, rank: number) => Module;
  /** A size that `make` takes whatever the input: what groups divide. Default 1. */
  readonly least?: number;
  /** The axis of the weight that has the size, and how often the size contains it. Default 0, once. */
  readonly inWeight?: readonly [axis: number, times: number];
}

/** A layer of nn made for the channels or features of the first input. */
export abstract class Sized extends Flex {
  readonly side: Side;
  /** What the layer was made for, once it is. */
  size: number | null = null;
  override readonly hasState: boolean;

  constructor(side: Side) {
    const { make, least = 1, ranks } = side;
    const { name } = new.target;
    // A layer of the least size, made and dropped: what makes no sense throws here and not at the first input, and the random
    // sequence is left where the plain layer would have left it. The real layer gets the values that the plain one would have.
    const draws = randomState().read();
    const smallest = make(least, ranks[0]);
    super((shape) => make(sizeOf(name, side, shape), shape.length), draws);
    this.side = side;
    this.hasState = smallest.stateDict().size > 0;
  }

  /** @throws ShapeError for another rank than the layer's, and for another size than it was made for. */
  override forward(x: Tensor): Tensor {
    const { axis } = this.side;
    if (!this.layer) this.size = sizeOf(this.constructor.name, this.side, x.shape);
    const size = x.shape.at(axis) ?? null;
    if (size !== null && size !== this.size)
      throw new ShapeError(
        `${this.constructor.name}: the layer was made for ${this.size} ${named(axis)}, the input ${showShape(x.shape)} has ${size}; ` +
          'give it that, or make a new layer',
      );
    return super.forward(x);
  }

  override settleBy(values: ReadonlyMap<string, Tensor | State>, path: string): void {
    if (!this.hasState) return;
    const { make, inWeight: [axis, times] = [0, 1], ranks } = this.side;
    const size = (values.get('weight') ?? values.get('running_mean'))?.shape[axis];
    if (typeof size !== 'number')
      throw new LoadError(
        `loadStateDict: ${path} (${this.constructor.name}) is open, and no ${path && `${path}.`}weight tells its input side; is it the same architecture? flex.shapeInference settles it by an input's shape`,
      );
    const whole = size * times;
    this.settle(() => make(whole, ranks[0]));
    this.size = whole;
  }
}

function sizeOf(layer: string, { axis, ranks: [least, most, layout] }: Side, shape: Shape): number {
  if (shape.length < least || shape.length > most)
    throw new ShapeError(`${layer}: input ${showShape(shape)} has ${shape.length} axes, wants ${layout}`);
  const size = shape.at(axis) ?? null;
  if (size === null)
    throw new ShapeError(
      `${layer}: the ${named(axis)} of ${showShape(shape)} are not known; infer with that size as a number`,
    );
  return size;
}
const named = (axis: 1 | -1): string => (axis === 1 ? 'channels' : 'features');
