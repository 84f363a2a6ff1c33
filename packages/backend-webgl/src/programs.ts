/** The programs of the context, kept by their source: no kernel is built twice, and kernels of one source share a program. */
import type { Draw } from './compile';
import type { Device } from './device';
import type { GpuJsCompiler } from './gpujs';
import { bitsOf, extentOf, texelsOf } from './layout';

/** A program, with the place of what is set before a draw. */
export interface Built {
  /** GLSL of the lengths of its textures' rows. */
  readonly rows: string;
  readonly program: WebGLProgram;
  /** Null once it is known to be there: what waits for it. */
  check: (() => void) | null;
  numbers: WebGLUniformLocation | null;
  sizes: WebGLUniformLocation | null;
  /** Was something drawn with it? */
  drawn: boolean;
  /** False once it was deleted: whoever draws with it has it built again. */
  live: boolean;
  /** When it was last asked for. */
  last: number;
}

/** Drivers keep the code of each program: 0.2 MB on an emulator. */
const most = 2048;

export class Programs {
  /** Programs made so far. */
  made = 0;
  readonly #kept = new Map<string, Built>();
  readonly #most: number;
  #device: Device;
  #gpujs: GpuJsCompiler;
  #clock = 0;

  /** @param limit programs that are kept; beyond, a quarter goes, the longest unused */
  constructor(device: Device, gpujs: GpuJsCompiler, limit = most) {
    this.#device = device;
    this.#gpujs = gpujs;
    this.#most = limit;
  }

  /** What tells programs apart: the lengths of rows (layout.ts), and all of the source but its title. */
  key({ source: { source, glsl, outputs } }: Draw, from: readonly number[], to: number): string {
    return `${outputs}\n${rowsOf(from, to)}${glsl.slice(glsl.indexOf('\n'))}\n${source}`;
  }

  /** The rows of a texture for so many elements, as bits. */
  bitsOf(size: number): number {
    return bitsOf({ columns: extentOf(texelsOf(size), this.#device.side)[0] });
  }

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  /** Begins with the program that `of` will want: what is begun together is made side by side, while more is written. */
  begin(draw: Draw, from: readonly number[], to: number): Built {
    let { built } = draw;
    const rows = rowsOf(from, to);
    if (!built?.live || built.rows !== rows) {
      const key = this.key(draw, from, to);
      built = this.#kept.get(key) ?? this.#make(draw, rows);
      this.#kept.set(key, built);
      draw.built = built;
    }
    built.last = ++this.#clock;
    if (this.#kept.size > this.#most) this.#drop();
    return built;
  }

  /**
   * The program of a draw between textures of such rows, made when it is first wanted.
   * @throws BackendError where it cannot be made
   */
  of(draw: Draw, from: readonly number[], to: number): Built {
    const built = this.begin(draw, from, to);
    if (built.check) this.#finish(draw, from, to, built);
    return built;
  }

  /** On another context, where nothing is built yet. */
  renew(device: Device, gpujs: GpuJsCompiler): void {
    for (const built of this.#kept.values()) built.live = false;
    this.#kept.clear();
    this.#device = device;
    this.#gpujs = gpujs;
  }

  #drop(): void {
    const { gl } = this.#device;
    const oldest = [...this.#kept].sort(([, a], [, b]) => a.last - b.last);
    for (const [key, built] of oldest.slice(0, Math.ceil(this.#most / 4))) {
      built.live = false;
      gl.deleteProgram(built.program);
      this.#kept.delete(key);
    }
  }

  #make({ source }: Draw, rows: string): Built {
    const { gl } = this.#device;
    this.made++;
    const { program, check } = this.#gpujs.build({ ...source, glsl: `${rows}\n${source.glsl}` });
    gl.disable(gl.SCISSOR_TEST); // which gpu.js turns on
    return { rows, program, check, numbers: null, sizes: null, drawn: false, live: true, last: 0 };
  }

  #finish(draw: Draw, from: readonly number[], to: number, built: Built): void {
    const { gl } = this.#device;
    const { program, check } = built;
    try {
      check?.();
    } catch (cause) {
      built.live = false;
      this.#kept.delete(this.key(draw, from, to));
      throw cause;
    }
    built.check = null;
    gl.useProgram(program);
    for (const unit of draw.inputs.keys()) gl.uniform1i(gl.getUniformLocation(program, `s${unit}_texture`), unit);
    const names = draw.source.glsl;
    built.numbers = names.includes('numbers[') ? gl.getUniformLocation(program, 'numbers') : null;
    built.sizes = names.includes('sizes[') ? gl.getUniformLocation(program, 'sizes') : null;
  }
}

const rowsOf = (from: readonly number[], to: number): string =>
  `${from.map((bits, i) => `const int s${i}_bits = ${bits}; `).join('')}const int own_bits = ${to};`;
