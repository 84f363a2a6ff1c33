/** From kernel to pipelines: the one switch over the kinds, and what is kept of the results. */
import { BackendError, type Executable, type Kernel } from '@tessera/tensor/backend';
import { usage } from './device';
import { type ConvChoice, conv, convChoices } from './kernels/conv';
import { map } from './kernels/map';
import { type MatmulChoice, matmul, matmulChoices } from './kernels/matmul';
import type { ByWindows } from './kernels/pool';
import { reduce } from './kernels/reduce';
import { type ByRows, reduceChoices } from './kernels/reduction';
import { type Bindings, bind, bindingsOf, nameOf, type Row, rowsOf } from './pages';
import { type Dispatch, type Program, rareOf, type Target } from './shader';

/** One way to compute a kernel: plain data, that a tuner may keep. */
export type Choice = MatmulChoice | ConvChoice | ByRows | ByWindows | Only;
/** There is one way, by tiles of other sizes where it says so. */
export interface Only {
  readonly way: 'only';
  readonly sizes?: Readonly<Record<string, number>>;
}

/** Ways to compute a kernel, the one that should be fastest first; and what each becomes. */
interface Ways<C extends Choice = Choice> {
  readonly candidates: readonly C[];
  make(choice: C): Program;
}

function waysOf(unbound: Kernel, given: Target): Ways {
  const kernel = bind(unbound, given.room);
  // what is found by a table is read by code that is long: whoever stages has it once, tiles without workgroup memory at each load
  const target = bindingsOf(kernel).paged.length ? { ...given, cached: false } : given;
  const ways = <C extends Choice>(candidates: readonly C[], make: (choice: C) => Program) =>
    ({ candidates, make }) as unknown as Ways;
  const only = (make: (sizes?: Only['sizes']) => Program, others: readonly NonNullable<Only['sizes']>[] = []) =>
    ways<Only>(
      [{}, ...others.filter(({ threads = 1 }) => threads <= target.threads).map((sizes) => ({ sizes }))].map((one) => ({
        way: 'only',
        ...one,
      })),
      ({ sizes }) => make(sizes),
    );
  switch (kernel.kind) {
    case 'map':
      return only((sizes) => map(kernel, target, sizes), target.rare?.mapTiles(kernel));
    case 'reduce':
      return ways(reduceChoices(kernel, target), (choice) => reduce(kernel, target, choice));
    case 'matmul':
      return ways(matmulChoices(kernel, target), (choice) => matmul(kernel, target, choice));
    case 'conv':
      return ways(convChoices(kernel, target), (choice) => conv(kernel, target, choice));
    case 'pool':
      return ways(rareOf(target).poolChoices(kernel, target), (choice) => rareOf(target).pool(kernel, target, choice));
    case 'scatter':
      return only((sizes) => rareOf(target).scatter(kernel, target, sizes), target.rare?.scatterTiles);
    case 'sort':
      return only((sizes) => rareOf(target).sort(kernel, target, sizes), target.rare?.sortTiles);
    case 'scan':
      return only((sizes) => rareOf(target).scan(kernel, target, sizes), target.rare?.scanTiles);
    case 'custom':
      return only(() => rareOf(target).custom(kernel, target));
    default:
      return kernel satisfies never;
  }
}

/** Is it written by what is loaded only where it is met (kernels/rare.ts)? */
const isRare = (kernel: Kernel, { paged }: Bindings, choice?: Choice) =>
  paged.length > 0 ||
  choice?.way === 'winograd' ||
  (choice?.way === 'only' && choice.sizes !== undefined) ||
  ['pool', 'scatter', 'sort', 'scan', 'custom'].includes(kernel.kind) ||
  (kernel.kind === 'conv' && kernel.sizes.groups > 1);

/** Ways to compute a kernel on a device, the one that is taken where nobody has measured first. */
export function candidates(kernel: Kernel, target: Target): readonly Choice[] {
  return waysOf(kernel, target).candidates;
}

/** The WGSL of a kernel; `choice` is one of its candidates. */
export function generate(kernel: Kernel, target: Target, choice?: Choice): Program {
  const { candidates, make } = waysOf(kernel, target);
  return make(choice ?? (candidates[0] as Choice));
}

/** Bytes of uniforms that a kernel sees; its own begin at the dynamic offset. */
export const uniformWindow = 16384;
const mostUniforms = uniformWindow / 4;
const mostPipelines = 4096;

/** A pipeline, null until it is made. */
interface Made {
  readonly promise: Promise<void>;
  pipeline: GPUComputePipeline | null;
}
export interface Pass extends Dispatch {
  readonly made: Made;
}

/** What a kernel is on the device, made by one of its choices. */
export interface Built {
  /** What errors and timings call it: the first line of its shader. */
  readonly name: string;
  readonly passes: readonly Pass[];
  /** Words of scratch; 0 where it binds none. */
  readonly scratch: number;
  readonly layout: GPUBindGroupLayout;
  readonly types: readonly GPUBufferBindingType[];
  /** The rows of its table; none where each operand has a binding. */
  readonly table: readonly Row[];
  /** The same with some inputs bound for writing, by their names. */
  readonly writable: Map<string, Built>;
}

