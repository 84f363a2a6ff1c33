/** Kernels of the user's own among the ops. */
import { valueAndGrad } from '@tessera/autograd';
import { add, compile, mul, ones, relu, setBackend, slice, sum, type Tensor, tensor, transpose } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { customKernel, type Webgpu, webgpu } from '../src/index';
import { emulated } from './emulated';

let backend: Webgpu;
beforeAll(async () => {
  backend = await webgpu(await emulated());
});
afterAll(() => backend.dispose());

/** y[i] = x[i]·w[i] + the sum of x over the workgroup of 4 that i is in. */
const blockSum = customKernel({
  name: 'blockSum',
  inputs: ['x', 'w'],
  shape: ([x]) => x as readonly number[],
  workgroups: ({ output }) => Math.ceil(output.reduce((a, b) => a * b, 1) / 4),
  code: `
    var<workgroup> shared_x: array<f32, 4>;
    @compute @workgroup_size(4)
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
      let i = id.x;
      shared_x[lane] = select(0.0, x(min(i, size - 1)), i < size);
      workgroupBarrier();
      if (i < size) { put(i, x(i) * w(i) + shared_x[0] + shared_x[1] + shared_x[2] + shared_x[3]); }
    }`,
  gradient: (g, [x, w]) => [add(mul(g, w as Tensor), blocks(g)), mul(g, x as Tensor)],
});
/** The sum of the 4 that each element is among, by the kernel itself: blockSum(g, 0). */
const blocks = (g: Tensor): Tensor => blockSum(g, mul(g, 0));

const expected = (x: number[], w: number[]) =>
  x.map((value, i) => value * (w[i] as number) + x.slice(i - (i % 4), i - (i % 4) + 4).reduce((a, b) => a + b, 0));

describe('customKernel', () => {
  it('reads what it is given, views and pending work too, and what follows is fused to it', async () => {
    setBackend(backend);
    const x = tensor([
      [1, 5],
      [2, 6],
      [3, 7],
    ]);
    const w = add(slice(tensor([9, 0, 9, 1, 9, 2, 9, 3, 9, 4, 9, 5]), [[1, null, 2]]), 0.5);
    const y = relu(add(blockSum(transpose(x), w), -20));
    const wanted = expected([1, 2, 3, 5, 6, 7], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
    expect(y.shape).toEqual([2, 3]);
    expect([...(await y.data())]).toEqual(wanted.map((value) => Math.max(0, value - 20)));
  });

  it('has the gradient that it was given, and runs in compiled steps', async () => {
    setBackend(backend);
    const step = compile((x: Tensor, w: Tensor) => {
      const { value, grads } = valueAndGrad(() => sum(blockSum(x, w)), [x, w]);
      return [value, ...(grads as Tensor[])];
    });
    const [x, w] = [
      [1, 2, 3, 4, 5, 6],
      [1, 0, 2, 0, 3, 0],
    ] as const;
    for (let i = 0; i < 2; i++) {
      const [value, dx, dw] = step(tensor([...x]), tensor([...w])) as [Tensor, Tensor, Tensor];
      expect(await value.item()).toBe(expected([...x], [...w]).reduce((a, b) => a + b, 0));
      expect([...(await dx.data())]).toEqual(w.map((each, at) => each + (at < 4 ? 4 : 2)));
      expect([...(await dw.data())]).toEqual([...x]);
    }
  });

  it('says what does not fit', async () => {
    setBackend(backend);
    expect(() => blockSum(ones([2]))).toThrow('blockSum: 1 inputs, wants 2: x, w');
    const options = { name: 'f', shape: () => [1], workgroups: () => 1, code: '' };
    expect(() => customKernel({ ...options, inputs: ['put'] })).toThrow(/f names its inputs put; use different words/);
    setBackend(reference({ dtype: 'float32' }));
    await expect(async () => blockSum(ones([4]), ones([4])).data()).rejects.toThrow(
      'reference: blockSum is code for webgpu; choose that backend',
    );
  });

  it('shows the line that does not compile', async () => {
    const own = await webgpu(await emulated());
    setBackend(own);
    const wrong = customKernel({
      name: 'wrong',
      inputs: ['x'],
      shape: ([x]) => x as readonly number[],
      workgroups: () => 1,
      code: '@compute @workgroup_size(1) fn main() { put(0u, y(0u)); }',
    });
    await expect(wrong(ones([2])).data()).rejects.toThrow(
      /the shader of custom wrong \[2\] of \[2\] does not compile, line \d+: @compute .*y\(0u\)/,
    );
    own.dispose();
  });
});
