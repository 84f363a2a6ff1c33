/** From kernel to draws: the one switch over the kinds, and the programs that are kept. */
import { BackendError, type Executable, type Kernel } from '@tessera/tensor/backend';
import type { Device } from './device';
import type { GpuJsCompiler } from './gpujs';
import { conv } from './kernels/conv';
import { map } from './kernels/map';
import { matmul } from './kernels/matmul';
import { pool } from './kernels/pool';
import { reduce } from './kernels/reduce';
import { scan } from './kernels/scan';
import { scatter } from './kernels/scatter';
import { sort } from './kernels/sort';
import { bitsOf } from './layout';
import type { Texture } from './memory';
import { checkUnits, type HostStep, type Pass, type Program } from './shader';
import { Build } from './stores';

/** The draws of a kernel, on a device that writes `targets` textures at once. */
export function generate(kernel: Kernel, targets: number): Program {
  const build = new Build(kernel, targets);
  switch (kernel.kind) {
    case 'map':
      return map(build, kernel);
    case 'reduce':
      return reduce(build, kernel);
    case 'matmul':
      return matmul(build, kernel);
    case 'conv':
      return conv(build, kernel);
    case 'pool':
      return pool(build, kernel);
    case 'scatter':
      return scatter(build, kernel);
    case 'sort':
      return sort(build, kernel);
    case 'scan':
      return scan(build, kernel);
    case 'custom':
      throw new BackendError(`webgl: ${kernel.name} is code for ${kernel.backend}; choose that backend`);
    default:
      return kernel satisfies never;
  }
}

/** A program of the device, with the places of what is set before a draw. */
export interface Built {
  /** GLSL of the lengths of its textures' rows. */
  readonly rows: string;
  readonly program: WebGLProgram;
  readonly numbers: WebGLUniformLocation | null;
}

/** A draw whose program is made when it is first wanted. */
export interface Draw extends Pass {
  built: Built | null;
}
export const isDraw = (step: Draw | HostStep): step is Draw => 'texels' in step;

export class GlExecutable implements Executable {
  readonly kernel: Kernel;
  readonly steps: readonly (Draw | HostStep)[];
  /** Elements of each scratch texture, and the step after which it is free. */
  readonly scratch: readonly { readonly size: number; readonly last: number }[];

  constructor(kernel: Kernel, { steps, scratch }: Program) {
    this.kernel = kernel;
    this.steps = steps.map((step) => ('texels' in step ? { ...step, built: null } : step));
    this.scratch = scratch.map((size, index) => {
      const uses = (step: Pass | HostStep) =>
        ('texels' in step
          ? [...step.inputs, ...step.outputs]
          : [...step.reads, ...step.writes].map(({ ref }) => ref)
        ).some((ref) => ref.of === 'scratch' && ref.index === index);
      return { size, last: steps.findLastIndex(uses) };
    });
  }

  get title(): string {
    return this.steps[0]?.title ?? this.kernel.kind;
  }
}

const mostPrograms = 4096;

export class Compiler {
  /** Programs made so far. */
  made = 0;
  readonly #device: Device;
  readonly #gpujs: GpuJsCompiler;
  /** By their source, least recently made first. */
  readonly #programs = new Map<string, Built>();

  constructor(device: Device, gpujs: GpuJsCompiler) {
    this.#device = device;
    this.#gpujs = gpujs;
  }

  compile(kernel: Kernel): GlExecutable {
    const { units, targets } = this.#device;
    let program: Program;
    try {
      program = generate(kernel, targets);
    } catch (cause) {
      if (cause instanceof BackendError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError(`webgl: a ${kernel.kind} kernel has no shader: ${reason}`, { cause });
    }
    for (const step of program.steps) if ('texels' in step) checkUnits(step, units);
    return new GlExecutable(kernel, program);
  }

  /** Makes the program of a draw, or finds one of the same source. */
  build(draw: Draw, from: readonly Texture[], to: readonly Texture[]): Built {
    const inputs = from.map((texture, i) => `const int s${i}_bits = ${bitsOf(texture)}; `).join('');
    const rows = `${inputs}const int own_bits = ${bitsOf(to[0] as Texture)};`;
    if (draw.built?.rows === rows) return draw.built;
    const { source, glsl, outputs } = draw.source;
    const key = `${outputs}\n${rows}${glsl.slice(glsl.indexOf('\n'))}\n${source}`; // but for the title
    const known = this.#programs.get(key);
    draw.built = known ?? this.#make(draw, rows);
    this.#programs.set(key, draw.built);
    if (this.#programs.size > mostPrograms) this.#programs.delete(this.#programs.keys().next().value as string);
    return draw.built;
  }

  #make({ source, inputs }: Draw, rows: string): Built {
    const { gl } = this.#device;
    this.made++;
    const program = this.#gpujs.build({ ...source, glsl: `${rows}\n${source.glsl}` });
    gl.disable(gl.SCISSOR_TEST); // which gpu.js turns on
    gl.useProgram(program);
    for (const unit of inputs.keys()) gl.uniform1i(gl.getUniformLocation(program, `s${unit}_texture`), unit);
    return { rows, program, numbers: gl.getUniformLocation(program, 'numbers') };
  }
}
