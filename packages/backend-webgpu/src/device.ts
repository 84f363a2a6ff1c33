/** The device: found in a page, a worker or Node, with all that its adapter has; or handed in by whoever owns it. */
import { BackendError, type Limits, recomputeEagerly } from '@tessera/tensor/backend';
import type * as matrices from './kernels/matrix';
import { withoutLateSums } from './late-sums';
import { withPartials } from './partials';
import type { Target } from './shader';
import { bytesOf } from './stored';

export interface WebgpuOptions {
  /** A device of yours; it stays yours, and is not destroyed by `dispose`. */
  readonly device?: GPUDevice;
  /** An adapter of yours, from which the device is asked. */
  readonly adapter?: GPUAdapter;
  /** Which GPU of several: 'high-performance' or 'low-power'. */
  readonly powerPreference?: GPUPowerPreference;
  /** Bytes of tensors and intermediates that it may take in all; beyond, whoever asks for more is told. Default: no limit. */
  readonly maxMemoryBytes?: number;
  /** Computes a tiny network forward and backward first, and refuses a device whose answers are wrong. Default true. */
  readonly probe?: boolean;
  /**
   * Measures ways to compute each kernel when it first meets it, and keeps the fastest for the next run (in Node in
   * `~/.cache/tessera`, in a page in IndexedDB), by adapter. Slow to begin with; sums may then differ in their last bits.
   */
  readonly tune?: boolean;
  /** Told once when the device is lost; reads that wait reject with the same error. Make a new backend then. */
  readonly onLost?: (error: BackendError) => void;
}

/** A device, and what it was got from. */
export interface Found {
  readonly device: GPUDevice;
  /** Ours to destroy? */
  readonly own: boolean;
  readonly adapter: string;
  /** What the adapter could have given; null for a device that was handed in. */
  readonly offered: GPUSupportedLimits | null;
  /** Dawn's instance in Node: while anything of it is used, it must not be collected. */
  readonly instance: GPU | null;
  /** What writes products for tensor cores, where it has them. */
  readonly matrices: typeof matrices | null;
}
const matricesOf = ({ features }: GPUDevice) => (features.has(subgroupMatrix) ? import('./kernels/matrix') : null);

/** What the package `webgpu` exports. */
interface Dawn {
  create(flags: readonly string[]): GPU;
}

/** Limits raised to what the adapter has; all others stay at the defaults, which every device has. */
export const wanted = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const;
/** Matrices are Chromium's experiment, so types do not know of them. */
const subgroupMatrix = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
export const features: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query', subgroupMatrix];

/** @throws BackendError that says what to try, where there is no WebGPU, no adapter or no device. */
export async function findDevice(options: WebgpuOptions): Promise<Found> {
  const { device } = options;
  if (device) {
    const matrices = await matricesOf(device);
    return { device, own: false, adapter: describe(device.adapterInfo), offered: null, instance: null, matrices };
  }
  const instance = options.adapter ? null : await findGpu();
  const adapter = options.adapter ?? (await askAdapter(instance as GPU, options));
  try {
    const made = await adapter.requestDevice({
      requiredFeatures: features.filter((name) => adapter.features.has(name)),
      requiredLimits: Object.fromEntries(wanted.map((name) => [name, adapter.limits[name]])),
    });
    const matrices = await matricesOf(made);
    return { device: made, own: true, adapter: describe(adapter.info), offered: adapter.limits, instance, matrices };
  } catch (cause) {
    const saw = cause instanceof Error ? cause.message : String(cause);
    throw new BackendError(
      `webgpu: the adapter ${describe(adapter.info)} gave no device (${saw}); an adapter gives one once; ask for a new one`,
      { cause },
    );
  }
}

async function askAdapter(gpu: GPU, { powerPreference }: WebgpuOptions): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter(powerPreference ? { powerPreference } : {});
  if (adapter) return adapter;
  const inPage = 'navigator' in globalThis && 'gpu' in navigator;
  throw new BackendError(
    `webgpu: no adapter; ${
      inPage
        ? 'update browser and graphics driver, turn hardware acceleration on (chrome://gpu says what is wrong), or use @tessera/backend-cpu'
        : 'install a Vulkan driver and its loader (libvulkan1), or point VK_DRIVER_FILES at the driver’s .json; Debian’s chromium brings an emulated one: VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json'
    }`,
  );
}

