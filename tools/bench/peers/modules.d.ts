/** As much of the peers' types as the bench uses: they are installed at first use, and the type checker must do without. */
declare module '@tensorflow/tfjs-core' {
  export interface Tensor {
    data(): Promise<Float32Array>;
    dispose(): void;
    readonly shape: number[];
  }
  export const version_core: string;
  export function env(): { set(flag: string, value: boolean): void };
  export function engine(): { runKernel(name: string, inputs: object, attributes: object): Tensor };
  export function setBackend(name: string): Promise<boolean>;
  export function getBackend(): string;
  export function registerBackend(name: string, make: () => object): boolean;
  export function copyRegisteredKernels(from: string, to: string): void;
  export function removeBackend(name: string): void;
  export function ready(): Promise<void>;
  /** The WebGPU one. */
  export function backend(): {
    readonly commandEncoder: object | null;
    endComputePassEncoder(): void;
    submitQueue(): void;
    readonly queue: GPUQueue;
  };
  export function tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: 'int32'): Tensor;
  export interface Variable extends Tensor {
    assign(value: Tensor): void;
  }
  export function variable(initial: Tensor): Variable;
  export function oneHot(indices: Tensor, depth: number): Tensor;
  export const losses: { softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor };
  export const train: { adam(lr: number): { minimize(f: () => Tensor, cost: boolean): unknown; dispose(): void } };
  export function tidy<T>(f: () => T): T;
  export function transpose(x: Tensor, order?: readonly number[]): Tensor;
  export function reshape(x: Tensor, shape: readonly number[]): Tensor;
  export function matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  export function conv2d(x: Tensor, filter: Tensor, stride: number, padding: number | 'same'): Tensor;
  export function conv2dTranspose(
    x: Tensor,
    filter: Tensor,
    outputShape: readonly number[],
    stride: number,
    padding: number | 'same',
  ): Tensor;
  export function depthwiseConv2d(x: Tensor, filter: Tensor, stride: number, padding: 'same'): Tensor;
  export function softmax(x: Tensor): Tensor;
  export function moments(x: Tensor, axes: readonly number[], keepDims: boolean): { mean: Tensor; variance: Tensor };
  export function batchNorm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    offset: Tensor,
    scale: Tensor,
    epsilon: number,
  ): Tensor;
  export function sum(x: Tensor, axis?: number): Tensor;
  export function add(a: Tensor, b: Tensor | number): Tensor;
  export function sub(a: Tensor, b: Tensor | number): Tensor;
  export function mul(a: Tensor, b: Tensor | number): Tensor;
  export function rsqrt(x: Tensor): Tensor;
  export function relu(x: Tensor): Tensor;
  export function relu6(x: Tensor): Tensor;
  export function abs(x: Tensor): Tensor;
  export function mean(x: Tensor, axes: readonly number[], keepDims: boolean): Tensor;
  export function pad(x: Tensor, padding: readonly (readonly number[])[]): Tensor;
  export function concat(tensors: readonly Tensor[], axis: number): Tensor;
  type Padding = 'valid' | readonly (readonly number[])[];
  type Sides = readonly [number, number];
  export function maxPool(x: Tensor, window: Sides, strides: Sides, padding: Padding): Tensor;
  export function avgPool(x: Tensor, window: Sides, strides: Sides, padding: Padding): Tensor;
  interface Fused {
    bias: Tensor | undefined;
    activation: 'linear' | 'relu' | 'relu6';
  }
  interface FusedConvolution extends Fused {
    x: Tensor;
    filter: Tensor;
    strides: Sides;
    pad: Padding;
  }
  export const fused: {
    conv2d(options: FusedConvolution): Tensor;
    depthwiseConv2d(options: FusedConvolution): Tensor;
    matMul(options: Fused & { a: Tensor; b: Tensor }): Tensor;
  };
}
declare module '@tensorflow/tfjs-backend-webgpu' {}
declare module '@tensorflow/tfjs-core/dist/register_all_gradients' {}
declare module '@tensorflow/tfjs-backend-wasm' {
  export function setWasmPaths(folder: string): void;
}

declare module '@jax-js/jax' {
  export interface Array {
    readonly ref: Array;
    readonly shape: number[];
    add(other: Array | number): Array;
    sub(other: Array | number): Array;
    mul(other: Array | number): Array;
    div(other: Array | number): Array;
    sum(axes?: number | readonly number[], options?: { keepdims?: boolean }): Array;
    mean(axes?: number | readonly number[], options?: { keepdims?: boolean }): Array;
    reshape(shape: readonly number[]): Array;
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  type Tree = Array | readonly Array[];
  export function init(...devices: string[]): Promise<string[]>;
  export function defaultDevice(device: string): string;
  export function jit<F extends (...args: Array[]) => Tree>(f: F): F;
  export function grad(f: (x: Array) => Array): (x: Array) => Array;
  export function valueAndGrad(f: (x: Array[]) => Array): (x: Array[]) => [Array, Array[]];
  export function blockUntilReady<T>(x: T): Promise<T>;
  export const numpy: {
    array(values: Float32Array | Int32Array): Array;
    zeros(shape: readonly number[]): Array;
    matmul(a: Array, b: Array): Array;
    matrixTranspose(a: Array): Array;
    transpose(a: Array): Array;
    abs(a: Array): Array;
    sqrt(a: Array): Array;
    square(a: Array): Array;
    max(a: Array): Array;
    mean(a: Array): Array;
    clip(a: Array, least: number, most: number): Array;
    pad(a: Array, padding: readonly (readonly number[])[]): Array;
    concatenate(arrays: readonly Array[], axis: number): Array;
  };
  export const nn: {
    relu(x: Array): Array;
    softmax(x: Array, axis: number): Array;
    logSoftmax(x: Array, axis: number): Array;
    oneHot(x: Array, classes: number): Array;
    standardize(x: Array, axis: number | readonly number[], options: { epsilon: number }): Array;
  };
  export const lax: {
    convGeneralDilated(
      x: Array,
      w: Array,
      strides: readonly number[],
      padding: readonly (readonly number[])[],
      options?: { featureGroupCount?: number },
    ): Array;
    reduceWindow(x: Array, f: (x: Array) => Array, window: readonly number[], strides: readonly number[]): Array;
  };
}

declare module 'onnxruntime-web' {
  export const env: { versions: { web?: string }; wasm: { numThreads: number } };
  export class Tensor {
    constructor(type: 'float32', data: Float32Array, dims: readonly number[]);
  }
  export class InferenceSession {
    static create(
      model: Uint8Array,
      options: { executionProviders: string[]; graphOptimizationLevel: string; extra?: object },
    ): Promise<InferenceSession>;
    run(feeds: object): Promise<Record<string, { readonly data: Float32Array }>>;
    release(): Promise<void>;
  }
}

declare module 'protobufjs' {
  interface Type {
    fromObject(object: object): object;
    encode(message: object): { finish(): Uint8Array };
  }
  const protobuf: { Root: { fromJSON(schema: object): { lookupType(name: string): Type } } };
  export default protobuf;
}
declare module '@tensorflow/tfjs-backend-webgl' {
  export class MathBackendWebGL {
    constructor(canvas: OffscreenCanvas);
  }
}
