/**
 * Plans to commands: a plan is one command encoder, one compute pass, one submit. What a plan's steps bind is kept with the
 * plan, so a step that comes again with the same buffers creates nothing.
 */
import { BackendError, type DeviceBuffer, type Plan, type PlanStep } from '@tessera/tensor/backend';
import { type Compiler, GpuExecutable, Uniforms } from './compile';
import { GpuBuffer, type Memory } from './memory';

/** A plan's own: where its steps' numbers lie, and the bind groups that were made for it. */
interface Bound {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly floats: Float32Array;
  readonly steps: readonly BoundStep[];
}
interface BoundStep {
  readonly executable: GpuExecutable;
  /** Positions in the plan's table, in the order of the bindings. */
  readonly positions: readonly number[];
  readonly uniforms: readonly number[];
  /** Byte offset of its numbers. */
  readonly offset: number;
  /** Last used first. */
  readonly groups: { readonly ids: readonly number[]; readonly group: GPUBindGroup }[];
}

/** Results of a step alternate between few buffers. */
const mostGroups = 8;

/** Called for each step; without it a plan is one pass. */
export type PassOf = (encoder: GPUCommandEncoder, executable: GpuExecutable) => GPUComputePassEncoder;

export class Submitter {
  /** Bind groups made so far. */
  made = 0;
  readonly uniforms: Uniforms;
  readonly #device: GPUDevice;
  readonly #memory: Memory;
  readonly #alignment: number;
  readonly #plans = new WeakMap<Plan, Bound>();

  constructor(device: GPUDevice, memory: Memory, compiler: Compiler) {
    this.#device = device;
    this.#memory = memory;
    this.#alignment = device.limits.minUniformBufferOffsetAlignment;
    this.uniforms = new Uniforms(device, compiler.uniformLayout);
  }

  /** What the plan waits for, or null where all its pipelines are there. */
  waiting(plan: Plan): Promise<unknown> | null {
    const missing = this.#bound(plan).steps.flatMap(({ executable }) => executable.waiting ?? []);
    return missing.length ? Promise.all(missing) : null;
  }

  /** Words that hold a plan's numbers for this run: the caller keeps them until it submits. */
  numbers(plan: Plan, values: readonly number[]): Uint32Array<ArrayBuffer> {
    const { words, floats, steps } = this.#bound(plan);
    for (const { executable, uniforms, offset } of steps) {
      for (let i = 0; i < uniforms.length; i++) {
        const [value, at] = [values[uniforms[i] as number] as number, offset / 4 + i];
        const type = executable.kernel.uniforms[i];
        if (type === 'float32') floats[at] = value;
        else words[at] = type === 'bool' ? +(value !== 0) : value;
      }
    }
    return words;
  }

  /** Encodes and submits; all pipelines are there. */
  submit(plan: Plan, buffers: readonly GPUBuffer[], numbers: Uint32Array<ArrayBuffer>, passOf?: PassOf): void {
    const bound = this.#bound(plan);
    this.uniforms.write(numbers);
    const encoder = this.#device.createCommandEncoder();
    let pass = passOf ? null : encoder.beginComputePass();
    for (const step of bound.steps) {
      const { executable, uniforms, offset } = step;
      if (passOf) pass = passOf(encoder, executable);
      if (!pass) continue;
      const group = this.#group(step, buffers);
      pass.setBindGroup(0, group);
      if (uniforms.length) pass.setBindGroup(1, this.uniforms.group, [offset]);
      for (const { made, grid } of executable.passes) {
        pass.setPipeline(made.pipeline as GPUComputePipeline);
        pass.dispatchWorkgroups(grid[0], grid[1]);
      }
      if (passOf) pass.end();
    }
    if (!passOf) pass?.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  dispose(): void {
    this.uniforms.dispose();
  }

  #bound(plan: Plan): Bound {
    const known = this.#plans.get(plan);
    if (known) return known;
    let offset = 0;
    const steps = plan.steps.map((step): BoundStep => {
      const { executable, uniforms } = step;
      if (!(executable instanceof GpuExecutable)) {
        throw new BackendError('webgpu: the plan has an executable of another backend; compile its kernel here');
      }
      const at = offset;
      offset += Math.ceil((uniforms.length * 4) / this.#alignment) * this.#alignment;
      return { executable, positions: positionsOf(step), uniforms, offset: at, groups: [] };
    });
    const words = new Uint32Array(offset / 4);
    const bound = { words, floats: new Float32Array(words.buffer), steps };
    this.#plans.set(plan, bound);
    return bound;
  }

  #group({ executable, positions, groups }: BoundStep, buffers: readonly GPUBuffer[]): GPUBindGroup {
    const bound = positions.map((at) => buffers[at] as GPUBuffer);
    if (executable.scratch) bound.push(this.#memory.scratch(executable.scratch * 4));
    const ids = bound.map((gpu) => this.#memory.idOf(gpu));
    for (let i = 0; i < groups.length; i++) {
      const known = groups[i] as (typeof groups)[number];
      if (known.ids.some((id, k) => id !== ids[k])) continue;
      if (i > 0) groups.unshift(...groups.splice(i, 1));
      return known.group;
    }
    this.made++;
    const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = this.#device.createBindGroup({
      label: `tessera ${executable.name}`,
      layout: executable.layout,
      entries,
    });
    groups.unshift({ ids, group });
    groups.length = Math.min(groups.length, mostGroups);
    return group;
  }
}

/** As `bindingsOf` has them: inputs that no output is, then outputs. */
function positionsOf({ executable, inputs, outputs }: PlanStep): number[] {
  const { aliases } = executable.kernel;
  return [...inputs.filter((_, input) => !aliases.includes(input)), ...outputs];
}

/** @throws BackendError where the buffer is of another backend, or freed. */
export function own(buffer: DeviceBuffer | undefined, memory: Memory): GpuBuffer {
  if (!(buffer instanceof GpuBuffer) || buffer.memory !== memory) {
    throw new BackendError('webgpu: a buffer of another backend; move the tensor over with to(backend)');
  }
  if (!buffer.live) throw new BackendError('webgpu: a buffer that was freed');
  return buffer;
}
