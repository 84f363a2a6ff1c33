/**
 * Textures. A freed one is kept and handed out again for the same size: work is done in the order it was submitted, so
 * whatever is drawn to it later comes behind what still reads it. Sizes are rounded up by an eighth at most.
 */
import { BackendError, type DeviceBuffer, type DType, type MemoryUse } from '@tessera/tensor/backend';
import type { Device } from './device';
import { extentOf, texelsOf } from './layout';

export interface Extent {
  readonly columns: number;
  readonly rows: number;
  /** More than one: an array of textures, which one draw writes together. */
  readonly layers: number;
}
export interface Texture extends Extent {
  readonly texture: WebGLTexture;
  /** It alone as a target, with all its layers. */
  readonly framebuffer: WebGLFramebuffer;
}
export const bytesOf = ({ columns, rows, layers }: Extent): number => columns * rows * layers * 16;
const keyOf = ({ columns, rows, layers }: Extent): string => `${columns}x${rows}x${layers}`;

export class GlBuffer implements DeviceBuffer {
  readonly bytes: number;
  readonly memory: Memory;
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  /** Another one after a kernel wrote it in place. */
  texture: Texture;
  live = true;
  /** What was uploaded, as it lies in the texture, as long as nothing else was written. */
  kept: Float32Array | null = null;
  /** Did its values go with a lost context? */
  lost = false;

  constructor(memory: Memory, dtype: DType, size: number, texture: Texture) {
    this.memory = memory;
    this.dtype = dtype;
    this.size = size;
    this.texture = texture;
    this.bytes = bytesOf(texture);
  }
}

/** Of textures that were made, so many bytes at most are not known to be there; before a read all are. */
const sure = 2 ** 20;

/** Freed textures are kept up to the highest use so far, and this much in any case; beyond, the longest unused go. */
const leastKept = 64 * 2 ** 20;

