/** From kernel to draws: the one switch over the kinds. */
import { BackendError, type Executable, type Kernel } from '@tessera/tensor/backend';
import type { Device } from './device';
import { conv } from './kernels/conv';
import { map } from './kernels/map';
import { matmul } from './kernels/matmul';
import { pool } from './kernels/pool';
import { reduce } from './kernels/reduce';
import { scan } from './kernels/scan';
import { scatter } from './kernels/scatter';
import { sort } from './kernels/sort';
import type { Built } from './programs';
import { checkUnits, type HostStep, type Pass, type Program, type Scratch } from './shader';
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

/** A draw whose program is made when it is first wanted. */
export interface Draw extends Pass {
  built: Built | null;
}
export const isDraw = (step: Draw | HostStep): step is Draw => 'texels' in step;

export class GlExecutable implements Executable {
  readonly kernel: Kernel;
  readonly steps: readonly (Draw | HostStep)[];
  /** Each scratch texture, and the step after which it is free. */
  readonly scratch: readonly (Scratch & { readonly last: number })[];

  constructor(kernel: Kernel, { steps, scratch }: Program) {
    this.kernel = kernel;
    this.steps = steps.map((step) => ('texels' in step ? { ...step, built: null } : step));
    this.scratch = scratch.map((one, index) => {
      const uses = (step: Pass | HostStep) =>
        ('texels' in step
          ? [...step.inputs, ...step.outputs]
          : [...step.reads, ...step.writes].map(({ ref }) => ref)
        ).some((ref) => ref.of === 'scratch' && ref.index === index);
      return { ...one, last: steps.findLastIndex(uses) };
    });
  }

  get title(): string {
    return this.steps[0]?.title ?? this.kernel.kind;
  }
}

/** @throws BackendError where the kernel has no shader, or one that binds more textures than the device does. */
export function compile(kernel: Kernel, { units, targets }: Device): GlExecutable {
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
