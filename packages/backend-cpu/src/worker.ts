/** A worker: runs the commands of the host, with the others over one shared memory or alone over its own. */
import { openPort } from './port';
import { control, type FromWorker, fillLowPage, opcodes, ringWords, type Start, type ToWorker } from './protocol';

type Phase = (args: number, lo: number, hi: number) => void;
interface Loaded {
  readonly phases: readonly { readonly run: Phase; readonly chunks: number }[];
  readonly scratchWord: number;
}

// A job takes a few µs and a worker that sleeps needs 50 to wake: look this often before sleeping (about 10 µs). Longer
// looking takes the core from the host, which prepares the next plan.
const spins = 1500;
// Into how many pieces a worker's share of what is left is cut: large pieces first, which keep neighbours together, and ever
// smaller ones, so that all end at the same time.
const piecesPerWorker = 4;

class Runner {
  readonly #memory: WebAssembly.Memory;
  readonly #control: Int32Array;
  readonly #index: number;
  readonly #threads: number;
  readonly #post: (message: FromWorker) => void;
  readonly #kernels = new Map<number, Loaded>();
  #view: Int32Array;
  #args = 0;
  #scratch = 0;
  #timings: number[] | null = null;
  /** Has the first worker done phases by itself since all last met? */
  #alone = false;

  constructor(start: Start, memory: WebAssembly.Memory, post: (message: FromWorker) => void) {
    this.#memory = memory;
    this.#control = new Int32Array(start.control ?? new ArrayBuffer(4 * control.ring));
    this.#index = start.index;
    this.#threads = start.threads;
    this.#post = post;
    this.#view = new Int32Array(memory.buffer);
  }

  /** Follows the ring; does not return. */
  follow(): never {
    const words = this.#control;
    let tail = 0;
    let done = 0;
    for (;;) {
      const head = this.#awaitHead(tail);
      while (tail !== head) {
        const at = control.ring + (tail & (ringWords - 1));
        const opcode = words[at] as number;
        const length = words[at + 1] as number;
        this.execute(words, at);
        tail = (tail + length) | 0;
        if (opcode !== opcodes.skip) done = (done + 1) | 0;
        // Behind the barrier of a job or a fence every worker has read this far.
        if (this.#index === 0 && !this.#alone && (opcode === opcodes.job || opcode === opcodes.fence)) {
          Atomics.store(words, control.done, done);
          Atomics.store(words, control.tail, tail);
        }
      }
    }
  }

