/**
 * The autotuner: on first meeting a kernel its candidates are run on buffers of their own, and the fastest is kept, in a store
 * that the next program reads. Times come from timestamp queries, from the clock where there are none.
 */
import type { Kernel } from '@tessera/tensor/backend';
import { type Choice, type Compiler, candidates, type GpuExecutable, uniformWindow } from './compile';
import { mapRead, usage } from './device';
import * as rare from './kernels/rare';
import type { Target } from './shader';
import { packed, sizeOfOperand } from './tune-pages';
import { findStore, type TuneStore } from './tune-store';

/** Raised when generators change what a choice becomes: what was measured before is then measured anew. */
const generation = 2;
/** At most: candidates of a kernel; milliseconds and runs of a stretch; bytes of a kernel's operands. */
const most = { candidates: 12, milliseconds: 2, runs: 200, bytes: 2 ** 31 } as const;
/** Bytes of buffers are multiples of so many. */
const rounded = 256;

/** What was measured of a kernel: milliseconds of each way that was tried and that the device made. */
export interface Tried {
  readonly choice: Choice;
  readonly milliseconds: number;
}

export class Tuner {
  /** Kernels that were measured, and candidates that were run for it. */
  readonly measured = { kernels: 0, candidates: 0 };
  readonly #device: GPUDevice;
  readonly #compiler: Compiler;
  readonly #target: Target;
  readonly #adapter: string;
  readonly #store: TuneStore;
  #known: Promise<Map<string, string>> | null = null;
  /** Measurements take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  readonly #candidates: number;
  readonly #onMeasured: ((kernel: Kernel, tried: readonly Tried[]) => void) | undefined;

  /** @param tried how many candidates are measured, best first; of 1 nothing is: what is not known yet is computed the first way */
  constructor(
    device: GPUDevice,
    compiler: Compiler,
    target: Target,
    adapter: string,
    store: TuneStore,
    tried: number = most.candidates,
    onMeasured?: (kernel: Kernel, tried: readonly Tried[]) => void,
  ) {
    this.#candidates = tried;
    this.#onMeasured = onMeasured;
    this.#device = device;
    this.#compiler = compiler;
    this.#target = { ...target, rare }; // candidates are of kernels of all kinds
    this.#adapter = adapter;
    this.#store = store;
  }

