/** From kernel to executable: the one switch over the kinds, and what is kept of the results. */
import { BackendError, type Executable, type Kernel } from '@tessera/tensor/backend';
import { type CpuKernel, i32, type Local, loop, Module, memory, select, set, type Target } from './assembler';
import { conv } from './kernels/conv';
import { map } from './kernels/map';
import { matmul } from './kernels/matmul';
import { pool } from './kernels/pool';
import { reduce } from './kernels/reduce';
import { scan } from './kernels/scan';
import { scatter } from './kernels/scatter';
import { sort } from './kernels/sort';

/**
 * Version of what is chosen below `generate` (algorithms, tiles, the order of sums): one more with each change that can turn a
 * bit of a result. Whoever keeps a training to go on with later keeps it, too: `info().algorithms`.
 */
export const algorithms = 2;

function generate(kernel: Kernel, target: Target): CpuKernel {
  switch (kernel.kind) {
    case 'map':
      return map(kernel, target);
    case 'reduce':
      return reduce(kernel, target);
    case 'matmul':
      return matmul(kernel, target);
    case 'conv':
      return conv(kernel, target);
    case 'pool':
      return pool(kernel, target);
    case 'scatter':
      return scatter(kernel, target);
    case 'sort':
      return sort(kernel, target);
    case 'scan':
      return scan(kernel, target);
    case 'custom':
      throw new BackendError(`cpu: ${kernel.name} is code for ${kernel.backend}; choose that backend`);
    default:
      return kernel satisfies never;
  }
}

/** A kernel's code, and whether the workers have it. */
export class CpuExecutable implements Executable {
  readonly id: number;
  readonly kernel: Kernel;
  readonly code: CpuKernel;
  /** The word of `args` that takes the worker's own scratch. */
  readonly scratchWord: number;
  loaded = false;

  constructor(id: number, kernel: Kernel, code: CpuKernel) {
    this.id = id;
    this.kernel = kernel;
    this.code = code;
    this.scratchWord = kernel.inputs.length + kernel.outputs.length + 1;
  }
}

// Bounds of what is kept: executables by structure here, modules in each worker (V8 shares the machine code of equal ones).
const mostExecutables = 4096;
const mostLoadedBytes = 16 * 2 ** 20;

export class Compiler {
  readonly #target: Target;
  readonly #byKernel = new WeakMap<Kernel, CpuExecutable>();
  /** Least recently used first, as is `#loaded`. */
  readonly #byStructure = new Map<string, CpuExecutable>();
  readonly #loaded = new Map<number, CpuExecutable>();
  #loadedBytes = 0;
  #nextId = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  compile(kernel: Kernel): CpuExecutable {
    const known = this.#byKernel.get(kernel);
    if (known) return known;
    const key = structureKey(kernel);
    let executable = this.#byStructure.get(key);
    if (executable) this.#byStructure.delete(key);
    else executable = new CpuExecutable(this.#nextId++, kernel, this.#generate(kernel));
    this.#byStructure.set(key, executable);
    if (this.#byStructure.size > mostExecutables) {
      for (const oldest of this.#byStructure.keys()) {
        this.#byStructure.delete(oldest);
        break;
      }
    }
    this.#byKernel.set(kernel, executable);
    return executable;
  }

  #generate(kernel: Kernel): CpuKernel {
    try {
      return generate(kernel, this.#target);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError(`cpu: a ${kernel.kind} kernel could not be compiled: ${reason}`, { cause });
    }
  }

  /** A kernel of the backend's own. */
  internal(make: (target: Target) => { kernel: Kernel; code: CpuKernel }): CpuExecutable {
    const { kernel, code } = make(this.#target);
    return new CpuExecutable(this.#nextId++, kernel, code);
  }

  /** The executable is about to run: says which others the workers are to forget, least recently used first. */
  use(executable: CpuExecutable): number[] {
    const dropped: number[] = [];
    if (this.#loaded.delete(executable.id)) {
      this.#loaded.set(executable.id, executable);
      return dropped;
    }
    this.#loaded.set(executable.id, executable);
    this.#loadedBytes += executable.code.bytes.length;
    for (const [id, old] of this.#loaded) {
      if (this.#loadedBytes <= mostLoadedBytes || old === executable) break;
      this.#loaded.delete(id);
      this.#loadedBytes -= old.code.bytes.length;
      old.loaded = false;
      dropped.push(id);
    }
    return dropped;
  }

  kernelOf(id: number): Kernel | undefined {
    return this.#loaded.get(id)?.kernel;
  }

  /** The workers that had them are gone. */
  unloadAll(): void {
    for (const executable of this.#loaded.values()) executable.loaded = false;
    this.#loaded.clear();
    this.#loadedBytes = 0;
  }
}

/** Equal for kernels of equal structure. Nodes are numbered, so that shared ones are written once. */
function structureKey(kernel: Kernel): string {
  const numbers = new Map<object, number>();
  let key = '';
  const write = (value: unknown): void => {
    if (typeof value === 'number') {
      key += Object.is(value, -0) ? '-0,' : `${value},`;
    } else if (Array.isArray(value)) {
      key += '[';
      for (const item of value) write(item);
      key += ']';
    } else if (value && typeof value === 'object') {
      if ('op' in value) {
        const known = numbers.get(value);
        if (known !== undefined) {
          key += `#${known},`;
          return;
        }
        numbers.set(value, numbers.size);
      }
      for (const name in value) {
        key += `${name}:`;
        write(value[name as keyof typeof value]);
      }
      key += ';';
    } else key += `${value},`;
  };
  write(kernel);
  return key;
}

// A copy is cut in pieces so that workers share it; small ones are one piece of work anyhow.
const copyPieces = 16;

/** Copies uniform(0) bytes from input 0 to output 0: uploads and reads that must keep their place in the queue. */
export function copyKernel(target: Target): { kernel: Kernel; code: CpuKernel } {
  const kernel: Kernel = {
    kind: 'map',
    inputs: [{ dtype: 'uint8', size: 0 }],
    outputs: [{ dtype: 'uint8', size: 0 }],
    uniforms: ['int32'],
    aliases: [-1],
    parts: [],
  };
  const module = new Module(target);
  const f = module.func(['i32', 'i32', 'i32'], [], 'copy');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const [chunk, piece, from, size, bytes] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
  f.emit(
    set(bytes, i32.load(args, 16)),
    // piece = bytes / copyPieces, up to a multiple of 64
    set(piece, i32.shl(i32.add(i32.shr_u(bytes, Math.log2(copyPieces * 64)), 1), 6)),
    loop(chunk, lo, hi, 1, [
      set(from, i32.mul(chunk, piece)),
      set(from, select(from, bytes, i32.lt_u(from, bytes))),
      set(size, i32.sub(bytes, from)),
      set(size, select(size, piece, i32.lt_u(size, piece))),
      memory.copy(i32.add(i32.load(args, 4), from), i32.add(i32.load(args), from), size),
    ]),
  );
  const phases = [{ name: 'copy', chunks: copyPieces }];
  return { kernel, code: { bytes: module.bytes(), phases, sharedScratch: 0, threadScratch: 0 } };
}