  #awaitHead(tail: number): number {
    const words = this.#control;
    for (let i = 0; i < spins; i++) {
      const head = Atomics.load(words, control.head);
      if (head !== tail) return head;
    }
    for (;;) {
      const head = Atomics.load(words, control.head);
      if (head !== tail) return head;
      Atomics.wait(words, control.head, tail);
    }
  }

  /** One command, `at` its opcode. */
  execute(words: Int32Array, at: number): void {
    const word = (i: number) => words[at + i] as number;
    switch (word(0)) {
      case opcodes.skip:
        return;
      case opcodes.job:
        this.#job(words, at);
        return;
      case opcodes.kernel:
        this.#load(words, at);
        return;
      case opcodes.drop:
        this.#kernels.delete(word(2));
        return;
      case opcodes.scratch:
        this.#args = (word(2) >>> 0) + this.#index * word(3);
        this.#scratch = (this.#args + word(4)) | 0;
        this.grown();
        return;
      case opcodes.fence:
        this.#barrier();
        if (this.#index !== 0) return;
        this.#deliverTimings();
        this.#post({ type: 'fence', token: word(2), done: word(3) });
        return;
      case opcodes.timing:
        if (this.#index === 0) this.#timings = word(2) ? [] : null;
        return;
      default:
        throw new Error(`unknown command ${word(0)}`);
    }
  }

  /** Takes a new view: the old one ends at the old size, or nowhere. */
  grown(): void {
    this.#view = new Int32Array(this.#memory.buffer);
  }

  #load(words: Int32Array, at: number): void {
    const [id, address, size, names, scratchWord] = words.subarray(at + 2, at + 7) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    // Copied: neither a module nor a decoder takes bytes of a shared memory.
    const bytes = new Uint8Array(this.#memory.buffer, address >>> 0, size + names).slice();
    const module = new WebAssembly.Module(bytes.subarray(0, size));
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    const phases = new TextDecoder()
      .decode(bytes.subarray(size))
      .split('\n')
      .map((name, i) => ({ run: exports[name] as Phase, chunks: words[at + 7 + i] as number }));
    this.#kernels.set(id, { phases, scratchWord });
    this.#barrier(); // behind it nobody reads the bytes any more, and their block may be written again
  }

  #job(words: Int32Array, at: number): void {
    const id = words[at + 2] as number;
    const kernel = this.#kernels.get(id);
    if (!kernel) throw new Error(`kernel ${id} was not loaded`);
    const started = this.#timings ? performance.now() : 0;
    const view = this.#view;
    const args = this.#args;
    const count = (words[at + 1] as number) - 3;
    const base = args >>> 2;
    for (let i = 0; i < count; i++) view[base + i] = words[at + 3 + i] as number;
    view[base + kernel.scratchWord] = this.#scratch;
    for (const { run, chunks } of kernel.phases) {
      if (chunks > 1) {
        if (this.#alone) this.#barrier();
        this.#share(run, chunks);
        this.#barrier();
      } else {
        // Small work is the first worker's, one after the other; the others go on to where there is some for them.
        if (this.#index === 0 && chunks === 1) run(args | 0, 0, 1);
        this.#alone = this.#threads > 1;
      }
    }
    if (this.#timings) {
      this.#timings.push(id, performance.now() - started);
      if (this.#timings.length > 1000) this.#deliverTimings();
    }
  }

  #share(run: Phase, chunks: number): void {
    const args = this.#args | 0;
    if (this.#threads === 1) {
      if (chunks > 0) run(args, 0, chunks);
      return;
    }
    for (;;) {
      const left = chunks - Atomics.load(this.#control, control.chunk);
      const piece = Math.max(1, Math.floor(left / (this.#threads * piecesPerWorker)));
      const lo = Atomics.add(this.#control, control.chunk, piece);
      if (lo >= chunks) return;
      run(args, lo, Math.min(lo + piece, chunks));
    }
  }

  /** All workers meet; the last to come sets the chunk counter back and opens. */
  #barrier(): void {
    this.#alone = false;
    if (this.#threads === 1) return;
    const words = this.#control;
    const generation = Atomics.load(words, control.generation);
    if (Atomics.add(words, control.arrived, 1) === this.#threads - 1) {
      Atomics.store(words, control.arrived, 0);
      Atomics.store(words, control.chunk, 0);
      Atomics.store(words, control.generation, (generation + 1) | 0);
      if (Atomics.load(words, control.sleepers) > 0) Atomics.notify(words, control.generation);
      return;
    }
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(words, control.generation) !== generation) return;
    }
    Atomics.add(words, control.sleepers, 1);
    while (Atomics.load(words, control.generation) === generation) {
      Atomics.wait(words, control.generation, generation);
    }
    Atomics.sub(words, control.sleepers, 1);
  }

  #deliverTimings(): void {
    if (!this.#timings?.length) return;
    this.#post({ type: 'timings', timings: new Float64Array(this.#timings) });
    this.#timings.length = 0;
  }
}

const port = openPort();
let runner: Runner | null = null;
let memory: WebAssembly.Memory | null = null;

function receive(message: ToWorker): void {
  switch (message.type) {
    case 'start':
      memory = message.memory ?? new WebAssembly.Memory({ initial: 1 });
      if (!message.memory) fillLowPage(memory);
      runner = new Runner(message, memory, (answer) => port.postMessage(answer));
      port.postMessage({ type: 'ready' });
      if (message.control) runner.follow();
      return;
    case 'commands':
      for (let at = 0; at < message.words.length; at += message.words[at + 1] as number) {
        runner?.execute(message.words, at);
      }
      return;
    case 'grow':
      memory?.grow(message.pages);
      runner?.grown();
      return;
    case 'write':
      new Uint8Array((memory as WebAssembly.Memory).buffer).set(message.bytes, message.address);
      return;
    case 'read': {
      const bytes = new Uint8Array((memory as WebAssembly.Memory).buffer).slice(
        message.address,
        message.address + message.bytes,
      ) as Uint8Array<ArrayBuffer>;
      port.postMessage({ type: 'data', token: message.token, bytes }, [bytes.buffer]);
    }
  }
}

port.listen(receive);
