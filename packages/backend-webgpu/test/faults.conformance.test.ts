/** What goes wrong with a GPU, and what whoever uses it hears of that. */
import { valueAndGrad } from '@tessera/autograd';
import {
  add,
  compile,
  matmul,
  mul,
  ones,
  State,
  setBackend,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  warmup,
} from '@tessera/tensor';
import { BackendError } from '@tessera/tensor/backend';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Webgpu, webgpu } from '../src/index';
import { emulated, emulatedAdapter } from './emulated';

const made: Webgpu[] = [];
async function make(options = {}): Promise<Webgpu> {
  const backend = await webgpu({ ...(await emulated()), ...options });
  made.push(backend);
  setBackend(backend);
  return backend;
}
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  for (const backend of made.splice(0)) backend.dispose();
});

/** Changes the source of each shader from now on. */
function rewriting(device: GPUDevice, change: (code: string) => string): GPUDevice {
  const create = device.createShaderModule.bind(device);
  const value = (descriptor: GPUShaderModuleDescriptor) => create({ ...descriptor, code: change(descriptor.code) });
  Object.defineProperty(device, 'createShaderModule', { value, configurable: true });
  return device;
}

describe('no GPU', () => {
  it('without an adapter says what to try', async () => {
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => null } });
    await expect(webgpu()).rejects.toThrow(/^webgpu: no adapter; .*@tessera\/backend-cpu|chrome:\/\/gpu/);
    await expect(webgpu()).rejects.toBeInstanceOf(BackendError);
  });

  it('where the adapter gives no device says why', async () => {
    const adapter = await emulatedAdapter();
    const first = await webgpu({ adapter });
    made.push(first);
    await expect(webgpu({ adapter })).rejects.toThrow(
      /gave no device [\s\S]*an adapter gives one once; ask for a new one/,
    );
  });
});

describe('the probe', () => {
  it('refuses a device whose gradients are wrong, naming which', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    const wrong = (code: string) => (/^\/\/.*weightGrad/.test(code) ? brokenSum(code) : code);
    rewriting(device, wrong);
    await expect(webgpu({ device })).rejects.toThrow(/computes wrongly: a conv weightGrad kernel gave ∂w = /);
    device.destroy();
  });

  it('takes a few kernels, and leaves nothing behind', async () => {
    const backend = await make();
    expect(backend.memory().buffers).toBe(0);
    expect(backend.info().objects.pipelines).toBeLessThan(12);
  });
});
/** Numbers as they are stored come out one too large. */
const brokenSum = (code: string) => code.replace(/(\n\s*\w+\[[^\n]*\] = )([^;\n]+);/g, '$1($2) + 1;');

describe('a device with the least limits and no features', () => {
  it('trains, and says what is disabled', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    const backend = await make({ device });
    const w = new State(ones([8, 4]));
    const step = compile((x: Tensor) => {
      const { value, grads } = valueAndGrad(() => sum(square(matmul(x, w.read()))), w);
      w.assign(sub(w.read(), mul(grads, 0.001)));
      return value;
    });
    expect(await step(ones([3, 8])).item()).toBe(768);
    expect(await step(ones([3, 8])).item()).toBeCloseTo(768 * (1 - 0.048) ** 2, 2);
    const { disabled, dtypes, limits } = backend.info();
    expect(disabled).toContain('float16 tensors and mixed precision: the device has no shader-f16');
    expect(dtypes).not.toContain('float16');
    expect(limits.buffers).toBe(8);
    device.destroy();
  });
});

