/** Layers that are made when they see the shape of their input. */
import { type Module, OpenLayer } from '@tessera/nn';
import {
  ArgumentError,
  cat,
  LoadError,
  randint,
  runtime,
  type Shape,
  State,
  type Tensor,
  zeros,
} from '@tessera/tensor';

/**
 * y = layer(x), the layer made by `create` from x's shape at the first call: `new Flex((shape) => new Scale(shape[1]))`. Its
 * values are drawn from a random sequence that is set aside here, whenever and in whatever order shapes are settled. The
 * layer's keys are those that it has in this one's place ('1.weight'). torchmore's flex.Flex
 * @throws ShapeError in parameters() before that; what `create` and the layer throw.
 */
export class Flex extends OpenLayer {
  readonly create: (shape: Shape) => Module;
  /** Where the layer's random numbers begin. */
  readonly draws: Tensor;
  readonly hasState: boolean = true;

  constructor(create: (shape: Shape) => Module, draws: Tensor = sequenceOfItsOwn()) {
    super();
    this.create = create;
    this.draws = draws;
  }

  forward(x: Tensor): Tensor {
    return (this.layer ?? this.settle(() => this.create(x.shape))).forward(x);
  }

  /** Becomes what `make` makes. */
  protected settle(make: () => Module): Module {
    const layer = apart(this.draws, make);
    if (typeof layer?.forward !== 'function')
      throw new ArgumentError(`${this.constructor.name}: create made a ${typeof layer}, wants a module`);
    this.layer = layer.train(this.training);
    return layer;
  }

  settleBy(_: ReadonlyMap<string, Tensor | State>, path: string): void {
    throw new LoadError(
      `loadStateDict: ${path} (${this.constructor.name}) is made from a shape, which no values tell; call flex.shapeInference first`,
    );
  }
}

/** A place in a sequence of another key than the program's, itself drawn from the program's. */
const sequenceOfItsOwn = (): Tensor => cat([randint(-(2 ** 30), 2 ** 30 - 1, [2]), zeros([1], { dtype: 'int32' })]);

/**
 * What `make` makes, its random numbers from `draws` on, and as if no compiled function were being traced and no derivative
 * taken: the layer outlives both.
 */
function apart<Made>(draws: Tensor, make: () => Made): Made {
  const { counter, trace, recording } = runtime;
  const own = new State(draws);
  Object.assign(runtime, { counter: own, trace: null, recording: 0 });
  try {
    return make();
  } finally {
    Object.assign(runtime, { counter, trace, recording });
    runtime.dirty.delete(own);
  }
}
