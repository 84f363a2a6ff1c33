/**
 * Plans to commands: a plan is one command encoder, one compute pass, one submit. What a plan's steps bind is kept with the
 * plan, so a step that comes again with the same buffers creates nothing. Its small results, new ones at each run, are made in
 * buffers that stay and are copied at the end; small values that come from elsewhere than last time, a learning rate or a label,
 * are copied into such buffers at the start.
 */
import { BackendError, type DeviceBuffer, type Plan, type PlanStep } from '@tessera/tensor/backend';
import { type Built, type Compiler, GpuExecutable, Uniforms, waitingOf } from './compile';
import { bindingOf, type Copy, copyAll, GpuBuffer, type Memory, type Region, smallest } from './memory';
import type { Operand } from './pages';
import { apart, gather } from './places';
import type { Uploads } from './uploads';

/** A plan's own: where its steps' numbers lie, and the bind groups that were made for it. */
interface Bound {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly floats: Float32Array;
  readonly steps: readonly BoundStep[];
  /** Positions in its table that its steps write to, and those that they find values at, how many. */
  readonly written: ReadonlySet<number>;
  readonly found: ReadonlyMap<number, number>;
  /** Of those, where values come from elsewhere at another run; single numbers are thought to. */
  readonly moving: Set<number>;
  /** Words of scratch that its hungriest step wants. */
  scratch: number;
  /** What all steps run and bind for buffers that came before, last used first. */
  readonly sets: { readonly ids: Int32Array; readonly jobs: readonly Job[] }[];
}
/** A step with buffers. */
interface Job {
  readonly built: Built;
  readonly group: GPUBindGroup;
}
export interface BoundStep {
  readonly executable: GpuExecutable;
  /** Positions in the plan's table of the operands that have a binding, and of those that lie in pages. */
  readonly own: readonly number[];
  readonly paged: readonly number[];
  readonly uniforms: readonly number[];
  /** Byte offset of its numbers. */
  readonly offset: number;
  /** By the ids of what they bind, last used first: steps whose buffers stay keep theirs when others alternate. */
  readonly jobs: { readonly ids: readonly number[]; readonly job: Job }[];
}

/** Results of a step alternate between few buffers. */
const mostGroups = 8;

/** Called for each step; without it a plan is one pass. */
export type PassOf = (encoder: GPUCommandEncoder, executable: GpuExecutable) => GPUComputePassEncoder;

/** Where a plan's buffers lie, and what is copied to there before it runs, and from there behind it. */
export interface Placed {
  readonly regions: readonly Region[];
  readonly before: readonly Copy[];
  readonly behind: readonly Copy[];
}

/** What submitting wants of the backend. */
export interface Checks {
  /** Is validation to be asked for, though nothing is new? */
  always(): boolean;
  /** The answer of an error scope round what was submitted. */
  check(answer: Promise<GPUError | null>): void;
}

export class Submitter {
  /** Bind groups, and tables of pages, made so far. */
  made = 0;
  tables = 0;
  readonly uniforms: Uniforms;
  readonly #device: GPUDevice;
  readonly #memory: Memory;
  readonly #uploads: Uploads;
  readonly #compiler: Compiler;
  readonly #alignment: number;
  readonly #plans = new WeakMap<Plan, Bound>();

  constructor(device: GPUDevice, memory: Memory, uploads: Uploads, compiler: Compiler) {
    this.#device = device;
    this.#memory = memory;
    this.#uploads = uploads;
    this.#compiler = compiler;
    this.#alignment = device.limits.minUniformBufferOffsetAlignment;
    this.uniforms = new Uniforms(device, compiler.uniformLayout);
  }

