/**
 * Counting what is made of a device. `countCreations` watches one that computes; `countingDevice()` is one that computes nothing:
 * every call is there, every value read is 0, so that kernels, objects and bytes of networks are counted without a GPU, and the time
 * of a step is that of our own code alone.
 */

/** How often each `create…` was called, command encoders aside: a step needs one. */
export type Creations = Record<string, number>;

const perStep = ['createCommandEncoder'];

/** Counts from now on. Pipelines made asynchronously count as `createComputePipeline`. */
export function countCreations(device: GPUDevice): Creations {
  const counts: Creations = {};
  const creators = new Set<string>();
  for (let at: object | null = device; at && at !== Object.prototype; at = Object.getPrototypeOf(at) as object | null)
    for (const name of Object.getOwnPropertyNames(at))
      if (name.startsWith('create') && !perStep.includes(name)) creators.add(name);
  for (const name of creators) {
    const own = device[name as 'createBuffer'] as (...args: unknown[]) => unknown;
    const counted = name.replace('Async', '');
    Object.defineProperty(device, name, {
      configurable: true,
      value: (...args: unknown[]) => {
        counts[counted] = (counts[counted] ?? 0) + 1;
        return own.apply(device, args);
      },
    });
  }
  return counts;
}

export const total = (counts: Creations): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** What was encoded and submitted on a counting device. */
export interface Encoded {
  submits: number;
  encoders: number;
  passes: number;
  dispatches: number;
}
export interface CountingDevice {
  readonly device: GPUDevice;
  readonly encoded: Encoded;
}

/** Those of a desktop GPU. */
const limits = {
  maxBufferSize: 2 ** 32,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxStorageBuffersPerShaderStage: 16,
  maxComputeWorkgroupStorageSize: 49152,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupSizeY: 1024,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
  minUniformBufferOffsetAlignment: 256,
  minStorageBufferOffsetAlignment: 256,
  maxUniformBufferBindingSize: 65536,
  maxBindGroups: 4,
};

export function countingDevice(features: readonly GPUFeatureName[] = ['subgroups']): CountingDevice {
  const encoded: Encoded = { submits: 0, encoders: 0, passes: 0, dispatches: 0 };
  const nothing = (): void => {};
  const soon = async (): Promise<void> => {};
  const pass = {
    setPipeline: nothing,
    setBindGroup: nothing,
    dispatchWorkgroups: () => void encoded.dispatches++,
    dispatchWorkgroupsIndirect: () => void encoded.dispatches++,
    end: nothing,
  };
  const encoder = {
    beginComputePass: () => {
      encoded.passes++;
      return pass;
    },
    copyBufferToBuffer: (from: GPUBuffer, _: number, to: GPUBuffer) => {
      if (from === to) throw new Error('copyBufferToBuffer within a buffer, which WebGPU refuses');
    },
    clearBuffer: nothing,
    resolveQuerySet: nothing,
    finish: () => ({}),
  };
  const buffer = ({ size, usage, mappedAtCreation = false }: GPUBufferDescriptor) => ({
    size,
    usage,
    mapState: mappedAtCreation ? 'mapped' : 'unmapped',
    mapAsync: soon,
    getMappedRange: (offset = 0, bytes = size - offset) => new ArrayBuffer(bytes),
    unmap: nothing,
    destroy: nothing,
  });
  const device = {
    limits,
    features: new Set(features),
    adapterInfo: { vendor: 'none', architecture: '', device: '', description: 'counts, and computes nothing' },
    lost: new Promise(nothing),
    queue: {
      writeBuffer: nothing,
      writeTexture: nothing,
      submit: () => void encoded.submits++,
      onSubmittedWorkDone: soon,
    },
    createBuffer: buffer,
    createBindGroupLayout: () => ({}),
    createBindGroup: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({ getCompilationInfo: async () => ({ messages: [] }) }),
    createComputePipeline: () => ({ getBindGroupLayout: () => ({}) }),
    createComputePipelineAsync: async () => ({ getBindGroupLayout: () => ({}) }),
    createQuerySet: () => ({ destroy: nothing }),
    createTexture: () => ({ destroy: nothing }),
    createCommandEncoder: () => {
      encoded.encoders++;
      return encoder;
    },
    pushErrorScope: nothing,
    popErrorScope: async () => null,
    addEventListener: nothing,
    removeEventListener: nothing,
    destroy: nothing,
  };
  return { device: device as unknown as GPUDevice, encoded };
}
