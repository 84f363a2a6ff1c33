/** Floats to and from textures: rows are as they lie in memory, so each way is one or two calls. */
import { BackendError } from '@tessera/tensor/backend';
import type { Device } from './device';
import { bitsOf, hostOf, texelsOf } from './layout';
import type { Texture } from './memory';

type Context = Pick<Device, 'gl' | 'format'>;

/** The rectangles that hold the first texels of a texture: full rows, and what is left of one. */
function rectangles(texture: Texture, texels: number): { y: number; columns: number; rows: number; first: number }[] {
  const width = 2 ** bitsOf(texture);
  const [rows, rest] = [Math.floor(texels / width), texels % width];
  return [
    ...(rows ? [{ y: 0, columns: width, rows, first: 0 }] : []),
    ...(rest ? [{ y: rows, columns: rest, rows: 1, first: rows * width * 4 }] : []),
  ];
}

/** Writes the first `size` elements; where they end within a texel, its other elements stay as they are. */
export function writeFloats(
  { gl, format }: Context,
  to: Texture,
  floats: Float32Array,
  size: number,
  keepRest = false,
): void {
  if (size === 0) return;
  const texels = texelsOf(size);
  let padded = floats.length >= texels * 4 ? floats : new Float32Array(texels * 4);
  if (padded !== floats) padded.set(floats);
  if (keepRest && size % 4 !== 0) {
    const old = readFloats({ gl, format }, to, texels * 4, texels - 1);
    if (padded === floats) padded = floats.slice();
    for (let i = size; i < texels * 4; i++) copyBits(old, i % 4, padded, i);
  }
  gl.bindTexture(gl.TEXTURE_2D, to.texture);
  for (const { y, columns, rows, first } of rectangles(to, texels)) {
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, y, columns, rows, format.format, format.type, hostOf(format, padded), first);
  }
}

/** One float, though it be no number: an assignment might change a NaN's bits. */
function copyBits(from: Float32Array, i: number, to: Float32Array, j: number): void {
  new Uint32Array(to.buffer, to.byteOffset)[j] = new Uint32Array(from.buffer, from.byteOffset)[i] as number;
}

/** The first `size` elements, waiting for them; or those from texel `from` on. */
export function readFloats({ gl, format }: Context, texture: Texture, size: number, from = 0): Float32Array {
  const texels = texelsOf(size);
  gl.bindFramebuffer(gl.FRAMEBUFFER, texture.framebuffer);
  if (from > 0) {
    const one = new Float32Array(4);
    const width = 2 ** bitsOf(texture);
    gl.readPixels(from % width, Math.floor(from / width), 1, 1, format.format, format.type, hostOf(format, one));
    return one;
  }
  const floats = new Float32Array(texels * 4);
  for (const { y, columns, rows, first } of rectangles(texture, texels)) {
    gl.readPixels(0, y, columns, rows, format.format, format.type, hostOf(format, floats), first);
  }
  return floats;
}

/** Reads on their way: copied into buffers of the device in order with the work, fetched when a fence says that they are there. */
export class Reads {
  readonly #device: Context;
  readonly #rejects = new Set<(error: BackendError) => void>();
  readonly #polls = new Set<() => void>();
  readonly #channel = new MessageChannel();
  #polling = false;
  /** When the first of those that wait was asked for. */
  #since = 0;

  constructor(device: Context) {
    this.#device = device;
    this.#channel.port1.onmessage = () => this.#poll();
  }

  /** The first `size` elements as they are after all work so far. */
  read(texture: Texture, size: number): Promise<Float32Array> {
    const { gl, format } = this.#device;
    const texels = texelsOf(size);
    const staging = gl.createBuffer(); // one that was used before is slower: browsers copy ahead what they were read
    gl.bindFramebuffer(gl.FRAMEBUFFER, texture.framebuffer);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, staging);
    gl.bufferData(gl.PIXEL_PACK_BUFFER, texels * 16, gl.STREAM_READ);
    for (const { y, columns, rows, first } of rectangles(texture, texels)) {
      gl.readPixels(0, y, columns, rows, format.format, format.type, first * 4);
    }
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    return this.done().then(() => {
      const floats = new Float32Array(texels * 4);
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, staging);
      gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, floats);
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
      gl.deleteBuffer(staging);
      return floats;
    });
  }

  /** Resolves when all work so far is through, rejects with the backend's failure. */
  done(): Promise<void> {
    const { gl } = this.#device;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    return new Promise((resolve, reject) => {
      const failed = (error: BackendError) => {
        this.#rejects.delete(failed);
        this.#polls.delete(poll);
        reject(error);
      };
      const poll = () => {
        if (gl.isContextLost()) return; // its event rejects
        const status = fence ? gl.clientWaitSync(fence, 0, 0) : gl.WAIT_FAILED;
        if (status === gl.TIMEOUT_EXPIRED) return;
        gl.deleteSync(fence);
        if (status === gl.WAIT_FAILED)
          failed(new BackendError('webgl: the device does not tell when its work is done'));
        else {
          this.#rejects.delete(failed);
          this.#polls.delete(poll);
          resolve();
        }
      };
      this.#rejects.add(failed);
      if (this.#polls.size === 0) this.#since = performance.now();
      this.#polls.add(poll);
      this.#next();
    });
  }

  fail(error: BackendError): void {
    for (const reject of [...this.#rejects]) reject(error);
    this.#polls.clear();
  }

  dispose(): void {
    this.#channel.port1.close();
  }

  /**
   * When to look again: at each turn of the event loop at first, then after a millisecond, or an eighth of the time waited so
   * far. Looking at every turn keeps a core busy, which an emulator would draw with, and the browser's queue to the device.
   */
  #next(): void {
    if (this.#polling || this.#polls.size === 0) return;
    this.#polling = true;
    const waited = performance.now() - this.#since;
    if (waited < 0.3) this.#channel.port2.postMessage(0);
    else later(() => this.#poll(), Math.min(16, Math.max(1, waited / 8)));
  }

  #poll(): void {
    this.#polling = false;
    for (const poll of [...this.#polls]) poll();
    this.#next();
  }
}

/** After so many milliseconds: timers wait for four at least once they nest, tasks of the scheduler do not. */
function later(run: () => void, delay: number): void {
  const { scheduler } = globalThis as { scheduler?: { postTask?(run: () => void, options: object): Promise<void> } };
  if (scheduler?.postTask) void scheduler.postTask(run, { delay, priority: 'user-blocking' });
  else setTimeout(run, delay);
}