export class GpuExecutable implements Executable {
  readonly kernel: Kernel;
  readonly bindings: Bindings;
  #built: Built;
  /** While it is not known yet how the kernel is computed: settles when it is, and when its pipelines are there. */
  #choosing: { readonly known: Promise<unknown>; readonly ready: Promise<unknown> } | null = null;

  constructor(kernel: Kernel, bindings: Bindings, built: Built) {
    this.kernel = kernel;
    this.bindings = bindings;
    this.#built = built;
  }

  get built(): Built {
    return this.#built;
  }
  get name(): string {
    return this.#built.name;
  }
  get passes(): readonly Pass[] {
    return this.#built.passes;
  }
  get scratch(): number {
    return this.#built.scratch;
  }

  /** From then on it is computed as that one is. Whoever submits before waits for it. */
  becomes(other: Promise<GpuExecutable>): void {
    const known = other.then((chosen) => {
      this.#built = chosen.#built;
      this.#choosing = null;
      return chosen;
    });
    const ready = known.then((chosen) => chosen.waiting);
    ready.catch(() => {}); // whoever waits hears of it
    this.#choosing = { known, ready };
  }
  /** Resolves when it is known how it is computed; null where it is. */
  get choosing(): Promise<unknown> | null {
    return this.#choosing?.known ?? null;
  }

