/**
 * Module: layers and models. A module is its fields: parameters, buffers and submodules are found by walking them, so there
 * is nothing to register, and TypeScript knows them all.
 */
import { guard, ShapeError, State, type Tensor } from '@tessera/tensor';
import { addForwardHook, addGradientHook, type ForwardHook, type GradientHook, handOverHooks } from './hooks';
import { entriesOf, type LoadOptions, type LoadReport, loadInto, type StateDict } from './state-dict';

/** A state cell that trains. torch.nn.Parameter */
export class Parameter extends State {
  /** False: frozen. Optimizers leave it alone, `trainableParameters` leaves it out; a compiled step traces anew. */
  requiresGrad = true;
}

export interface BufferOptions {
  /** What files store it as, where that is not its own dtype: PyTorch's counters are int64. */
  readonly storedAs?: 'int64';
}
/** A state cell that belongs to a module without training: a running statistic. Saved with the parameters. */
export class Buffer extends State {
  readonly storedAs: 'int64' | undefined;
  constructor(initial: Tensor | State, options: BufferOptions = {}) {
    super(initial);
    this.storedAs = options.storedAs;
  }
}

/**
 * What layers and models extend: fields, and `forward`. Parameters, buffers and modules may stand in fields, in arrays and in
 * plain objects. A field's name is its part of the key, in PyTorch's spelling: `runningMean` → `running_mean`; names that
 * begin with a capital (`AuxLogits`) stay. torch.nn.Module
 */
export abstract class Module<Inputs extends readonly unknown[] = [x: Tensor], Output = Tensor> {
  abstract forward(...inputs: Inputs): Output;

  /** Training or evaluating; a compiled function that asks traces anew when it changes. */
  get training(): boolean {
    return guard(() => !evaluating.has(this));
  }
  /** Sets the mode of this module and of all in it. */
  train(mode = true): this {
    for (const [, module] of this.namedModules())
      if (mode) evaluating.delete(module);
      else evaluating.add(module);
    return this;
  }
  /** `train(false)`: running statistics instead of the batch's, no dropout. */
  eval(): this {
    return this.train(false);
  }

  /**
   * The part that a field has in the keys of what it holds: its name, in PyTorch's spelling. A class that wants other keys
   * overrides it; '' is no part: what the field holds has keys as if it were the module's own.
   */
  keyOf(field: string): string {
    return snakeCase(field);
  }

  /**
   * The key, within this module, that a value of a file has here, from the one it has there; null: the value is passed over.
   * A class whose files once had other keys, or have more of them, overrides it. torch.nn.Module._load_from_state_dict
   */
  keyFrom(given: string): string | null {
    return given;
  }

  /** This module as '' and every module in it by its path, each once, outer ones first. */
  namedModules(): [path: string, module: Module<never, unknown>][] {
    const found = new Map<Module<never, unknown>, string>();
    const visit = (module: Module<never, unknown>, path: string): void => {
      if (found.has(module)) return;
      found.set(module, path);
      for (const [name, value] of members(module)) if (value instanceof Module) visit(value, join(path, name));
    };
    visit(present(this), '');
    return [...found].map(([module, path]) => [path, module]);
  }

  /** Parameters by key ('0.weight'), each once, in PyTorch's order. */
  namedParameters(): [key: string, parameter: Parameter][] {
    return named(this, Parameter);
  }
  /** Buffers by key ('1.running_mean'), each once. */
  namedBuffers(): [key: string, buffer: Buffer][] {
    return named(this, Buffer);
  }
  /** What an optimizer takes, and what to differentiate by. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }
  /** `parameters()` without the frozen ones: differentiate by these, and the way back ends at the first of them. */
  trainableParameters(): Parameter[] {
    return this.parameters().filter((parameter) => guard(() => parameter.requiresGrad));
  }
  /** Freezes all parameters in this module (`unfreeze`: none): optimizers leave them alone. torch.nn.Module.requires_grad_ */
  freeze(frozen = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = !frozen;
    return this;
  }
  unfreeze(): this {
    return this.freeze(false);
  }

  /** Calls `f` with every module in this one, inner ones first, and at last with this one. torch.nn.Module.apply */
  apply(f: (module: Module<never, unknown>, path: string) => void): this {
    for (const [path, module] of this.namedModules().reverse()) f(module, path);
    return this;
  }

