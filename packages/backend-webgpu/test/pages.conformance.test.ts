/** Kernels with more operands than a device binds: their tensors move into pages, once, and stay what they were. */
import { valueAndGrad } from '@tessera/autograd';
import { AdamW, BatchNorm2d, Conv2d, Flatten, Linear, Parameter, Sequential, SGD } from '@tessera/nn';
import {
  type Backend,
  compile,
  manualSeed,
  mean,
  mul,
  realize,
  State,
  setBackend,
  square,
  sub,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { contiguous, type Expr, expr as e, type MapKernel } from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { compareKernelCase, type KernelCase, kernelCases, runKernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromGPUBuffer, toGPUBuffer, type Webgpu, webgpu } from '../src/index';
import { operandsOf } from '../src/pages';
import { emulatedAdapter } from './emulated';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A backend on a device that says that it binds so many buffers. */
async function binding(buffers: number): Promise<Webgpu> {
  const adapter = await emulatedAdapter();
  const device = await adapter.requestDevice();
  const names = Object.keys(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(device.limits)));
  const limits = Object.fromEntries(names.map((name) => [name, device.limits[name as keyof GPUSupportedLimits]]));
  Object.defineProperty(device, 'limits', { value: { ...limits, maxStorageBuffersPerShaderStage: buffers } });
  return webgpu({ device, probe: false });
}

/** Ten parts that are alike in nothing: part p is sin(Σ sᵢ·x[sᵢ + j])·p over `loads` places of a tensor of its own. */
function tenParts(loads: number): KernelCase {
  const sizes = Array.from({ length: 10 }, (_, p) => 5 + 3 * p);
  const parts: MapKernel['parts'] = sizes.map((size, p) => {
    const view = (offset: number) => ({ ...contiguous([size]), offset });
    const terms = Array.from({ length: loads }, (_, i): Expr => {
      const x: Expr = { op: 'load', dtype: 'float32', input: p, view: view((i * (p + 1)) % loads), at: null };
      return e.mul(x, e.constant(1 + i / 8));
    });
    const sum = terms.reduce((a, b) => e.add(a, b));
    const sine: Expr = { op: 'apply', dtype: 'float32', fn: 'sin', args: [sum] };
    return { shape: [size], stores: [{ output: p, view: view(0), expr: e.mul(sine, e.constant(p)) }] };
  });
  const tensors = (more: number) => sizes.map((size) => ({ dtype: 'float32', size: size + more }) as const);
  const inputs = tensors(loads);
  return {
    title: `a map of ten parts of ${loads} loads each`,
    kernel: {
      kind: 'map',
      parts,
      inputs,
      outputs: tensors(0),
      uniforms: [],
      aliases: sizes.map(() => -1),
    },
    inputs: inputs.map(({ size }, p) => Float32Array.from({ length: size }, (_, i) => Math.sin(p + 12.9898 * i))),
    uniforms: [],
  };
}

describe('a kernel with more operands than the device binds', () => {
  let backend: Webgpu;
  beforeAll(async () => {
    backend = await binding(5);
  });
  afterAll(() => backend.dispose());
  const many = kernelCases.filter(
    ({ kernel }) =>
      operandsOf(kernel).length >= 5 && [...kernel.inputs, ...kernel.outputs].every(({ dtype }) => dtype !== 'float16'),
  );
  it.each([...many, tenParts(16)])('$title', async (test) => {
    expect(await compareKernelCase(test, await runKernelCase(backend, test), { accuracy: 'shader' })).toEqual([]);
  });
});

describe('a step over tensors in pages', () => {
  let backend: Webgpu;
  beforeAll(async () => {
    backend = await binding(8);
  });
  afterAll(() => backend.dispose());

  const make = async (on: Backend, steps: number, kind: 'SGD' | 'AdamW') => {
    setBackend(on);
    manualSeed(3);
    // no bias before a norm: its gradient is rounding alone, of which AdamW makes whole steps
    const model = new Sequential(
      new Conv2d(2, 5, 3, { bias: false }),
      new BatchNorm2d(5),
      new Flatten(),
      new Linear(20, 7),
      new Linear(7, 3),
    );
    model.train();
    const parameters = model.parameters();
    const optimizer =
      kind === 'SGD' ? new SGD(parameters, { lr: 0.05, momentum: 0.9 }) : new AdamW(parameters, { lr: 0.01 });
    const step = compile(
      (x: Tensor) => {
        const loss = () => mean(square(sub(model.forward(x) as Tensor, 1)));
        const { value, grads } = valueAndGrad(loss, parameters);
        optimizer.step(grads);
        return value;
      },
      kind === 'AdamW' ? { commit: 'finite' } : {},
    );
    const values = Float32Array.from({ length: 128 }, (_, i) => Math.sin(12.9898 * i));
    const x = tensor(values, { shape: [4, 2, 4, 4] });
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) losses.push(await step(x).item());
    const cells = [...model.stateDict().values(), ...optimizer.stateDict().values()];
    const all = [losses, ...(await Promise.all(cells.map((cell) => cell.data())))].map((list) => [...list]);
    return { all, cells, step, x };
  };
  it.each(['SGD', 'AdamW'] as const)('trains as the reference does: %s', async (kind) => {
    const [ours, theirs] = [await make(backend, 4, kind), await make(reference({ dtype: 'float64' }), 4, kind)];
    const misses = ours.all.flatMap((list, i) =>
      list.map((value, k) => {
        const wanted = theirs.all[i]?.[k] as number;
        return Math.abs(value - wanted) / (0.01 + Math.abs(wanted));
      }),
    );
    expect(Math.max(...misses)).toBeLessThan(1e-3);
  });
});