/** A page's or worker's own, else the package `webgpu` in Node. */
async function findGpu(): Promise<GPU> {
  const own = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (own) return own;
  if (!globalThis.process?.versions?.node) {
    throw new BackendError(
      'webgpu: there is no navigator.gpu here; use a browser that has WebGPU, over https or localhost, or use @tessera/backend-cpu',
    );
  }
  const name = 'webgpu'; // by name, so that bundlers for pages leave it alone
  try {
    const { create } = (await import(/* @vite-ignore */ name)) as Dawn;
    return create(['disable-dawn-features=timestamp_quantization']); // to 65 µs and more, longer than most kernels
  } catch (cause) {
    throw new BackendError('webgpu: Node has no WebGPU of its own; npm install webgpu', { cause });
  }
}

const describe = (info: GPUAdapterInfo | undefined): string =>
  [info?.vendor, info?.architecture, info?.device, info?.description].filter(Boolean).join(' ') || 'unnamed';

/** Kernels with more tensors than the device binds find them by a table (pages.ts): the limit is one of reason, as backend-cpu's. */
export function limitsOf({ limits, features: has }: GPUDevice, target: Target): Limits {
  const bytes = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  return {
    maxBuffers: 1024,
    maxBufferBytes: bytes - (bytes % 4),
    inPlace: true, // the buffer is bound once, for reading and writing
    operandExpressions: true,
    dtypes: ['float32', 'int32', 'uint8', 'bool', ...(has.has('shader-f16') ? (['float16'] as const) : [])],
    // one binding is kept for scratch
    recompute: recomputeEagerly({ bytes: bytesOf, buffers: limits.maxStorageBuffersPerShaderStage - 1, row: 16384 }),
    refine: (jobs) => withPartials(withoutLateSums(jobs, target), target),
  };
}

export const targetOf = ({ limits, features, adapterInfo }: GPUDevice, matrices: Found['matrices'] = null): Target => ({
  room: {
    buffers: limits.maxStorageBuffersPerShaderStage,
    bytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
  },
  workgroups: limits.maxComputeWorkgroupsPerDimension,
  threads: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
  shared: limits.maxComputeWorkgroupStorageSize,
  scratch: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize, mostScratch),
  cached: cachedWorkgroups.test(`${adapterInfo?.vendor} ${adapterInfo?.architecture} ${adapterInfo?.description}`),
  rare: null,
  ...subgroupsOf(adapterInfo, features, matrices),
});

/** What the adapter tells of its subgroups; older browsers give a device no `adapterInfo`. */
function subgroupsOf(
  info: (GPUAdapterInfo & { readonly subgroupMatrixConfigs?: readonly MatrixConfig[] }) | undefined,
  has: GPUSupportedFeatures,
  by: Found['matrices'],
): Pick<Target, 'matrix' | 'subgroup'> {
  const { subgroupMinSize: least = 0, subgroupMaxSize: largest, subgroupMatrixConfigs } = info ?? {};
  if (!has.has('subgroups') || least === 0 || least !== largest) return { subgroup: null, matrix: null };
  const config =
    by && has.has('shader-f16')
      ? subgroupMatrixConfigs?.find((one) => one.componentType === 'f16' && one.resultComponentType === 'f32')
      : undefined;
  return { subgroup: least, matrix: by && config ? { m: config.M, n: config.N, k: config.K, lanes: least, by } : null };
}
interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Adapters whose workgroup memory is memory like any other: Arm's GPUs, and processors. */
const cachedWorkgroups = /\barm\b|swiftshader|llvmpipe/i;

/** All kernels share one scratch; ways that would want more are not taken. */
const mostScratch = 2 ** 29;

/** The flags of the API, by value: Node has no globals for them. */
export const usage = {
  mapRead: 1,
  mapWrite: 2,
  copySrc: 4,
  copyDst: 8,
  vertex: 32,
  uniform: 64,
  storage: 128,
  queryResolve: 512,
} as const;
export const mapRead = 1;
export const mapWrite = 2;
