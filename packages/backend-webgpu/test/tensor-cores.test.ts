/**
 * Numbers of products on tensor cores, where no device has any: what a subgroup does at once is put into the shader as plain loops
 * that every lane goes through, and float16 as float32. Slabs, blocks, parts of k and stores are the generator's own.
 */
import { compareKernelCase, type KernelCase, kernelCases } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usage } from '../src/device';
import { conv } from '../src/kernels/conv';
import { matmul } from '../src/kernels/matmul';
import * as by from '../src/kernels/matrix';
import type { Program, Target } from '../src/shader';
import { emulatedAdapter } from './emulated';
import { largeDevice } from './target';

const size = 16;
const lanes = 32;
const target: Target = {
  ...largeDevice,
  room: { buffers: 10, bytes: 2 ** 27 },
  threads: 256,
  shared: 32768,
  scratch: 2 ** 26,
  matrix: { m: size, n: size, k: size, lanes, by },
  subgroup: lanes,
};

let device: GPUDevice;
beforeAll(async () => {
  const requiredLimits = { maxStorageBuffersPerShaderStage: 10, maxComputeWorkgroupStorageSize: target.shared };
  device = await (await emulatedAdapter()).requestDevice({ requiredLimits });
});
afterAll(() => device.destroy());

const block = `array<f32, ${size * size}>`;
const each = (body: string) =>
  `for (var i = 0u; i < ${size}u; i++) { for (var j = 0u; j < ${size}u; j++) { ${body} } }`;
const load = (slab: string) =>
  `fn load${slab}(at: u32, turned: bool, stride: u32) -> ${block} { var v: ${block};
  ${each(`v[i * ${size}u + j] = ${slab}[at + select(i * stride + j, j * stride + i, turned)];`)} return v; }`;
const helpers = [
  load('slabA'),
  load('slabB'),
  `fn multiply(a: ${block}, b: ${block}, c: ${block}) -> ${block} { var v = c; var x = a; var y = b;
  ${each(`for (var k = 0u; k < ${size}u; k++) { v[i * ${size}u + j] += x[i * ${size}u + k] * y[k * ${size}u + j]; }`)} return v; }`,
  `fn put(at: u32, c: ${block}, stride: u32) { var x = c; ${each(`blocks[at + i * stride + j] = x[i * ${size}u + j];`)} }`,
].join('\n');

/** The shader without tensor cores. */
function plain(source: string): string {
  if (!source.includes('subgroupMatrix')) return source;
  const text = source
    .replace(/^enable .*;$|^diagnostic.*;$/gm, '')
    .replace(/subgroupMatrixLoad<subgroup_matrix_\w+<[^>]*>>\(&(\w+), /g, 'load$1(')
    .replace(/subgroup_matrix_\w+<[^>]*>/g, block)
    .replaceAll('subgroupMatrixMultiplyAccumulate', 'multiply')
    .replace(/subgroupMatrixStore\(&blocks, (.*), false, (\w+)\);/g, `if (lane % ${lanes}u == 0u) { put($1, $2); }`)
    .replace(/\bf16\b/g, 'f32');
  return `${text}\n${helpers}`;
}

async function run({ kernel, inputs }: KernelCase, { dispatches, scratch }: Program): Promise<Float32Array[]> {
  const made: GPUBuffer[] = [];
  const buffer = (words: number) => {
    const use = usage.storage | usage.copyDst | usage.copySrc;
    const one = device.createBuffer({ size: Math.ceil(words / 4 + 1) * 16, usage: use });
    made.push(one);
    return one;
  };
  const read = inputs.map((values) => {
    const one = buffer(values.length);
    device.queue.writeBuffer(one, 0, values as Float32Array<ArrayBuffer>);
    return one;
  });
  const written = kernel.outputs.map((output) => buffer(output.size));
  const bound = [...read, ...written, ...(scratch ? [buffer(scratch)] : [])];
  const layout = device.createBindGroupLayout({
    entries: bound.map((_, binding) => ({
      binding,
      visibility: 4,
      buffer: { type: binding < read.length ? 'read-only-storage' : 'storage' },
    })),
  });
  const group = device.createBindGroup({
    layout,
    entries: bound.map((one, binding) => ({ binding, resource: { buffer: one } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setBindGroup(0, group);
  for (const { source, grid } of dispatches) {
    const module = device.createShaderModule({ code: plain(source) });
    pass.setPipeline(
      await device.createComputePipelineAsync({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module },
      }),
    );
    pass.dispatchWorkgroups(grid[0], grid[1]);
  }
  pass.end();
  const copies = written.map((one, i) => {
    const bytes = (kernel.outputs[i]?.size ?? 0) * 4;
    const staging = device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyDst });
    encoder.copyBufferToBuffer(one, 0, staging, 0, bytes);
    return staging;
  });
  device.queue.submit([encoder.finish()]);
  const outputs: Float32Array[] = [];
  for (const staging of copies) {
    await staging.mapAsync(1);
    outputs.push(new Float32Array(staging.getMappedRange().slice(0)));
    staging.destroy();
  }
  for (const one of made) one.destroy();
  return outputs;
}

describe('products on tensor cores, multiplied by loops', () => {
  const tile = by.matrixTiles.find(({ m }) => m === 32) as by.MatrixTile;
  it.each([
    ['matmul 64×64 by 64×64', 2, 'flat'], // vectors stored, and joined
    ['matmul 65×67 by 67×130, both transposed', 1, 'flat'],
    ['conv forward: 3 groups', 2, 'taps'], // behind weights that are laid out
  ] as const)('%s, k in %i, %s', async (title, splits, order) => {
    const test = kernelCases.find((one) => one.title === title) as KernelCase;
    const { kernel } = test;
    const choice = { way: 'matrix', tile, splits } as const;
    const program =
      kernel.kind === 'matmul'
        ? matmul(kernel, target, choice)
        : conv(kernel as Extract<typeof kernel, { kind: 'conv' }>, target, { ...choice, order });
    const outputs = await run(test, program);
    expect(await compareKernelCase(test, outputs, { accuracy: 'shader' })).toEqual([]);
  });
});
