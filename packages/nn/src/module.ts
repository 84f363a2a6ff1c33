/**
 * Module: layers and models. A module is its fields: parameters, buffers and submodules are found by walking them, so there
 * is nothing to register, and TypeScript knows them all.
 */
import { guard, State, type Tensor } from '@tessera/tensor';
import { type LoadOptions, type LoadReport, loadInto, type StateDict } from './state-dict';

/** A state cell that trains. torch.nn.Parameter */
export class Parameter extends State {
  readonly trains = true;
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
  #training = true;

  abstract forward(...inputs: Inputs): Output;

  /** Training or evaluating; a compiled function that asks traces anew when it changes. */
  get training(): boolean {
    return guard(() => this.#training);
  }
  /** Sets the mode of this module and of all in it. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.#training = mode;
    return this;
  }
  /** `train(false)`: running statistics instead of the batch's, no dropout. */
  eval(): this {
    return this.train(false);
  }

  /** This module as '' and every module in it by its path, each once, outer ones first. */
  namedModules(): [path: string, module: Module<never, unknown>][] {
    const found = new Map<Module<never, unknown>, string>();
    const visit = (module: Module<never, unknown>, path: string): void => {
      if (found.has(module)) return;
      found.set(module, path);
      for (const [name, value] of members(module)) if (value instanceof Module) visit(value, join(path, name));
    };
    visit(this, '');
    return [...found].map(([module, path]) => [path, module]);
  }

  /** Parameters by key ('0.weight'), each once, in PyTorch's order. */
  namedParameters(): [key: string, parameter: Parameter][] {
    return this.#named(Parameter);
  }
  /** Buffers by key ('1.running_mean'), each once. */
  namedBuffers(): [key: string, buffer: Buffer][] {
    return this.#named(Buffer);
  }
  /** What an optimizer takes, and what to differentiate by. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }
  #named<T extends State>(kind: new (initial: Tensor) => T): [string, T][] {
    const found = new Map<T, string>();
    for (const [path, module] of this.namedModules())
      for (const [name, value] of members(module))
        if (value instanceof kind && !found.has(value)) found.set(value, join(path, name));
    return [...found].map(([state, key]) => [key, state]);
  }

  /** Parameters and buffers by key, a shared one under each of its keys: what `saveSafetensors` takes. */
  stateDict(): Map<string, Parameter | Buffer> {
    const found = new Map<string, Parameter | Buffer>();
    const visit = (module: Module<never, unknown>, path: string, above: readonly unknown[]): void => {
      if (above.includes(module)) return;
      const own = [...members(module)];
      for (const kind of [Parameter, Buffer])
        for (const [name, value] of own) if (value instanceof kind) found.set(join(path, name), value);
      for (const [name, value] of own) if (value instanceof Module) visit(value, join(path, name), [...above, module]);
    };
    visit(this, '', []);
    return found;
  }

  /**
   * Assigns the values of a file or of another model, cast to the dtypes here.
   * @throws LoadError that lists every key which is missing, not wanted, or of another shape; nothing is assigned then.
   *   With `strict: false` missing and unwanted keys are no fault, but reported.
   */
  loadStateDict(given: StateDict, options: LoadOptions = {}): LoadReport {
    return loadInto(this.constructor.name, this.stateDict(), given, options);
  }
}

/** Elements of a shape, an unknown size counting 1. */
export const countOf = (shape: readonly (number | null)[]): number =>
  shape.reduce<number>((product, size) => product * (size ?? 1), 1);

/** A module's fields with their key parts; arrays and plain objects are looked into, unless they contain themselves. */
function* members(owner: object, above: readonly object[] = []): Generator<[name: string, value: unknown]> {
  for (const [field, value] of Object.entries(owner)) {
    if (value instanceof State || value instanceof Module) yield [snakeCase(field), value];
    else if (isContainer(value) && !above.includes(value))
      for (const [name, inner] of members(value, [...above, value])) yield [join(snakeCase(field), name), inner];
  }
}
const isContainer = (value: unknown): value is object =>
  Array.isArray(value) ||
  (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);
const join = (path: string, name: string): string => (path ? `${path}.${name}` : name);
const snakeCase = (name: string): string =>
  /^[A-Z]/.test(name)
    ? name
    : name.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a}_${b.toLowerCase()}`);
