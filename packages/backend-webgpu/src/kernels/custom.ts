/**
 * A user's WGSL between what the scheduler put round it: an input is a function that computes its element (whatever view or
 * element-wise work stands behind it), the result goes out by a function that stores (whatever was fused behind it).
 *
 *     fn x(i: u32) -> f32           element i of input x, row-major        const x_size = 12u;
 *     fn put(i: u32, value: f32)    element i of the result                const size = 6u;
 */
import { BackendError, type CustomKernel, sizeOf } from '@tessera/tensor/backend';
import { atLinear } from '../place';
import { Block, type Program, Shader, type Target, wgslType } from '../shader';

export function custom(kernel: CustomKernel, target: Target): Program {
  const { backend, name, code, grid, shape, dtype, reads, stores } = kernel;
  if (backend !== 'webgpu') throw new BackendError(`${name} is code for ${backend}; choose that backend`);
  if (grid.some((count) => !Number.isInteger(count) || count < 0 || count > target.workgroups)) {
    throw new BackendError(
      `${name} wants ${grid} workgroups, this device runs up to ${target.workgroups} along an axis`,
    );
  }
  const shader = new Shader(kernel, target);
  const inputs = reads.map((read) => {
    const block = new Block(shader, atLinear('i', read.shape));
    const value = block.value(read.expr);
    return [`fn ${read.name}(i: u32) -> ${wgslType[read.expr.dtype]} {`, ...block.lines, `return ${value};`, '}'];
  });
  const block = new Block(
    shader,
    atLinear('i', shape, () => 'value'),
  );
  block.store(stores);
  const sizes = [
    ...reads.map((read) => `const ${read.name}_size = ${sizeOf(read.shape)}u;`),
    `const size = ${sizeOf(shape)}u;`,
  ];
  const put = [`fn put(i: u32, value: ${wgslType[dtype]}) {`, ...block.lines, '}'];
  const header = [`custom ${name} [${shape}] of ${reads.map((read) => `[${read.shape}]`).join(' ')}`];
  const main = [sizes, ...inputs, put, [code.trim()]].map((lines) => lines.join('\n')).join('\n\n');
  return { dispatches: [{ source: `${shader.source(header, false, main)}\n`, grid }], scratch: 0 };
}
