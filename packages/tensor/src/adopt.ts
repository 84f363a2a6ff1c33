/** Between tensors and device buffers, for the doors of a backend: what came in some other way becomes a tensor, and back. */
import type { Backend, DeviceBuffer } from './backend';
import { BackendError } from './errors';
import { flush } from './flush';
import type { DType } from './ir';
import { Storage } from './node';
import { getBackend } from './runtime';
import { fromSource, type Tensor, type TensorLike, toTensor } from './tensor';
import { sizeOf } from './view';

/** A tensor whose values are in this buffer; it owns the buffer, and frees it when it goes. */
export function fromBuffer(backend: Backend, buffer: DeviceBuffer, shape: readonly number[], dtype: DType): Tensor {
  const tensor = fromSource({ kind: 'meta' }, shape, dtype);
  tensor.node.source = null;
  tensor.node.values[0] = new Storage(backend, buffer, dtype, sizeOf(shape));
  return tensor;
}

/** A tensor's buffer, kept from being freed or written over until it is released. */
export interface Borrowed {
  readonly tensor: Tensor;
  readonly buffer: DeviceBuffer;
  release(): void;
}

/**
 * The buffer that the tensor's values are in, row-major; runs what is pending. It stays the tensor's.
 * @throws BackendError where another backend is chosen, or its values live on another
 */
export function toBuffer(backend: Backend, like: TensorLike, op: string): Borrowed {
  if (getBackend() !== backend)
    throw new BackendError(
      `${op}: the chosen backend is ${getBackend().name}, not the one that this is for; setBackend() first, and move the tensor with to(t, backend)`,
    );
  const tensor = toTensor(like, op);
  if (!tensor.node.values[tensor.output]) flush([tensor]);
  const held = (tensor.node.values[tensor.output] as Storage).share();
  return { tensor, buffer: held.on(backend), release: () => held.free() };
}
