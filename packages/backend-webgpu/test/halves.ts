/**
 * Runs shaders that no device here has the features for: what a subgroup does at once on tensor cores is put into them as plain loops
 * that every lane goes through, and float16 as float32 that is rounded to it.
 */
import type { KernelCase } from '@tessera/testkit';
import { usage } from '../src/device';
import type { Program } from '../src/shader';

export const size = 16;
export const lanes = 32;

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

/** To the nearest float16, ties to even, of those that are not subnormal: `quantizeToF16` may cut. */
const rounded = `fn rounded(x: f32) -> f32 { let e = frexp(x).exp; return ldexp(round(ldexp(x, 11 - e)), e - 11); }`;

/** The shader without tensor cores and float16: values are rounded to it, or not at all. */
function plain(source: string, rounds: boolean): string {
  const single = source
    .replace(/^enable (?!subgroups).*;$|^diagnostic.*;$/gm, '')
    .replace(/\bf16\(/g, rounds ? 'rounded(' : 'f32(')
    .replace(/\bf16\b/g, 'f32');
  if (!source.includes('subgroupMatrix')) return `${single}\n${rounded}`;
  const text = single
    .replace(/subgroupMatrixLoad<subgroup_matrix_\w+<[^>]*>>\(&(\w+), /g, 'load$1(')
    .replace(/subgroup_matrix_\w+<[^>]*>/g, block)
    .replaceAll('subgroupMatrixMultiplyAccumulate', 'multiply')
    .replace(/subgroupMatrixStore\(&blocks, (.*), false, (\w+)\);/g, `if (lane % ${lanes}u == 0u) { put($1, $2); }`);
  return [text, helpers, rounded].join('\n');
}

/** What the program makes of the inputs; a multiplication by blocks is one of 16 × 16 × 16 by 32 lanes. */
export async function run(
  device: GPUDevice,
  { kernel, inputs }: KernelCase,
  { dispatches, scratch }: Program,
  rounds = false,
): Promise<Float32Array[]> {
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
    const module = device.createShaderModule({ code: plain(source, rounds) });
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