export class Memory {
  /** Textures made so far. */
  made = 0;
  #device: Device;
  readonly #live = new Set<GlBuffer>();
  readonly #all = new Set<Texture>();
  /** By their extents; the last freed is the first handed out. */
  readonly #kept = new Map<string, Texture[]>();
  /** All of them, in the order they were freed, as they also stand in their lists. */
  readonly #unused = new Set<Texture>();
  #bytes = 0;
  #keptBytes = 0;
  #taken = 0;
  #peak = 0;
  /** The most that was taken at once, by kernels too. */
  #most = leastKept;
  /** Bytes made since `check`. */
  #unsure = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  get buffers(): ReadonlySet<GlBuffer> {
    return this.#live;
  }

  /** On another context: each buffer gets a texture of its size there, with no values. */
  renew(device: Device): void {
    this.#device = device;
    this.#all.clear();
    this.#kept.clear();
    this.#unused.clear();
    this.#keptBytes = this.#taken = this.#unsure = 0;
    for (const buffer of this.#live) buffer.texture = this.takeLike(buffer.texture, `${buffer.dtype}[${buffer.size}]`);
  }

  /** @throws BackendError where the elements fit no texture, or there is no memory */
  allocate(dtype: DType, size: number): GlBuffer {
    const buffer = new GlBuffer(this, dtype, size, this.take(size, `${dtype}[${size}]`));
    this.#live.add(buffer);
    this.#bytes += buffer.bytes;
    this.#peak = Math.max(this.#peak, this.#bytes);
    return buffer;
  }

  free(buffer: GlBuffer): void {
    if (!this.#live.delete(buffer)) throw new BackendError('webgl: this buffer was freed before');
    buffer.live = false;
    buffer.kept = null;
    this.#bytes -= buffer.bytes;
    this.release(buffer.texture);
  }

  /** A texture that holds so many elements, in each of its layers; contents are undefined. */
  take(size: number, what: string, layers = 1): Texture {
    const { side } = this.#device;
    const [columns, rows] = roundUp(extentOf(texelsOf(size), side), side);
    if (rows > side) {
      throw new BackendError(
        `webgl: ${what} needs a texture of ${columns} × ${rows}, this device makes ${side} rows at most; use a smaller batch`,
      );
    }
    return this.takeLike({ columns, rows, layers }, what);
  }

  takeLike(extent: Extent, what: string): Texture {
    const kept = this.#kept.get(keyOf(extent))?.pop();
    if (kept) {
      this.#unused.delete(kept);
      this.#keptBytes -= bytesOf(kept);
    }
    const texture = kept ?? this.#create(extent, what);
    this.#taken += bytesOf(texture);
    this.#most = Math.max(this.#most, this.#taken);
    return texture;
  }

  release(texture: Texture): void {
    this.#taken -= bytesOf(texture);
    this.#keptBytes += bytesOf(texture);
    const key = keyOf(texture);
    const kept = this.#kept.get(key) ?? [];
    kept.push(texture);
    this.#kept.set(key, kept);
    this.#unused.add(texture);
    for (const oldest of this.#unused) {
      if (this.#keptBytes <= this.#most) break;
      this.#kept.get(keyOf(oldest))?.shift();
      this.#unused.delete(oldest);
      this.#keptBytes -= bytesOf(oldest);
      this.#delete(oldest);
    }
  }

  use(): MemoryUse {
    return { bytes: this.#bytes, buffers: this.#live.size, reserved: this.#taken + this.#keptBytes, peak: this.#peak };
  }

  dispose(): void {
    for (const texture of [...this.#all]) this.#delete(texture);
    this.#live.clear();
    this.#kept.clear();
    this.#unused.clear();
    this.#bytes = this.#keptBytes = this.#taken = 0;
  }

  #create({ columns, rows, layers }: Extent, what: string): Texture {
    const { gl, format } = this.#device;
    const target = layers > 1 ? gl.TEXTURE_2D_ARRAY : gl.TEXTURE_2D;
    const texture = gl.createTexture();
    gl.bindTexture(target, texture);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, filter, gl.NEAREST);
    if (layers > 1) gl.texStorage3D(target, 1, format.internal, columns, rows, layers);
    else gl.texStorage2D(target, 1, format.internal, columns, rows);
    const framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    if (layers > 1) {
      const attachments = Array.from({ length: layers }, (_, layer) => gl.COLOR_ATTACHMENT0 + layer);
      for (const [layer, at] of attachments.entries())
        gl.framebufferTextureLayer(gl.FRAMEBUFFER, at, texture, 0, layer);
      gl.drawBuffers(attachments);
    } else gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, target, texture, 0);
    const made = { texture, framebuffer, columns, rows, layers };
    this.#unsure += bytesOf(made);
    try {
      if (this.#unsure >= sure) this.check(what);
    } catch (cause) {
      gl.deleteTexture(texture);
      gl.deleteFramebuffer(framebuffer);
      throw cause;
    }
    this.made++;
    this.#all.add(made);
    return made;
  }

  /**
   * Was there memory for the textures that were made since it was last asked? The answer waits for all that was handed over.
   * @throws BackendError
   */
  check(what: string): void {
    const { gl } = this.#device;
    if (this.#unsure === 0 || gl.isContextLost()) return;
    const made = this.#unsure;
    this.#unsure = 0;
    for (let error = gl.getError(); error !== gl.NO_ERROR; error = gl.getError()) {
      if (error !== gl.OUT_OF_MEMORY) continue;
      const { bytes, reserved } = this.use();
      throw new BackendError(
        `webgl: out of memory for ${what}, in textures of ${made} bytes, beside ${bytes} in use and ${reserved - bytes} kept; use a smaller batch, or free tensors with using or dispose()`,
      );
    }
  }

  #delete(texture: Texture): void {
    this.#all.delete(texture);
    const { gl } = this.#device;
    gl.deleteFramebuffer(texture.framebuffer);
    gl.deleteTexture(texture.texture);
  }
}

/** Up to a multiple of an eighth of the power of two below it. */
function roundUp([columns, rows]: [number, number], most: number): [number, number] {
  const round = (count: number) => {
    const step = Math.max(1, 2 ** (Math.floor(Math.log2(Math.max(1, count))) - 3));
    return Math.ceil(count / step) * step;
  };
  if (rows === 1) return [Math.max(4, round(columns)), 1];
  return [columns, rows > most ? rows : Math.min(most, round(rows))];
}
