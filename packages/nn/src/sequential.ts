/** Modules one after the other. */
import { ArgumentError, type Tensor, TesseraError } from '@tessera/tensor';
import { Module } from './module';

/**
 * y = layerₙ(… layer₁(layer₀(x))). Layers are the fields 0, 1, …, so keys begin with their place: '0.weight'. Errors name the
 * layer: `3 (Conv2d): conv2d: input has …`. torch.nn.Sequential @throws ArgumentError for what is no module.
 */
export class Sequential extends Module {
  readonly [index: number]: Module;
  readonly length: number;

  constructor(...layers: Module[]) {
    super();
    const odd = layers.findIndex((layer) => !(layer instanceof Module));
    if (odd >= 0)
      throw new ArgumentError(
        `Sequential: layer ${odd} is a ${typeof layers[odd]}, wants a module; wrap a function in a class with forward`,
      );
    Object.assign(this, layers);
    this.length = layers.length;
  }

  *[Symbol.iterator](): Generator<Module> {
    for (let i = 0; i < this.length; i++) yield this[i] as Module;
  }

  forward(x: Tensor): Tensor {
    let i = 0;
    for (const layer of this) {
      try {
        x = layer.forward(x);
      } catch (error) {
        throw atLayer(error, i, layer);
      }
      i++;
    }
    return x;
  }
}

/** Where in a model an error came from: put before its message once, longer with each model it passes on the way out. */
const paths = /* @__PURE__ */ new WeakMap<object, { readonly path: string; readonly message: string }>();

function atLayer(error: unknown, place: number, layer: Module): unknown {
  if (!(error instanceof TesseraError)) return error;
  const inner = paths.get(error);
  const path = inner ? `${place}.${inner.path}` : `${place} (${layer.constructor.name})`;
  const message = inner?.message ?? error.message;
  const outer = new (error.constructor as new (message: string, options: ErrorOptions) => TesseraError)(
    `${path}: ${message}`,
    { cause: inner ? error.cause : error },
  );
  paths.set(outer, { path, message });
  return outer;
}