  /** The executable, whose first submit waits until its way is chosen. */
  compile(kernel: Kernel): GpuExecutable {
    const ways = candidates(kernel, this.#target);
    const executable = this.#compiler.compile(kernel, ways[0]);
    if (ways.length > 1 && bytesOf(kernel) <= most.bytes) {
      executable.becomes(this.#choose(kernel, ways).then((choice) => this.#compiler.compile(kernel, choice)));
    }
    return executable;
  }

  async #choose(kernel: Kernel, ways: readonly Choice[]): Promise<Choice> {
    this.#known ??= this.#store.load();
    const known = await this.#known;
    const key = keyOf([generation, this.#adapter, kernel, ways]);
    const kept = known.get(key);
    const found = kept !== undefined && ways.find((choice) => JSON.stringify(choice) === kept);
    if (found) return found;
    const first = ways[0] as Choice;
    if (this.#candidates === 1) return first;
    const ending = this.#turn.then(() => this.#measure(kernel, spread(ways, this.#candidates)));
    this.#turn = ending.catch(() => {});
    const tried = await ending;
    if (tried.length === 0) return first;
    this.#onMeasured?.(kernel, tried);
    const { choice: best } = tried.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
    known.set(key, JSON.stringify(best));
    await this.#store.keep(key, JSON.stringify(best));
    return best;
  }

  /** Nothing where the device has no memory, or too few pages, for it beside what is there. @throws BackendError where no way has a shader. */
  async #measure(kernel: Kernel, ways: readonly Choice[]): Promise<Tried[]> {
    const device = this.#device;
    const executables = ways.map((choice) => this.#compiler.compile(kernel, choice));
    const compiled = await Promise.allSettled(executables.map((executable) => executable.waiting));
    const usable = executables.flatMap((executable, i) => {
      const choice = ways[i] as Choice; // a way that this driver does not take is passed over
      return compiled[i]?.status === 'fulfilled' ? [{ executable, choice }] : [];
    });
    const fault = compiled.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (usable.length === 0) throw fault?.reason;
    const { bindings } = (usable[0] as (typeof usable)[number]).executable;
    const lying = packed(kernel, bindings, this.#target.room.bytes - 2 * rounded);
    if (!lying) return [];
    const made: GPUBuffer[] = [];
    const buffer = (bytes: number, use: number) => {
      const one = device.createBuffer({
        label: 'tessera tuning',
        size: Math.ceil(bytes / rounded + 1) * rounded,
        usage: use,
      });
      made.push(one);
      return one;
    };
    try {
      device.pushErrorScope('out-of-memory');
      const operands = bindings.own.map((operand) => buffer(sizeOfOperand(kernel, operand) * 4, usage.storage));
      const pages = lying.pages.map((bytes) => buffer(bytes, usage.storage));
      const regions = lying.places.map(({ page, offset }) => ({ gpu: pages[page] as GPUBuffer, offset }));
      const spares: GPUBuffer[] = [];
      const spare = (i: number) => ({ buffer: (spares[i] ??= buffer(0, usage.storage)) });
      const numbers = buffer(uniformWindow, usage.uniform);
      const words = Math.max(...usable.map(({ executable }) => executable.scratch));
      const scratch = words ? buffer(words * 4, usage.storage) : null;
      if (await device.popErrorScope()) return [];
      this.measured.kernels++;
      const tried: Tried[] = [];
      for (const { executable, choice } of usable) {
        this.measured.candidates++;
        const table = regions.length ? rare.tableOf(executable, regions, device, { spare }) : [];
        made.push(...table.slice(0, 1).map((one) => one.buffer));
        const bound = [...operands, ...(scratch && executable.scratch ? [scratch] : [])];
        const resources = bound.map((one): GPUBufferBinding => ({ buffer: one }));
        const entries = resources
          .toSpliced(operands.length, 0, ...table)
          .map((resource, binding) => ({ binding, resource }));
        const group = device.createBindGroup({ layout: executable.built.layout, entries });
        const shared = device.createBindGroup({
          layout: this.#compiler.uniformLayout,
          entries: [{ binding: 0, resource: { buffer: numbers, size: uniformWindow } }],
        });
        const milliseconds = await this.#time((pass) => {
          pass.setBindGroup(0, group);
          if (kernel.uniforms.length) pass.setBindGroup(1, shared, [0]);
          for (const { made: pipeline, grid } of executable.passes) {
            pass.setPipeline(pipeline.pipeline as GPUComputePipeline);
            pass.dispatchWorkgroups(grid[0], grid[1]);
          }
        });
        tried.push({ choice, milliseconds });
      }
      return tried;
    } finally {
      for (const one of made) one.destroy();
    }
  }

  /** Milliseconds of a run: the least of some stretches, each long beside the steps of a clock that may be coarse (0.1 ms). */
  async #time(encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
    const stretch = async (runs: number) => {
      const repeated = (pass: GPUComputePassEncoder) => {
        for (let run = 0; run < runs; run++) encode(pass);
      };
      const exact = this.#device.features.has('timestamp-query');
      return (await (exact ? this.#byQueries(repeated) : this.#byClock(repeated))) / runs;
    };
    await stretch(1); // warms up
    const once = await stretch(1);
    const runs = Math.max(1, Math.min(most.runs, Math.ceil(most.milliseconds / Math.max(once, 1e-3))));
    let least = runs === 1 ? once : Infinity;
    for (let i = 0; i < (once > most.milliseconds ? 0 : 2); i++) least = Math.min(least, await stretch(runs));
    return least;
  }

  async #byClock(encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
    const { queue } = this.#device;
    await queue.onSubmittedWorkDone();
    const before = performance.now();
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    queue.submit([encoder.finish()]);
    await queue.onSubmittedWorkDone();
    return performance.now() - before;
  }

  async #byQueries(encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
    const device = this.#device;
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
    const resolved = device.createBuffer({ size: 16, usage: usage.queryResolve | usage.copySrc });
    const staging = device.createBuffer({ size: 16, usage: usage.mapRead | usage.copyDst });
    try {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      });
      encode(pass);
      pass.end();
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(mapRead);
      const [begin = 0n, end = 0n] = new BigInt64Array(staging.getMappedRange());
      return Math.max(1e-6, Number(end - begin) / 1e6);
    } finally {
      for (const object of [querySet, resolved, staging]) object.destroy();
    }
  }
}

/** A tuner with the store that the next program on this machine, or page of this origin, reads. */
export const tunerOf = (device: GPUDevice, compiler: Compiler, target: Target, adapter: string): Tuner =>
  new Tuner(device, compiler, target, adapter, findStore());

/** The first of each way, and of each value of what ways differ in; and then those that should be fastest. */
export function spread(ways: readonly Choice[], count: number): Choice[] {
  const traitsOf = (choice: Choice) =>
    [
      choice.way,
      'order' in choice && choice.order,
      'each' in choice && choice.each,
      'outputs' in choice && choice.outputs,
      'threads' in choice && choice.threads,
      'shares' in choice,
      'tile' in choice && 'staging' in choice.tile && choice.tile.staging,
    ].map((value, trait) => `${trait} ${value}`);
  const met = new Set<string>();
  const firsts = ways.filter((choice) => {
    const traits = traitsOf(choice);
    const isFirst = traits.some((trait) => !met.has(trait));
    for (const trait of traits) met.add(trait);
    return isFirst;
  });
  const tried = new Set([...new Set([...firsts, ...ways])].slice(0, count));
  return ways.filter((choice) => tried.has(choice));
}

const bytesOf = ({ inputs, outputs }: Kernel) => [...inputs, ...outputs].reduce((sum, { size }) => sum + 4 * size, 0);

/** A short name of what a choice depends on: 64 bits by FNV-1a, over the text forward and backward. */
function keyOf(parts: readonly unknown[]): string {
  const text = JSON.stringify(parts);
  const hash = (step: (i: number) => number) => {
    let value = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(step(i)), 0x01000193);
    return (value >>> 0).toString(16).padStart(8, '0');
  };
  return hash((i) => i) + hash((i) => text.length - 1 - i);
}
