/** Doors for buffers: a GPUBuffer of the user's as a tensor, a tensor's values as a GPUBuffer. Nothing goes by way of the host. */
import { type DType, getBackend, ShapeError, type Tensor, type TensorLike } from '@tessera/tensor';
import { type Backend, BackendError, fromBuffer, toBuffer } from '@tessera/tensor/backend';
import { usage } from './device';
import type { GpuBuffer } from './memory';
import { WebgpuBackend } from './runtime';
import { storedBytes } from './stored';

export interface FromBufferOptions {
  readonly shape: readonly number[];
  /** float32 (4 bytes an element) by default; float16 2, int32 4, uint8 and bool 4 (a u32 each). */
  readonly dtype?: DType;
  /** Bytes before the first element, a multiple of 4. Default 0. */
  readonly offset?: number;
  /**
   * 'copy' (default): the buffer stays yours, and may change afterwards. 'take': no copy; from now on the tensor owns it, you no
   * longer write to it, and it is destroyed with the tensor.
   */
  readonly ownership?: 'copy' | 'take';
  /** The backend it comes to: one made by webgpu() on the buffer's device. Default: the chosen one. */
  readonly backend?: Backend;
}

/**
 * A tensor of the values in a GPUBuffer of the backend's device, row-major, as they are after all work submitted so far.
 * It wants the usage COPY_SRC; to be taken STORAGE and COPY_DST, too.
 * @throws ShapeError where the buffer is too small, BackendError where its usage or the backend does not fit
 */
export function fromGPUBuffer(
  buffer: GPUBuffer,
  { shape, dtype = 'float32', offset = 0, ownership = 'copy', backend }: FromBufferOptions,
): Tensor {
  const gpu = gpuBackend(backend, 'fromGPUBuffer');
  const size = shape.reduce((a, b) => a * b, 1);
  const bytes = storedBytes(dtype, size);
  wantRoom('fromGPUBuffer', { dtype, shape }, bytes, offset, buffer.size);
  if (!gpu.limits.dtypes.includes(dtype)) throw new BackendError(`fromGPUBuffer: this device stores no ${dtype}`);
  if (ownership === 'take') {
    wantUsage('fromGPUBuffer', buffer, usage.storage | usage.copySrc | usage.copyDst, 'STORAGE, COPY_SRC and COPY_DST');
    if (offset !== 0) throw new BackendError('fromGPUBuffer: a buffer with an offset cannot be taken; copy it');
    return fromBuffer(gpu, gpu.adopt(buffer), shape, dtype);
  }
  wantUsage('fromGPUBuffer', buffer, usage.copySrc, 'COPY_SRC');
  const target = gpu.allocateFresh(dtype, size);
  if (bytes > 0)
    gpu.commandsNow((encoder) =>
      encoder.copyBufferToBuffer(buffer, offset, target.region.gpu, target.region.offset, bytes),
    );
  return fromBuffer(gpu, target, shape, dtype);
}

export interface ToBufferOptions {
  /** A buffer of yours with COPY_DST; without it one is made, with STORAGE, VERTEX, COPY_SRC and COPY_DST. */
  readonly into?: GPUBuffer;
  /** Bytes before the first element, a multiple of 4. Default 0. */
  readonly offset?: number;
}

/**
 * The values of a tensor in a GPUBuffer that is yours: a copy on the device, row-major (bool and uint8 a u32 each). What you
 * submit to `backend.device.queue` once this has resolved finds them there.
 * @throws ShapeError where `into` is too small, BackendError where its usage or the backend does not fit
 */
export async function toGPUBuffer(x: TensorLike, { into, offset = 0 }: ToBufferOptions = {}): Promise<GPUBuffer> {
  const gpu = gpuBackend(undefined, 'toGPUBuffer');
  const { tensor, buffer, release } = toBuffer(gpu, x, 'toGPUBuffer');
  try {
    const bytes = storedBytes(tensor.dtype, tensor.size);
    if (into) wantUsage('toGPUBuffer', into, usage.copyDst, 'COPY_DST');
    wantRoom('toGPUBuffer', tensor, bytes, offset, into?.size ?? Number.POSITIVE_INFINITY);
    const flags = usage.storage | usage.vertex | usage.copySrc | usage.copyDst;
    const size = Math.max(4, offset + bytes);
    const target = into ?? gpu.device.createBuffer({ label: 'tessera out', size, usage: flags });
    const { region } = buffer as GpuBuffer;
    if (bytes > 0)
      await gpu.commands((encoder) => encoder.copyBufferToBuffer(region.gpu, region.offset, target, offset, bytes));
    return target;
  } finally {
    release();
  }
}

interface Sized {
  readonly shape: readonly (number | null)[];
  readonly dtype: DType;
}
function wantRoom(op: string, { dtype, shape }: Sized, bytes: number, offset: number, room: number): void {
  if (offset % 4 === 0 && offset + bytes <= room) return;
  throw new ShapeError(
    `${op}: ${dtype} [${shape}] takes ${bytes} bytes from offset ${offset}, the buffer has ${room}; offsets are multiples of 4, bool and uint8 take 4 bytes an element`,
  );
}
function wantUsage(op: string, buffer: GPUBuffer, wanted: number, names: string): void {
  if ((buffer.usage & wanted) === wanted) return;
  throw new BackendError(`${op}: the buffer ${buffer.label} has not the usage ${names}; add it where it is created`);
}

/** @throws BackendError where it is another backend */
export function gpuBackend(backend: Backend = getBackend(), op: string): WebgpuBackend {
  if (backend instanceof WebgpuBackend) return backend;
  throw new BackendError(
    `${op}: wants a backend made by webgpu(), the chosen one is ${backend.name}; setBackend(await webgpu())`,
  );
}
