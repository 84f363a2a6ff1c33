/**
 * Plans to commands: a plan is one command encoder, one compute pass, one submit. What a plan's steps bind is kept with the
 * plan, so a step that comes again with the same buffers creates nothing.
 */
import { BackendError, type DeviceBuffer, type Plan, type PlanStep } from '@tessera/tensor/backend';
import { type Compiler, GpuExecutable, Uniforms } from './compile';
import { GpuBuffer, type Memory } from './memory';
import type { Uploads } from './uploads';

/** A plan's own: where its steps' numbers lie, and the bind groups that were made for it. */
interface Bound {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly floats: Float32Array;
  readonly steps: readonly BoundStep[];
  /** Words of scratch that its hungriest step wants. */
  scratch: number;
  /** The bind groups of all steps for buffers that came before, last used first. */
  readonly sets: { readonly ids: Int32Array; readonly groups: readonly GPUBindGroup[] }[];
}
interface BoundStep {
  readonly executable: GpuExecutable;
  /** Positions in the plan's table, in the order of the bindings. */
  readonly positions: readonly number[];
  readonly uniforms: readonly number[];
  /** Byte offset of its numbers. */
  readonly offset: number;
  /** By the ids of what they bind, last used first: steps whose buffers stay keep theirs when others alternate. */
  readonly groups: { readonly ids: readonly number[]; readonly group: GPUBindGroup }[];
}

/** Results of a step alternate between few buffers. */
const mostGroups = 8;

/** Called for each step; without it a plan is one pass. */
export type PassOf = (encoder: GPUCommandEncoder, executable: GpuExecutable) => GPUComputePassEncoder;

/** What submitting wants of the backend. */
export interface Checks {
  /** Is validation to be asked for, though nothing is new? */
  always(): boolean;
  /** The answer of an error scope round what was submitted. */
  check(answer: Promise<GPUError | null>): void;
}

export class Submitter {
  /** Bind groups made so far. */
  made = 0;
  readonly uniforms: Uniforms;
  readonly #device: GPUDevice;
  readonly #memory: Memory;
  readonly #uploads: Uploads;
  readonly #alignment: number;
  readonly #plans = new WeakMap<Plan, Bound>();

  constructor(device: GPUDevice, memory: Memory, uploads: Uploads, compiler: Compiler) {
    this.#device = device;
    this.#memory = memory;
    this.#uploads = uploads;
    this.#alignment = device.limits.minUniformBufferOffsetAlignment;
    this.uniforms = new Uniforms(device, compiler.uniformLayout);
  }

  /** The executables of a plan, each once. */
  executables(plan: Plan): GpuExecutable[] {
    return [...new Set(this.#bound(plan).steps.map(({ executable }) => executable))];
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

  /** Encodes and submits; all pipelines are there. Only what comes for the first time is validated in a scope of its own. */
  submit(
    plan: Plan,
    buffers: readonly GPUBuffer[],
    numbers: Uint32Array<ArrayBuffer>,
    checks: Checks,
    passOf?: PassOf,
  ): void {
    const device = this.#device;
    const bound = this.#bound(plan);
    bound.scratch = Math.max(0, ...bound.steps.map(({ executable }) => executable.scratch)); // known only by now
    if (bound.scratch) this.#memory.scratch(bound.scratch * 4);
    const ids = this.#idsOf(bound, buffers);
    const known = recent(bound.sets, (set) => set.ids.every((id, i) => id === ids[i]));
    const scoped = !known || checks.always();
    if (scoped) device.pushErrorScope('validation');
    try {
      const groups = known?.groups ?? this.#groups(bound, buffers, ids);
      this.uniforms.write(numbers);
      const encoder = device.createCommandEncoder();
      this.#uploads.encode(encoder);
      this.#encode(encoder, bound.steps, groups, passOf);
      device.queue.submit([encoder.finish()]);
      this.#uploads.done();
    } finally {
      if (scoped) checks.check(device.popErrorScope());
    }
  }

  dispose(): void {
    this.uniforms.dispose();
  }

  #encode(
    encoder: GPUCommandEncoder,
    steps: readonly BoundStep[],
    groups: readonly GPUBindGroup[],
    passOf?: PassOf,
  ): void {
    let pass = passOf ? null : encoder.beginComputePass();
    for (let i = 0; i < steps.length; i++) {
      const { executable, uniforms, offset } = steps[i] as BoundStep;
      if (passOf) pass = passOf(encoder, executable);
      if (!pass) continue;
      pass.setBindGroup(0, groups[i] as GPUBindGroup);
      if (uniforms.length) pass.setBindGroup(1, this.uniforms.group, [offset]);
      for (const { made, grid } of executable.passes) {
        pass.setPipeline(made.pipeline as GPUComputePipeline);
        pass.dispatchWorkgroups(grid[0], grid[1]);
      }
      if (passOf) pass.end();
    }
    if (!passOf) pass?.end();
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
    const bound: Bound = { words, floats: new Float32Array(words.buffer), steps, scratch: 0, sets: [] };
    this.#plans.set(plan, bound);
    return bound;
  }

  /** Of the plan's table; the scratch comes last. */
  #idsOf({ scratch }: Bound, buffers: readonly GPUBuffer[]): Int32Array {
    const ids = new Int32Array(buffers.length + (scratch ? 1 : 0));
    for (let i = 0; i < buffers.length; i++) ids[i] = this.#memory.idOf(buffers[i] as GPUBuffer);
    if (scratch) ids[buffers.length] = this.#memory.idOf(this.#memory.scratch(scratch * 4));
    return ids;
  }

  #groups(bound: Bound, buffers: readonly GPUBuffer[], ids: Int32Array): readonly GPUBindGroup[] {
    const groups = bound.steps.map((step) => this.#group(step, buffers));
    bound.sets.unshift({ ids, groups });
    bound.sets.length = Math.min(bound.sets.length, mostGroups);
    return groups;
  }

  #group({ executable, positions, groups }: BoundStep, buffers: readonly GPUBuffer[]): GPUBindGroup {
    const bound = positions.map((at) => buffers[at] as GPUBuffer);
    if (executable.scratch) bound.push(this.#memory.scratch(executable.scratch * 4));
    const ids = bound.map((gpu) => this.#memory.idOf(gpu));
    const known = recent(groups, (each) => each.ids.every((id, k) => id === ids[k]));
    if (known) return known.group;
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

/** The first that fits, brought to the front. */
function recent<T>(list: T[], fits: (entry: T) => boolean): T | undefined {
  const at = list.findIndex(fits);
  if (at > 0) list.unshift(...list.splice(at, 1));
  return at < 0 ? undefined : list[0];
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