describe('a device that holds little in one buffer', () => {
  it('refuses a tensor that is too large, naming op, shape and bytes, and goes on with what fits', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    const most = 2 ** 16;
    const { limits } = device;
    const small = new Proxy(limits, {
      get: (_, name) =>
        /^max(Storage)?Buffer(Binding)?Size$/.test(String(name)) ? most : Reflect.get(limits, name, limits),
    });
    Object.defineProperty(device, 'limits', { value: small });
    const sizes: number[] = [];
    const create = device.createBuffer.bind(device);
    Object.defineProperty(device, 'createBuffer', {
      value: (descriptor: GPUBufferDescriptor) => {
        sizes.push(descriptor.size);
        return create(descriptor);
      },
    });
    const backend = await make({ device });
    expect(backend.info().limits.bufferBytes).toBe(most);
    await expect(async () => matmul(ones([200, 4]), ones([4, 100])).data()).rejects.toThrow(
      /matmul: a float32 value of shape \[200,100\] .*needs 80000 bytes, the backend holds at most 65536 in one buffer/,
    );
    const parts = Array.from({ length: 3 }, (_, i) => new State(mul(ones([90, 90]), i))); // 97 kB in all
    const step = compile((x: Tensor) => {
      for (const part of parts) part.assign(sub(part.read(), x));
    });
    for (let i = 0; i < 2; i++) step(ones([90]));
    expect((await Promise.all(parts.map((part) => part.data()))).map((values) => values[8099])).toEqual(
      parts.map((_, i) => i - 2),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
    device.destroy();
  });
});

describe('a device of the user', () => {
  it('serves two backends at once, and goes on when one of them is disposed of', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    const [a, b] = [await make({ device }), await make({ device })];
    const run = async (backend: Webgpu) => {
      setBackend(backend);
      return (await mul(ones([300]), 2).data())[299];
    };
    expect([await run(a), await run(b)]).toEqual([2, 2]);
    a.dispose();
    expect(await run(b)).toBe(2);
    b.dispose();
    const state = await Promise.race([device.lost, device.queue.onSubmittedWorkDone()]);
    expect(state).toBeUndefined(); // it is not lost
    device.destroy();
  });
});

describe('a lost device', () => {
  const training = () => {
    const w = new State(ones([4, 2]));
    const step = compile((x: Tensor) => {
      const { value, grads } = valueAndGrad(() => sum(square(matmul(x, w.read()))), w);
      w.assign(sub(w.read(), mul(grads, 0.01)));
      return value;
    });
    return { w, step };
  };

  it('rejects what waits, tells onLost once, and the same model goes on from the last checkpoint on a new one', async () => {
    await make();
    const through = training();
    const x = () => ones([3, 4]);
    const wanted: number[] = [];
    for (let i = 0; i < 4; i++) wanted.push(await through.step(x()).item());

    const device = await (await emulatedAdapter()).requestDevice();
    const lost: string[] = [];
    const own = await make({ device, onLost: ({ message }: BackendError) => lost.push(message) });
    const { w, step } = training();
    const losses = [await step(x()).item(), await step(x()).item()];
    const checkpoint = await w.data();
    const late = step(x()).item();
    device.destroy();
    await expect(late).rejects.toThrow(/^webgpu: /);
    await device.lost;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lost).toEqual([
      expect.stringMatching(/device was lost .* make a new backend with webgpu\(\) and load the last/),
    ]);
    await expect(own.sync()).rejects.toThrow(/device was lost/);

    await make();
    w.assign(tensor(checkpoint, { shape: [4, 2] }));
    losses.push(await step(x()).item(), await step(x()).item());
    expect(losses).toEqual(wanted);
  });
});

describe('a device that is lost while shaders are made', () => {
  it('is told to whoever reads, and to nobody else: no promise is left alone', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    const backend = await make({ device });
    // as drivers do: pipelines that are under way when the device goes are refused
    const refused = () => device.lost.then(() => Promise.reject(new Error('lost')));
    Object.defineProperty(device, 'createComputePipelineAsync', { value: refused });
    const alone: unknown[] = [];
    const note = (event: unknown) => alone.push(event instanceof Error ? event.message : event);
    const listening = unhandled(note);
    try {
      const w = new State(ones([4, 2]));
      const step = compile((x: Tensor) => {
        w.assign(mul(w.read(), sum(x)));
        return square(matmul(x, w.read()));
      });
      const reads = [3, 5, 7].map((rows) => step(ones([rows, 4])).data());
      for (const rows of [9, 11]) step(ones([rows, 4])); // nobody reads these
      const waits = Promise.allSettled([...reads, warmup(step, [ones([13, 4])]), backend.sync()]);
      device.destroy();
      for (const wait of await waits)
        expect(wait).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/^webgpu: /) } });
      await device.lost;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } finally {
      listening();
    }
    expect(alone).toEqual([]);
  });
});