  /** Resolves when all pipelines are there; null where they are. */
  get waiting(): Promise<unknown> | null {
    if (this.#choosing) return this.#choosing.ready;
    return waitingOf(this.#built);
  }
}

/** Resolves when all pipelines are there; null where they are. */
export function waitingOf({ passes }: Built): Promise<unknown> | null {
  const missing = passes.filter(({ made }) => made.pipeline === null);
  return missing.length ? Promise.all(missing.map(({ made }) => made.promise)) : null;
}

export class Compiler {
  /** How many pipelines and shader modules were made. */
  made = 0;
  readonly uniformLayout: GPUBindGroupLayout;
  readonly #device: GPUDevice;
  #target: Target;
  /** By their source and what they bind, least recently used first. */
  readonly #pipelines = new Map<string, Made>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice, target: Target) {
    this.#device = device;
    this.#target = target;
    this.uniformLayout = device.createBindGroupLayout({
      label: 'tessera uniforms',
      entries: [{ binding: 0, visibility: 4, buffer: { type: 'uniform', hasDynamicOffset: true } }],
    });
  }

  /** What writes and binds kernels that are rarely met, once one was. */
  get rare() {
    return rareOf(this.#target);
  }

  /** @param choice one of the kernel's candidates; the first where none is given */
  compile(kernel: Kernel, choice?: Choice): GpuExecutable {
    const bindings = bindingsOf(bind(kernel, this.#target.room));
    if (isRare(kernel, bindings, choice) && !this.#target.rare) return this.#later(kernel, bindings, choice);
    const { dispatches, scratch, table } = this.#generate(kernel, choice);
    const types = bindings.own.map(
      ({ type }): GPUBufferBindingType => (type === 'in' ? 'read-only-storage' : 'storage'),
    );
    const paged = bindings.paged.length > 0;
    if (paged) types.push('read-only-storage');
    for (let page = 0; page < bindings.words + bindings.halves; page++) types.push('storage');
    if (scratch) types.push('storage');
    const run = dispatches.filter(({ grid: [x, y] }) => x * y > 0);
    const name = titleOf(run[0]) ?? kernel.kind;
    const rows = paged ? (table ?? rowsOf(bindings)) : [];
    return new GpuExecutable(kernel, bindings, this.#build(kernel, { name, scratch, table: rows }, run, types));
  }

  /** The executable with these inputs bound for writing: they lie in a buffer that it also writes to. */
  writable({ kernel, bindings, built }: GpuExecutable, inputs: readonly string[]): Built {
    const key = inputs.join();
    if (!key) return built;
    let other = built.writable.get(key);
    if (!other) {
      const types = built.types.map((type, i) => {
        const operand = bindings.own[i];
        return operand && inputs.includes(nameOf(operand)) ? 'storage' : type;
      });
      const passes = built.passes.map(({ source, grid }) => ({
        grid,
        source: inputs.reduce(
          (text, name) => text.replace(`var<storage, read> ${name}:`, `var<storage, read_write> ${name}:`),
          source,
        ),
      }));
      other = this.#build(kernel, built, passes, types);
      built.writable.set(key, other);
    }
    return other;
  }

  #build(
    kernel: Kernel,
    { name, scratch, table }: Pick<Built, 'name' | 'scratch' | 'table'>,
    run: readonly Dispatch[],
    types: readonly GPUBufferBindingType[],
  ): Built {
    const layout = this.#layout(types);
    const passes = run.map((pass) => ({ ...pass, made: this.#pipeline(kernel, pass.source, types, layout) }));
    return { name, scratch, table, passes, types, layout, writable: new Map() };
  }

  /** An executable that becomes the kernel's when what writes it is loaded. */
  #later(kernel: Kernel, bindings: Bindings, choice?: Choice): GpuExecutable {
    const nothing = { name: kernel.kind, scratch: 0, table: [] };
    const executable = new GpuExecutable(kernel, bindings, this.#build(kernel, nothing, [], []));
    const load = async () => {
      try {
        const rare = await import('./kernels/rare');
        this.#target = { ...this.#target, rare };
      } catch (cause) {
        throw new BackendError(
          `webgpu: what writes ${kernel.kind} kernels was not loaded (${cause}); serve all files of the bundle`,
          { cause },
        );
      }
      return this.compile(kernel, choice);
    };
    executable.becomes(load());
    return executable;
  }

  #generate(kernel: Kernel, choice?: Choice): Program {
    if (kernel.uniforms.length > mostUniforms) {
      throw new BackendError(
        `webgpu: a ${kernel.kind} kernel takes ${kernel.uniforms.length} numbers at each run, at most ${mostUniforms} fit`,
      );
    }
    try {
      return generate(kernel, this.#target, choice);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError(`webgpu: a ${kernel.kind} kernel has no shader: ${reason}`, { cause });
    }
  }

  #layout(types: readonly GPUBufferBindingType[]): GPUBindGroupLayout {
    const key = types.join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries = types.map((type, binding) => ({ binding, visibility: 4, buffer: { type } }));
    const layout = this.#device.createBindGroupLayout({ label: `tessera ${types.length} buffers`, entries });
    this.#layouts.set(key, layout);
    return layout;
  }

  #pipeline(kernel: Kernel, source: string, types: readonly string[], layout: GPUBindGroupLayout): Made {
    const key = `${types.join()}\n${source}`;
    const known = this.#pipelines.get(key);
    if (known) this.#pipelines.delete(key);
    const made = known ?? this.#make(kernel, source, layout);
    this.#pipelines.set(key, made);
    if (this.#pipelines.size > mostPipelines) this.#pipelines.delete(this.#pipelines.keys().next().value as string);
    return made;
  }

  #make(kernel: Kernel, source: string, layout: GPUBindGroupLayout): Made {
    this.made++;
    const device = this.#device;
    const label = `tessera ${titleOf({ source }) ?? kernel.kind}`;
    const bindGroupLayouts = kernel.uniforms.length ? [layout, this.uniformLayout] : [layout];
    device.pushErrorScope('validation'); // the pipeline tells of it, with the line
    const module = device.createShaderModule({ label, code: source });
    void device.popErrorScope().catch(() => {});
    const descriptor = { label, layout: device.createPipelineLayout({ label, bindGroupLayouts }), compute: { module } };
    const make = async (): Promise<void> => {
      try {
        made.pipeline = await device.createComputePipelineAsync(descriptor);
      } catch (cause) {
        // written where one is met; that it was not loaded hides no cause
        throw await import('./kernels/rare').then(
          ({ shaderFault }) => shaderFault(kernel, label, source, module, cause),
          () => cause,
        );
      }
    };
    const made: Made = { pipeline: null, promise: Promise.resolve() };
    const promise = make();
    promise.catch(() => {}); // whoever waits hears of it
    return Object.assign(made, { promise });
  }
}

const titleOf = (dispatch: Pick<Dispatch, 'source'> | undefined) => /^\/\/ (.*)/.exec(dispatch?.source ?? '')?.[1];

/** The buffer that all kernels take their numbers from; grows, and then has a new bind group. */
export class Uniforms {
  /** Buffers made so far. */
  made = 0;
  group: GPUBindGroup | null = null;
  readonly #device: GPUDevice;
  readonly #layout: GPUBindGroupLayout;
  #buffer: GPUBuffer | null = null;

  constructor(device: GPUDevice, layout: GPUBindGroupLayout) {
    this.#device = device;
    this.#layout = layout;
  }

  write(words: Uint32Array<ArrayBuffer>): void {
    if (words.length === 0) return;
    const wanted = words.byteLength + uniformWindow;
    if (!this.#buffer || this.#buffer.size < wanted) {
      this.#buffer?.destroy();
      this.made++;
      const size = 2 ** Math.ceil(Math.log2(wanted));
      this.#buffer = this.#device.createBuffer({
        label: 'tessera uniforms',
        size,
        usage: usage.uniform | usage.copyDst,
      });
      const resource = { buffer: this.#buffer, size: uniformWindow };
      this.group = this.#device.createBindGroup({ layout: this.#layout, entries: [{ binding: 0, resource }] });
    }
    this.#device.queue.writeBuffer(this.#buffer, 0, words);
  }

  dispose(): void {
    this.#buffer?.destroy();
  }
}
