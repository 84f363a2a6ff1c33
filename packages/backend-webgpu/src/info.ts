/** What the device is and has, for people and for tests. */
import type { DType, Limits } from '@tessera/tensor/backend';
import { type Found, features, wanted } from './device';

export interface WebgpuInfo {
  /** Vendor, architecture and device, as far as the browser tells. */
  readonly adapter: string;
  /** What the device has of float16, subgroups and timestamps. */
  readonly features: readonly string[];
  /** What tensors may be stored as. Arithmetic is float32 without TF32; sums of float16 products are float32, too. */
  readonly dtypes: readonly DType[];
  readonly limits: {
    /** Bytes of one tensor. */
    readonly bufferBytes: number;
    /** Storage buffers of one kernel. */
    readonly buffers: number;
    /** Threads of a workgroup, and bytes that they share. */
    readonly workgroupThreads: number;
    readonly workgroupBytes: number;
    /** Workgroups along one axis of a dispatch. */
    readonly workgroups: number;
  };
  /** What this backend could use and does without here, each with what that costs. */
  readonly disabled: readonly string[];
  /** Objects made so far: a step that comes again adds none. */
  readonly objects: { readonly pipelines: number; readonly bindGroups: number; readonly buffers: number };
}

/** What a device without the feature does without. */
const without: Readonly<Record<string, string>> = {
  'shader-f16': 'float16 tensors and mixed precision: the device has no shader-f16',
  subgroups: 'reductions by subgroups: the device has no subgroups, workgroup memory is used',
  'timestamp-query': 'onKernel: the device has no timestamp-query',
};

export function infoOf(
  { device, adapter, offered }: Found,
  { dtypes }: Limits,
  objects: WebgpuInfo['objects'],
): WebgpuInfo {
  const { limits } = device;
  const lower = wanted.filter((name) => offered && limits[name] < offered[name]);
  return {
    adapter,
    features: features.filter((name) => device.features.has(name)),
    dtypes,
    limits: {
      bufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
      buffers: limits.maxStorageBuffersPerShaderStage,
      workgroupThreads: limits.maxComputeInvocationsPerWorkgroup,
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      workgroups: limits.maxComputeWorkgroupsPerDimension,
    },
    disabled: [
      ...features.filter((name) => !device.features.has(name)).map((name) => without[name] ?? name),
      ...lower.map((name) => `${name}: ${limits[name]} of the ${offered?.[name]} that the adapter has`),
    ],
    objects,
  };
}