/** Calls back for each promise that rejects and that nobody waits for. Gives what ends it. */
function unhandled(listener: (reason: unknown) => void): () => void {
  if ('document' in globalThis) {
    const heard = (event: PromiseRejectionEvent) => listener(event.reason);
    addEventListener('unhandledrejection', heard);
    return () => removeEventListener('unhandledrejection', heard);
  }
  process.on('unhandledRejection', listener);
  return () => process.off('unhandledRejection', listener);
}

describe('memory', () => {
  it('beyond the limit of one buffer is refused, naming tensor and limit', async () => {
    const backend = await make();
    expect(() => backend.allocate('float32', backend.limits.maxBufferBytes)).toThrow(
      /float32\[\d+\] needs \d+ bytes, this device holds at most \d+/,
    );
  });

  it('beyond maxMemoryBytes is refused, naming tensor, plan, peak and limit, and the rest goes on', async () => {
    await make({ maxMemoryBytes: 10_000 });
    const x = ones([1000]);
    await x.data();
    await expect(async () => add(mul(x, 2), ones([2, 1000])).data()).rejects.toThrow(
      /out of memory: this plan of \d+ kernels? .* float32\[\d+\] needs \d+ bytes beside \d+ in use \(peak \d+\), maxMemoryBytes is 10000/,
    );
    expect(await sum(x).item()).toBe(1000);
  });

  it('that the device has not is told to every read, naming what asked for it', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    const backend = await make({ device });
    const pop = device.popErrorScope.bind(device);
    const push = device.pushErrorScope.bind(device);
    const filters: string[] = [];
    const full = { message: 'Out of device memory.' } as GPUError;
    Object.defineProperty(device, 'pushErrorScope', {
      value: (filter: GPUErrorFilter) => {
        filters.push(filter);
        push(filter);
      },
    });
    Object.defineProperty(device, 'popErrorScope', {
      value: () => (filters.pop() === 'out-of-memory' ? pop().then(() => full) : pop()),
    });
    await expect(mul(ones([5000]), 2).data()).rejects.toThrow(
      /^webgpu: out of memory for float32\[5000\] of \d+ bytes, beside \d+ in use \(peak \d+\) and \d+ kept; .*Out of device memory/,
    );
    await expect(backend.sync()).rejects.toThrow(/out of memory/);
    device.destroy();
  });
});

describe('a shader that does not compile', () => {
  it('is told to the read, with the kernel, its IR and the line', async () => {
    const device = await (await emulatedAdapter()).requestDevice();
    await make({ device });
    rewriting(device, (code) => code.replace(/fn main/, 'fn main ?'));
    await expect(mul(ones([3]), 2).data()).rejects.toThrow(
      /the shader of map \[3\] .* does not compile, line \d+: fn main\(.*[\s\S]*IR: \{.*"kind":"map"/,
    );
    device.destroy();
  });
});

describe('a backend that is disposed of', () => {
  it('rejects a read that is being mapped, and no promise is left alone', async () => {
    const backend = await make();
    const x = mul(ones([100_000]), 2);
    const reads = [x.data(), add(x, 1).data()];
    await Promise.resolve();
    backend.dispose();
    for (const read of reads) await expect(read).rejects.toThrow('webgpu: the backend was disposed of; make a new one');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(() => backend.allocate('float32', 4)).toThrow(/disposed of/);
  });
});

describe('two backends at once', () => {
  it('compute side by side, each on its own, and do not take the tensors of the other', async () => {
    const [a, b] = [await make(), await make()];
    const run = async (backend: Webgpu, value: number) => {
      setBackend(backend);
      return mul(ones([64]), value).data();
    };
    const both = await Promise.all([run(a, 2), run(b, 3), run(a, 4), run(b, 5)]);
    expect(both.map((values) => values[63])).toEqual([2, 3, 4, 5]);
    setBackend(a);
    const x = mul(ones([300]), 2);
    await x.data();
    setBackend(b);
    await expect(async () => add(x, 1).data()).rejects.toThrow('to(t, backend)');
    a.dispose();
    expect((await run(b, 6))[0]).toBe(6);
  });
});
