/** The queue from the host to the workers. Everything that touches device memory goes through it, in order. */
import { control, opcodes, ringWords, type ToWorker } from './protocol';

/** Commands in order; `position` counts those queued, `done` those that are through. */
export interface Queue {
  readonly position: number;
  readonly done: number;
  /** Adds a command: opcode and the words behind its length. Seen by the workers after `publish`. */
  push(opcode: number, words: ArrayLike<number>): void;
  publish(): void;
  /** Queues a fence; its token comes back when all before it is done. */
  fence(token: number): void;
  /** A fence has come back. */
  passed(done: number): void;
}

/** Token of a fence that only reports progress. */
export const progress = 0;

/** Through the ring. What finds no room waits in a list; the host never blocks. */
export class RingQueue implements Queue {
  readonly #words: Int32Array;
  readonly #waiting: Int32Array[] = [];
  #head = 0;
  #sinceFence = 0;
  position = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  get done(): number {
    // The counter in memory has 32 bits; ours has all of them and is at most 2^31 ahead.
    return this.position - ((this.position - Atomics.load(this.#words, control.done)) | 0);
  }

  push(opcode: number, words: ArrayLike<number>): void {
    this.position++;
    if (this.#waiting.length > 0 || !this.#write(opcode, words)) {
      const command = new Int32Array(words.length + 1);
      command[0] = opcode;
      command.set(words, 1);
      this.#waiting.push(command);
    }
    this.#sinceFence += words.length + 2;
    // Fences tell the host that there is room again; without a reader nobody else would.
    if (this.#sinceFence > ringWords / 4) this.fence(progress);
  }

  publish(): void {
    Atomics.store(this.#words, control.head, this.#head);
    Atomics.notify(this.#words, control.head);
  }

  fence(token: number): void {
    this.#sinceFence = 0;
    this.push(opcodes.fence, [token, this.position + 1]);
    this.publish();
  }

  passed(): void {
    let sent = 0;
    for (const command of this.#waiting) {
      if (!this.#write(command[0] as number, command.subarray(1))) break;
      sent++;
    }
    if (sent === 0) return;
    this.#waiting.splice(0, sent);
    this.publish();
  }

  #write(opcode: number, words: ArrayLike<number>): boolean {
    const length = words.length + 2;
    const used = (this.#head - Atomics.load(this.#words, control.tail)) | 0;
    const place = this.#head & (ringWords - 1);
    const toEnd = ringWords - place;
    // Two words stay free, so that a skip always fits.
    const need = (length + 2 > toEnd ? toEnd : 0) + length + 2;
    if (need > ringWords - used) return false;
    let at = control.ring + place;
    if (length + 2 > toEnd) {
      this.#words[at] = opcodes.skip;
      this.#words[at + 1] = toEnd;
      this.#head = (this.#head + toEnd) | 0;
      at = control.ring;
    }
    this.#words[at] = opcode;
    this.#words[at + 1] = length;
    for (let i = 0; i < words.length; i++) this.#words[at + 2 + i] = words[i] as number;
    this.#head = (this.#head + length) | 0;
    return true;
  }
}

/** By messages to the only worker of an unshared memory. */
export class MessageQueue implements Queue {
  readonly #post: (message: ToWorker, transfer: ArrayBuffer[]) => void;
  #batch: number[] = [];
  position = 0;
  done = 0;

  constructor(post: (message: ToWorker, transfer: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  push(opcode: number, words: ArrayLike<number>): void {
    this.position++;
    this.#batch.push(opcode, words.length + 2);
    for (let i = 0; i < words.length; i++) this.#batch.push(words[i] as number);
  }

  publish(): void {
    if (this.#batch.length === 0) return;
    const words = new Int32Array(this.#batch);
    this.#batch = [];
    this.#post({ type: 'commands', words }, [words.buffer]);
  }

  fence(token: number): void {
    this.push(opcodes.fence, [token, this.position + 1]);
    this.publish();
  }

  passed(done: number): void {
    this.done = Math.max(this.done, done);
  }

  /** A message that keeps its place among the commands. */
  send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.publish();
    this.#post(message, transfer);
  }
}
