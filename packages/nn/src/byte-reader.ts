/** Pieces of any length → runs of the lengths that are wanted. */
import { LoadError } from '@tessera/tensor';

/** Memory that is taken on a file's word. What is longer grows with the bytes that really come. */
const believed = 1 << 24;

export class ByteReader {
  /** Bytes that have come. */
  arrived = 0;
  #rest: Uint8Array = new Uint8Array(0);
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #saw: (piece: Uint8Array, arrived: number) => void;

  constructor(pieces: AsyncIterable<Uint8Array>, saw: (piece: Uint8Array, arrived: number) => void) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#saw = saw;
  }

  /** The next `length` bytes in memory of their own, aligned; fewer where the source ends. `certain`: it has so many. */
  async take(length: number, certain: boolean): Promise<Uint8Array> {
    let bytes: Uint8Array = allocate(certain ? length : Math.min(length, believed));
    let filled = 0;
    while (filled < length && (this.#rest.length > 0 || (await this.#next()))) {
      if (filled === bytes.length) {
        const wider = allocate(Math.min(length, 2 * filled));
        wider.set(bytes);
        bytes = wider;
      }
      const part = this.#rest.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes.subarray(0, filled);
  }

  /** Lets go of the source, also of one that is not read to its end. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #next(): Promise<boolean> {
    do {
      const { done, value } = await this.#pieces.next();
      if (done) return false;
      this.#rest = value;
    } while (this.#rest.length === 0);
    this.arrived += this.#rest.length;
    this.#saw(this.#rest, this.arrived);
    return true;
  }
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new LoadError(`loadSafetensors: ${length} bytes in one piece are more than there is memory for`, { cause });
  }
}
