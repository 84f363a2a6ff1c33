/** Modules one after the other, and modules in a list. */
import { ArgumentError, runtime, type Tensor } from '@tessera/tensor';
import { Module } from './module';
import { atLayer } from './path';
import type { Chain, Fitting, shapes } from './types';

/**
 * y = layerₙ(… layer₁(layer₀(x))). Layers are the fields 0, 1, …, so keys begin with their place: '0.weight'; or, from an
 * object, fields of those names: `new Sequential({ conv1: …, norm1: … })` has 'conv1.weight'. Errors name the layer:
 * `3 (Conv2d): conv2d: input has …`. Layers in a row of which types know that they do not fit do not compile, in these words.
 * torch.nn.Sequential
 * @throws ArgumentError for what is no module, and for a name that a module has already.
 */
export class Sequential<Layers extends readonly Module[] = readonly Module[]> extends Module {
  declare readonly [shapes]: Chain<Layers>;
  readonly [index: number]: Module;
  readonly length: number;
  /** The fields that hold the layers, in order: '0', '1', … or the names given. */
  readonly names: readonly string[];

  constructor(...layers: Fitting<Layers>);
  constructor(layers: Readonly<Record<string, Module>>);
  constructor(...layers: Module[] | [layers: Readonly<Record<string, Module>>]) {
    super();
    const [first] = layers;
    const named = layers.length === 1 && isPlain(first) ? first : null;
    const entries = Object.entries(named ?? (layers as Module[]));
    for (const [name, layer] of entries) {
      if (!(layer instanceof Module))
        throw new ArgumentError(
          `Sequential: layer ${name} is a ${typeof layer}, wants a module; wrap a function in a class with forward`,
        );
      if (name in this || name === 'length' || name === 'names')
        throw new ArgumentError(`Sequential: a layer cannot be named '${name}', which every model has; rename it`);
    }
    Object.assign(this, Object.fromEntries(entries));
    this.length = entries.length;
    this.names = entries.map(([name]) => name);
  }

  /** The layer of this name or place. @throws ArgumentError where there is none. */
  get(name: string | number): Module {
    if (!this.names.includes(String(name)))
      throw new ArgumentError(`Sequential: no layer '${name}'; there are ${this.names.join(', ')}`);
    return (this as unknown as Record<string, Module>)[name] as Module;
  }

  *[Symbol.iterator](): Generator<Module> {
    for (const name of this.names) yield this.get(name);
  }

  forward(x: Tensor): Tensor {
    const outer = runtime.layer;
    try {
      for (const name of this.names) {
        const layer = this.get(name);
        // what fails only when it runs (out of memory, a dtype the backend lacks) names the layer, too
        runtime.layer = outer === null ? name : `${outer}.${name}`;
        try {
          x = layer.forward(x);
        } catch (error) {
          throw atLayer(error, name, layer);
        }
      }
      return x;
    } finally {
      runtime.layer = outer;
    }
  }
}
const isPlain = (value: unknown): value is Readonly<Record<string, Module>> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/**
 * Modules by place, for a `forward` of one's own to go through. A plain array in a field has the same keys ('blocks.0.weight').
 * torch.nn.ModuleList @throws forward: ArgumentError, it has no order of its own.
 */
export class ModuleList<M extends Module<never, unknown> = Module> extends Module<[], never> {
  readonly [index: number]: M;
  length: number;

  constructor(modules: readonly M[] = []) {
    super();
    this.length = modules.length;
    Object.assign(this, modules);
  }
  append(module: M): this {
    Object.assign(this, { [this.length]: module });
    this.length++;
    return this;
  }
  *[Symbol.iterator](): Generator<M> {
    for (let i = 0; i < this.length; i++) yield this[i] as M;
  }
  forward(): never {
    throw new ArgumentError('ModuleList: a list has no forward; go through it yourself, or make it a Sequential');
  }
}
