/** Shape inference: a forward pass of shapes that settles every open layer, or tells which layer does not fit and what would. */
import { type Module, OpenLayer, replaceModules } from '@tessera/nn';
import { type DType, meta, runtime, type Shape, ShapeError, showShape, type TesseraError } from '@tessera/tensor';
import { type Fault, watched } from './watched';

type AnyModule = Module<never, unknown>;

export interface InferenceOptions {
  /** What the input holds. Default 'float32'. */
  readonly dtype?: DType;
}

/**
 * Runs `forward` on shapes alone (null: a size that is not known), with no arithmetic and no memory, and puts layers of nn in
 * the place of the model's flex layers. Their values are drawn when they are first needed. → the output's shape. Modes,
 * running statistics and the random sequence are left as they are; layers that the evaluating model does not call stay open.
 * torchmore's flex.shape_inference
 * @throws ShapeError, ArgumentError naming the layer that does not fit, what it saw and, where a larger input would do, the
 *   smallest one that fits; nothing is settled then.
 */
export function shapeInference(model: Module, shape: Shape, { dtype = 'float32' }: InferenceOptions = {}): Shape {
  const found = passOf(model, shape, dtype);
  if ('fault' in found)
    throw explained(found.fault, found.fault.error instanceof ShapeError ? fitting(model, shape, dtype) : null);
  closeIn(model);
  return found.output;
}

/**
 * Puts layers of nn in the place of all flex layers that have seen an input. → the model, or the layer that it has become.
 * torchmore's flex.freeze
 * @throws ShapeError that lists the flex layers which are still open, unless `partial`.
 */
export function freeze<M extends AnyModule>(model: M, { partial = false }: { readonly partial?: boolean } = {}): M {
  const open = model.namedModules().filter(([, module]) => module instanceof OpenLayer);
  if (open.length && !partial)
    throw new ShapeError(
      `freeze: ${open.map(([path, module]) => `${path} (${module.constructor.name})`).join(', ')} ${open.length > 1 ? 'have' : 'has'} seen no input; ` +
        'call flex.shapeInference first, or freeze the others with partial: true',
    );
  return closeIn(model);
}

const closeIn = <M extends AnyModule>(model: M): M =>
  replaceModules(model, (module) => {
    const layer = module instanceof OpenLayer ? module.close() : null;
    return layer && closeIn(layer);
  });

/** One pass, the model evaluating: the output's shape with all open layers settled, or the fault and none settled. */
function passOf(model: Module, shape: Shape, dtype: DType): { output: Shape } | { fault: Fault } {
  const modules = model.namedModules();
  const modes = modules.map(([, module]) => module.training);
  const { pending } = runtime;
  let settled = false;
  try {
    model.eval();
    runtime.pending = Number.NEGATIVE_INFINITY; // shapes are no work that waits: however many, nothing is run for them
    const found = watched(modules, () => model.forward(meta(shape, dtype)).shape);
    settled = 'output' in found;
    return found;
  } finally {
    runtime.pending = pending;
    if (!settled) reopen(modules.map(([, module]) => module));
    // inner modules come later in the list: each sets its own again
    for (const [i, [, module]] of modules.entries()) module.train(modes[i] as boolean);
  }
}
function reopen(modules: readonly AnyModule[]): void {
  for (const module of modules) if (module instanceof OpenLayer) module.layer = null;
}

/** The error with the layer's path, its input, and what would fit. */
function explained({ error, path, layer, input }: Fault, mend: Shape | null): TesseraError {
  const saw = input && !error.message.includes(showShape(input)) ? `; it saw ${showShape(input)}` : '';
  const place = path ? `${path} (${layer})` : layer;
  const fits = mend ? `; the smallest input that fits is ${showShape(mend)}` : '';
  return new (error.constructor as new (message: string, options: ErrorOptions) => TesseraError)(
    `shapeInference: ${place}: ${error.message}${saw}${fits}`,
    { cause: error },
  );
}

/**
 * The smallest enlargement of the input's spatial sizes that passes: in proportion, or to multiples of a power of 2, which is
 * what models want that halve and double. null where none up to 64 times does.
 */
function fitting(model: Module, shape: Shape, dtype: DType): Shape | null {
  const [first] = shape.slice(2);
  if (!first || shape.slice(2).includes(null)) return null;
  const resized = (resize: (size: number) => number): Shape =>
    shape.map((size, axis) => (axis < 2 || size === null ? size : resize(size)));
  const enlarged = (side: number): Shape => resized((size) => Math.ceil((size * side) / first));
  const passes = (input: Shape): boolean => {
    const modules = model.namedModules().map(([, module]) => module);
    const found = passOf(model, input, dtype);
    reopen(modules);
    return 'output' in found;
  };
  const even = [2, 4, 8, 16, 32].map((n) => resized((size) => Math.ceil(size / n) * n)).find(passes) ?? null;
  const most = 64 * first;
  let [small, large] = [first, 2 * first];
  for (; !passes(enlarged(large)); large *= 2) {
    if (large >= most) return even;
    small = large;
  }
  while (large - small > 1) {
    const middle = Math.floor((small + large) / 2);
    if (passes(enlarged(middle))) large = middle;
    else small = middle;
  }
  const places = (input: Shape): number => input.slice(2).reduce<number>((n, size) => n * (size ?? 1), 1);
  const found = enlarged(large);
  return even && places(even) < places(found) ? even : found;
}