  /**
   * Calls `hook` after each forward of this module, with its inputs and output; what it returns, if anything, replaces the
   * output. A step compiled before does not run it. → takes the hook off again. torch.nn.Module.register_forward_hook
   */
  registerForwardHook<M extends Module<never, unknown>>(this: M, hook: HookOf<M>): () => void {
    return addForwardHook<Parameters<M['forward']>, ReturnType<M['forward']>>(this as never, hook);
  }
  /**
   * Calls `hook` with the cotangent of this module's output, when a derivative passes it; what it returns, if anything, takes
   * its place. → takes the hook off again. torch.nn.Module.register_full_backward_pre_hook
   * @throws ArgumentError in forward, where the output is no tensor.
   */
  registerGradientHook(hook: GradientHook): () => void {
    return addGradientHook(this, hook);
  }

  /**
   * A copy with parameters and buffers of its own, of the same values, modes and frozen ones; what is shared within stays
   * shared. Fields that are neither state, modules, arrays nor plain objects are taken over as they are, hooks are not.
   * A subclass with #private fields needs a clone of its own. copy.deepcopy
   */
  clone(): this {
    return cloneWith(this, (state) => {
      if (state instanceof Parameter) return Object.assign(new Parameter(state), { requiresGrad: state.requiresGrad });
      if (state instanceof Buffer) return new Buffer(state, state.storedAs ? { storedAs: state.storedAs } : {});
      return new State(state);
    });
  }

  /** Parameters and buffers by key, a shared one under each of its keys: what `saveSafetensors` takes. */
  stateDict(): Map<string, Parameter | Buffer> {
    const found = new Map<string, Parameter | Buffer>();
    for (const [path, module] of places(present(this))) {
      refuseOpen('stateDict', module, path);
      const own = [...members(module)];
      for (const kind of [Parameter, Buffer])
        for (const [name, value] of own) if (value instanceof kind) found.set(join(path, name), value);
    }
    return found;
  }

  /**
   * Assigns the values of a file or of another model, cast to the dtypes here, under the keys that `keyFrom` makes of theirs.
   * Open layers settle by the shapes of theirs.
   * @throws StateDictError with every key which is missing, not wanted, or of another shape; nothing is assigned then.
   *   With `strict: false` missing and unwanted keys are no fault, but reported.
   */
  loadStateDict(given: StateDict, options: LoadOptions = {}): LoadReport {
    const open = this.namedModules().filter((entry): entry is [string, OpenLayer] => entry[1] instanceof OpenLayer);
    const values = translated(this, given);
    try {
      for (const [path, layer] of open) layer.settleBy(valuesUnder(path, values), path);
      return loadInto(this.constructor.name, this.stateDict(), values, options);
    } catch (error) {
      for (const [, layer] of open) layer.layer = null;
      throw error;
    }
  }
}

/**
 * A layer whose input side is open until it has seen an input's shape: `@tessera/flex`. From then on walks see the layer that it
 * became in its place, so that keys are that layer's; before, it has no parameters to list.
 */
export abstract class OpenLayer extends Module {
  /** What it became; null: open. */
  layer: Module | null = null;
  /** Will it have parameters or buffers? */
  abstract readonly hasState: boolean;
  /**
   * Becomes the layer whose values these are, by their keys in it.
   * @throws LoadError where they do not tell the input side.
   */
  abstract settleBy(values: ReadonlyMap<string, Tensor | State>, path: string): void;

  /** What it became, with this one's hooks, to stand in its place; null where it is open. */
  close(): Module | null {
    if (this.layer) handOverHooks(this, this.layer);
    return this.layer;
  }
}
/** What stands in a module's place. */
const present = (module: Module<never, unknown>): Module<never, unknown> =>
  module instanceof OpenLayer && module.layer ? present(module.layer) : module;

function refuseOpen(what: string, module: Module<never, unknown>, path: string): void {
  if (module instanceof OpenLayer && module.hasState)
    throw new ShapeError(
      `${what}: ${path && `${path} `}(${module.constructor.name}) has no parameters before it has seen an input; call flex.shapeInference first`,
    );
}

/** A module and those in it, by every path that leads to one: a shared one has several. */
function* places(
  module: Module<never, unknown>,
  path = '',
  above: readonly unknown[] = [],
): Generator<[path: string, module: Module<never, unknown>]> {
  if (above.includes(module)) return;
  yield [path, module];
  for (const [name, value] of members(module))
    if (value instanceof Module) yield* places(value, join(path, name), [...above, module]);
}

