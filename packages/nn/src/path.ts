/** Where in a model an error came from. */
import { TesseraError } from '@tessera/tensor';
import type { Module } from './module';

/** Put before an error's message once, longer with each model it passes on the way out. */
const paths = /* @__PURE__ */ new WeakMap<object, { readonly path: string; readonly message: string }>();

/** The error of a layer, with the layer's name in its model before the message: `3 (Conv2d): conv2d: input has …`. */
export function atLayer(error: unknown, place: string | number, layer: Module<never, unknown>): unknown {
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