  /** The executables of a plan, each once. */
  executables(plan: Plan): GpuExecutable[] {
    return [...new Set(this.#bound(plan).steps.map(({ executable }) => executable))];
  }

  /** Where the plan's buffers lie, once those are moved that must be. */
  place(plan: Plan, given: readonly GpuBuffer[]): Placed {
    const { steps, written, found, moving, sets } = this.#bound(plan);
    const memory = this.#memory;
    const [last] = sets;
    // what no step binds, the other name of a result that is written in place, tells nothing
    const buffers = given.map((buffer, at) => (written.has(at) || found.has(at) ? buffer : memory.draft(0)));
    const results = [...written].filter((at) => given[at]?.fresh);
    results.forEach((at, i) => {
      (given[at] as GpuBuffer).fresh = false;
      buffers[at] = memory.draft(2 * i);
    });
    const regions = () => buffers.map(({ region }) => region);
    const isKnown = () => {
      let i = 1;
      for (const at of moving) buffers[at] = memory.draft(2 * i++ - 1);
      return sets.some(({ ids }) => isSame(ids, regions()));
    };
    if (!isKnown() && last)
      for (const [at] of found) {
        const { region, moved } = buffers[at] as GpuBuffer;
        if (region.id !== last.ids[at] && region.size === smallest && !moved) moving.add(at);
      }
    if (!isKnown()) {
      memory.separate(
        [...written].flatMap((at) => (buffers[at]?.region.page?.results ? (buffers[at] as GpuBuffer) : [])),
      );
      gather(steps, buffers, memory);
    }
    const copies = (positions: number[], [from, to]: readonly (readonly GpuBuffer[])[]) =>
      positions.flatMap((at) => memory.copiesOf(from![at]!.region, to![at]!.region));
    return {
      regions: regions(),
      before: copies([...moving], [given, buffers]),
      behind: copies(
        [...results, ...moving].filter((at) => written.has(at)),
        [buffers, given],
      ),
    };
  }

  /** What the plan waits for on these places, or null where all its pipelines are there. */
  waiting(plan: Plan, regions: readonly Region[]): Promise<unknown> | null {
    const { steps, sets } = this.#bound(plan);
    const missing = steps.flatMap(({ executable }) => executable.waiting ?? []);
    if (!missing.length && sets.some(({ ids }) => isSame(ids, regions))) return null;
    const placed = () => {
      const waits = steps.flatMap((step) => waitingOf(this.#built(step, regions)) ?? []);
      return waits.length ? Promise.all(waits) : null;
    };
    return missing.length ? Promise.all(missing).then(placed) : placed();
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
    { regions, before, behind }: Placed,
    numbers: Uint32Array<ArrayBuffer>,
    checks: Checks,
    passOf?: PassOf,
  ): void {
    const device = this.#device;
    const bound = this.#bound(plan);
    bound.scratch = Math.max(0, ...bound.steps.map(({ executable }) => executable.scratch)); // known only by now
    const table = bound.scratch ? [...regions, this.#memory.scratch(bound.scratch * 4)] : regions;
    const known = recent(bound.sets, ({ ids }) => isSame(ids, table));
    const scoped = !known || checks.always();
    if (scoped) device.pushErrorScope('validation');
    try {
      const jobs = known?.jobs ?? this.#jobs(bound, regions, table);
      this.uniforms.write(numbers);
      const encoder = device.createCommandEncoder();
      this.#uploads.encode(encoder);
      copyAll(encoder, before);
      this.#encode(encoder, bound.steps, jobs, passOf);
      copyAll(encoder, behind);
      device.queue.submit([encoder.finish()]);
      this.#uploads.done();
    } finally {
      if (scoped) checks.check(device.popErrorScope());
    }
  }

  dispose(): void {
    this.uniforms.dispose();
  }

  #encode(encoder: GPUCommandEncoder, steps: readonly BoundStep[], jobs: readonly Job[], passOf?: PassOf): void {
    let pass = passOf ? null : encoder.beginComputePass();
    for (let i = 0; i < steps.length; i++) {
      const { executable, uniforms, offset } = steps[i] as BoundStep;
      if (passOf) pass = passOf(encoder, executable);
      if (!pass) continue;
      const { built, group } = jobs[i] as Job;
      pass.setBindGroup(0, group);
      if (uniforms.length) pass.setBindGroup(1, this.uniforms.group, [offset]);
      for (const { made, grid } of built.passes) {
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
      return { executable, ...positionsOf(step), uniforms, offset: at, jobs: [] };
    });
    const words = new Uint32Array(offset / 4);
    const written = new Set<number>();
    const found = new Map<number, number>();
    plan.steps.forEach(({ inputs, outputs }, i) => {
      const { kernel } = (steps[i] as BoundStep).executable;
      for (const [k, at] of inputs.entries())
        if (!written.has(at)) found.set(at, (kernel.inputs[k] as { size: number }).size);
      for (const at of outputs) written.add(at);
    });
    const moving = new Set([...found].flatMap(([at, size]) => (size === 1 && !written.has(at) ? at : [])));
    const floats = new Float32Array(words.buffer);
    const bound: Bound = { words, floats, steps, written, found, moving, scratch: 0, sets: [] };
    this.#plans.set(plan, bound);
    return bound;
  }

  #jobs(bound: Bound, regions: readonly Region[], table: readonly Region[]): readonly Job[] {
    const jobs = bound.steps.map((step) => this.#job(step, regions));
    bound.sets.unshift({ ids: Int32Array.from(table, ({ id }) => id), jobs });
    bound.sets.length = Math.min(bound.sets.length, mostGroups);
    return jobs;
  }

  #built({ executable, own }: BoundStep, regions: readonly Region[]): Built {
    return this.#compiler.writable(executable, apart(executable.bindings.own, own, regions));
  }

  #job(step: BoundStep, regions: readonly Region[]): Job {
    const { executable, jobs } = step;
    const scratch = executable.scratch ? [this.#memory.scratch(executable.scratch * 4)] : [];
    const [own, paged] = [step.own, step.paged].map((list) => list.map((at) => regions[at] as Region)) as [
      Region[],
      Region[],
    ];
    const ids = [...own, ...paged, ...scratch].map(({ id }) => id);
    const known = recent(jobs, (each) => each.ids.every((id, k) => id === ids[k]));
    if (known) return known.job;
    this.made++;
    const built = this.#built(step, regions);
    const pages = paged.length ? this.#pages(executable, paged) : [];
    const resources = [...own.map(bindingOf), ...pages, ...scratch.map(bindingOf)];
    const group = this.#device.createBindGroup({
      label: `tessera ${executable.name}`,
      layout: built.layout,
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
    const job = { built, group };
    jobs.unshift({ ids, job });
    jobs.length = Math.min(jobs.length, mostGroups);
    return job;
  }

  /** The table of a kernel that finds operands by it, and its pages. */
  #pages(executable: GpuExecutable, paged: readonly Region[]): GPUBufferBinding[] {
    this.tables++;
    return this.#compiler.rare.tableOf(executable, paged, this.#device, this.#memory);
  }
}

const isSame = (ids: Int32Array, regions: readonly Region[]): boolean => {
  for (let i = 0; i < regions.length; i++) if (ids[i] !== regions[i]?.id) return false;
  return true;
};

/** The first that fits, brought to the front. */
function recent<T>(list: T[], fits: (entry: T) => boolean): T | undefined {
  const at = list.findIndex(fits);
  if (at > 0) list.unshift(...list.splice(at, 1));
  return at < 0 ? undefined : list[0];
}

function positionsOf({ executable, inputs, outputs }: PlanStep): { own: number[]; paged: number[] } {
  const { bindings } = executable as GpuExecutable;
  const at = ({ type, index }: Operand) => (type === 'in' ? inputs : outputs)[index] as number;
  return { own: bindings.own.map(at), paged: bindings.paged.map(at) };
}

/** @throws BackendError where the buffer is of another backend, or freed. */
export function own(buffer: DeviceBuffer | undefined, memory: Memory): GpuBuffer {
  if (!(buffer instanceof GpuBuffer) || buffer.memory !== memory) {
    throw new BackendError('webgpu: a buffer of another backend; move the tensor over with to(backend)');
  }
  if (!buffer.live) throw new BackendError('webgpu: a buffer that was freed');
  return buffer;
}