/** What was given, by the keys that it has here: modules are asked for those under them, outer ones first. */
function translated(root: Module<never, unknown>, given: StateDict): Map<string, Tensor | State> {
  const translators = [...places(present(root))].filter(([, { keyFrom }]) => keyFrom !== Module.prototype.keyFrom);
  const keyHere = (given: string): string | null =>
    translators.reduce<string | null>((key, [path, module]) => {
      const inner = key === null ? null : keyUnder(path, key);
      if (inner === null) return key;
      const own = module.keyFrom(inner);
      return own === null ? null : join(path, own);
    }, given);
  return new Map(
    [...entriesOf(given)].flatMap(([key, value]) => {
      const own = keyHere(key);
      return own === null ? [] : [[own, value]];
    }),
  );
}

/** The values of one module, by their keys in it. */
const valuesUnder = (path: string, given: ReadonlyMap<string, Tensor | State>): Map<string, Tensor | State> =>
  new Map(
    [...given].flatMap(([key, value]) => {
      const inner = keyUnder(path, key);
      return inner === null ? [] : [[inner, value]];
    }),
  );
/** A key without the path before it; null: it stands elsewhere. */
function keyUnder(path: string, key: string): string | null {
  const prefix = path && `${path}.`;
  return key.startsWith(prefix) ? key.slice(prefix.length) : null;
}

type HookOf<M extends Module<never, unknown>> = ForwardHook<Parameters<M['forward']>, ReturnType<M['forward']>>;

/** The modules that do not train. Beside them rather than in them: a clone is made without their constructors. */
const evaluating = /* @__PURE__ */ new WeakSet<object>();

/** A copy of a module: containers and modules anew, state by `copyOf`, each once. */
function cloneWith<M extends object>(root: M, copyOf: (state: State) => State): M {
  const copies = new Map<object, object>();
  const copy = (value: unknown): unknown => {
    const copied = value instanceof Module || isContainer(value);
    if (!(copied || value instanceof State)) return value;
    const known = copies.get(value);
    if (known) return known;
    const twin = value instanceof State ? copyOf(value) : Array.isArray(value) ? [] : emptyLike(value);
    copies.set(value, twin);
    if (value instanceof State) return twin;
    for (const [name, inner] of Object.entries(value)) Object.assign(twin, { [name]: copy(inner) });
    if (evaluating.has(value)) evaluating.add(twin);
    return twin;
  };
  return copy(root) as M;
}
const emptyLike = (value: object): object => Object.create(Object.getPrototypeOf(value)) as object;

function named<T extends State>(root: Module<never, unknown>, kind: new (initial: Tensor) => T): [string, T][] {
  const found = new Map<T, string>();
  for (const [path, module] of root.namedModules()) {
    refuseOpen('parameters', module, path);
    for (const [name, value] of members(module))
      if (value instanceof kind && !found.has(value)) found.set(value, join(path, name));
  }
  return [...found].map(([state, key]) => [key, state]);
}

/** Elements of a shape, an unknown size counting 1. */
export const countOf = (shape: readonly (number | null)[]): number =>
  shape.reduce<number>((product, size) => product * (size ?? 1), 1);

/** A module's fields with their key parts; arrays and plain objects are looked into, unless they contain themselves. */
function* members(owner: object, above: readonly object[] = []): Generator<[name: string, value: unknown]> {
  for (const [field, value] of Object.entries(owner)) {
    if (value instanceof State) yield [partOf(owner, field), value];
    else if (value instanceof Module) yield [partOf(owner, field), present(value)];
    else if (isContainer(value) && !above.includes(value))
      for (const [name, inner] of members(value, [...above, value])) yield [join(partOf(owner, field), name), inner];
  }
}
/** Is it what modules look into for more of them? */
export const isContainer = (value: unknown): value is object =>
  Array.isArray(value) ||
  (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);
export const join = (path: string, name: string): string => (path && name ? `${path}.${name}` : path || name);
/** A field's part in keys: what its module says, or in arrays and plain objects its name. */
export const partOf = (owner: object, field: string): string =>
  owner instanceof Module ? owner.keyOf(field) : snakeCase(field);
const snakeCase = (name: string): string =>
  /^[A-Z]/.test(name)
    ? name
    : name.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a}_${b.toLowerCase()}`);