describe('AdamW over parameters in pages', () => {
  const updated = async (on: Backend) => {
    setBackend(on);
    const shapes = [[3, 4], [7], [130], [2, 3, 3]];
    const numbers = (shape: readonly number[], seed: number) =>
      tensor(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(12.9898 * (i + seed))),
        { shape },
      );
    const parameters = shapes.map((shape, i) => new Parameter(numbers(shape, i)));
    const optimizer = new AdamW(parameters, { lr: 0.01, weightDecay: 0.1 });
    const step = compile((...grads: Tensor[]) => optimizer.step(grads));
    for (let i = 0; i < 3; i++) step(...shapes.map((shape, k) => numbers(shape, 10 * i + k)));
    const cells = [...parameters, ...optimizer.stateDict().values()];
    return Promise.all(cells.map(async (cell) => [...(await cell.data())]));
  };
  it('is what the reference computes', async () => {
    const backend = await binding(8);
    const [ours, theirs] = [await updated(backend), await updated(reference({ dtype: 'float64' }))];
    backend.dispose();
    expect(ours.map((list) => list.length)).toEqual(theirs.map((list) => list.length));
    ours.forEach((list, i) => {
      list.forEach((value, k) => {
        expect(value).toBeCloseTo(theirs[i]?.[k] as number, 5);
      });
    });
  });
});

describe('many tensors that are updated together', () => {
  const count = 24;
  const sizes = Array.from({ length: count }, (_, i) => 1 + ((i * 37) % 700));
  const numbers = (size: number, seed: number) => Float32Array.from({ length: size }, (_, k) => Math.cos(seed + k));
  let backend: Webgpu;
  beforeAll(async () => {
    backend = await binding(8);
    setBackend(backend);
  });
  afterAll(() => backend.dispose());
  const halving = async () => {
    const cells = sizes.map((size, i) => new State(tensor(numbers(size, i))));
    await realize(...cells);
    const step = compile(() => {
      for (const cell of cells) cell.assign(mul(cell.read(), 0.5));
      return undefined;
    });
    return { cells, step };
  };
  const expected = (i: number, factor: number) => [...numbers(sizes[i] as number, i)].map((value) => value * factor);

  it('are one dispatch and stay where they are; assigned, read and exported they are as any', async () => {
    const { cells, step } = await halving();
    step();
    step();
    await backend.sync();
    const { objects } = backend.info();
    for (let i = 0; i < 3; i++) step();
    await backend.sync();
    expect(backend.info().objects).toEqual(objects);
    for (const i of [0, 7, count - 1]) expect([...(await (cells[i] as State).data())]).toEqual(expected(i, 1 / 32));
    (cells[3] as State).assign(tensor(numbers(sizes[3] as number, 3)));
    const kept = (cells[5] as State).read();
    step();
    expect([...(await (cells[3] as State).data())]).toEqual(expected(3, 1 / 2));
    expect([...(await (cells[5] as State).data())]).toEqual(expected(5, 1 / 64));
    expect([...(await kept.data())]).toEqual(expected(5, 1 / 32));
    const out = await toGPUBuffer((cells[9] as State).read());
    expect([...(await fromGPUBuffer(out, { shape: [sizes[9] as number] }).data())]).toEqual(expected(9, 1 / 64));
  });

  it('may be buffers of the user, which live as long as their tensors', async () => {
    const taken = sizes.slice(0, 12).map((size, i) => {
      const gpu = backend.device.createBuffer({ size: 4 * size, usage: 128 | 4 | 8 });
      backend.device.queue.writeBuffer(gpu, 0, numbers(size, i));
      return { gpu, x: fromGPUBuffer(gpu, { shape: [size], ownership: 'take' }) };
    });
    const before = backend.memory();
    const double = compile((...xs: Tensor[]) => xs.map((x) => mul(x, 2)));
    const ys = double(...taken.map(({ x }) => x));
    for (const [i, y] of ys.entries()) expect([...(await y.data())]).toEqual(expected(i, 2));
    expect([...(await (taken[2] as (typeof taken)[number]).x.data())]).toEqual(expected(2, 1));
    const out = fromGPUBuffer((taken[4] as (typeof taken)[number]).gpu, { shape: [sizes[4] as number] });
    expect([...(await out.data())]).toEqual(expected(4, 1));
    for (const y of [...ys, out]) y.dispose();
    for (const { x } of taken) x.dispose();
    expect(backend.memory().bytes).toBeLessThan(before.bytes);
  });
});
