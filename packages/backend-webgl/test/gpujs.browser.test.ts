/**
 * What is used of gpu.js' insides, and its silent failures: each would be wrong numbers and no exception. A version of gpu.js
 * that writes another shader, or names its fields otherwise, fails here.
 */
import {
  add,
  compile,
  cumsum,
  matmul,
  mul,
  ones,
  State,
  scatterAdd,
  setBackend,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { BackendError, contiguous, type Expr, expr, type MapKernel, type ReduceKernel } from '@tessera/tensor/backend';
import { compareKernelCase, runKernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GpuJsCompiler } from '../src/gpujs';
import { type Webgl, webgl } from '../src/index';
import { formatOf } from '../src/layout';
import { contextsOf } from './contexts';

function context() {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2') as WebGL2RenderingContext;
  gl.getExtension('EXT_color_buffer_float');
  return { gl, format: formatOf(gl, true) };
}

let backend: Webgl;
let gl: WebGL2RenderingContext;
beforeAll(async () => {
  const { value, made } = await contextsOf(() => webgl());
  backend = value;
  gl = made[0] as WebGL2RenderingContext;
  setBackend(backend);
});
afterAll(() => {
  expect(gl.getError()).toBe(gl.NO_ERROR);
  backend.dispose();
});

/** Objects of the context made from now on, less those deleted, by their kinds. */
function counted(context: WebGL2RenderingContext): Record<string, number> {
  const live: Record<string, number> = { Texture: 0, Framebuffer: 0, Program: 0, Shader: 0, VertexArray: 0, Buffer: 0 };
  const calls = context as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const kind of Object.keys(live))
    for (const [name, by] of [
      [`create${kind}`, 1],
      [`delete${kind}`, -1],
    ] as const) {
      const call = calls[name]?.bind(context) as (...args: unknown[]) => unknown;
      calls[name] = (...args) => {
        live[kind] = (live[kind] as number) + by;
        return call(...args);
      };
    }
  return live;
}

const load = (input: number, shape: number[]): Expr => ({
  op: 'load',
  dtype: 'float32',
  input,
  view: contiguous(shape),
  at: null,
});

describe('gpu.js', () => {
  it('builds a program of two outputs, without a texture, a frame buffer or a canvas of its own', async () => {
    const device = context();
    const own = device.gl;
    const compiler = await GpuJsCompiler.make(device);
    const made: string[] = [];
    for (const name of ['createTexture', 'createFramebuffer', 'deleteFramebuffer', 'deleteTexture'] as const) {
      const old = own[name].bind(own) as (...args: unknown[]) => never;
      (own as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
        made.push(name);
        return old(...args);
      };
    }
    const { program, check } = compiler.build({
      source: 'function kernel() {\n  const x = one();\n  output1([x, 2, 3, 4]);\n  return [x + 1, x * 2, 0, 0];\n}',
      glsl: '// two\nfloat one() { return 1.0; }',
      natives: [{ name: 'one', args: [], returns: 'Number' }],
      outputs: 2,
    });
    check();
    expect(own.getProgramParameter(program, own.LINK_STATUS)).toBe(true);
    expect(own.getAttribLocation(program, 'aPos')).toBe(0);
    expect(made).toEqual(['createFramebuffer', 'deleteFramebuffer']);
    expect(own.getError()).toBe(own.NO_ERROR);
    own.getExtension('WEBGL_lose_context')?.loseContext();
  });

  it('says what it cannot build, with the line', async () => {
    const compiler = await GpuJsCompiler.make(context());
    const source = { source: 'function kernel() {\n  return [wrong(), 0, 0, 0];\n}', outputs: 1 };
    const natives = [{ name: 'wrong', args: [], returns: 'Number' as const }];
    const { check } = compiler.build({ ...source, natives, glsl: 'float wrong() { return nothing; }' });
    expect(check).toThrow(/builds no kernel.*return nothing/s);
    expect(check).toThrow(BackendError);
    expect(() => compiler.build({ ...source, natives, glsl: '', source: 'function kernel() {' })).toThrow(BackendError);
  });
});

describe('what fails silently elsewhere', () => {
  it('takes more than a thousand updates of one element', async () => {
    const updates = 5000;
    const index = tensor(new Int32Array(updates), { shape: [updates] });
    const y = scatterAdd(tensor(new Float32Array(100)), 0, index, ones([updates]));
    expect((await y.data())[0]).toBe(updates);
  });

  it('reads as many textures as the device binds', async () => {
    const inputs = Math.min(20, backend.info().units);
    const size = 9;
    const terms = Array.from({ length: inputs }, (_, i) => load(i, [size]));
    const kernel: MapKernel = {
      kind: 'map',
      inputs: terms.map(() => ({ dtype: 'float32', size })),
      outputs: [{ dtype: 'float32', size }],
      uniforms: [],
      aliases: [-1],
      parts: [
        {
          shape: [size],
          stores: [{ output: 0, view: contiguous([size]), expr: terms.reduce((a, b) => expr.add(a, b) as Expr) }],
        },
      ],
    };
    const data = terms.map((_, i) => Float32Array.from({ length: size }, (_, k) => i + k / 8));
    const c = { title: 'many inputs', kernel, inputs: data, uniforms: [] };
    for (let i = 0; i < 2; i++) expect(await compareKernelCase(c, await runKernelCase(backend, c))).toEqual([]);
    const more = { ...kernel, inputs: [...kernel.inputs, ...kernel.inputs] };
    const wide = Array.from({ length: 2 * inputs }, (_, i) => load(i, [size])).reduce((a, b) => expr.add(a, b) as Expr);
    const parts = [{ shape: [size], stores: [{ output: 0, view: contiguous([size]), expr: wide }] }];
    if (2 * inputs > backend.info().units)
      expect(() => backend.compile({ ...more, parts })).toThrow(/reads \d+ textures, this device binds \d+/);
  });

  it('counts beyond 2^24 in integers', async () => {
    const x = tensor(Int32Array.of(16_777_217, -16_777_217, 2_000_000_001, -5));
    expect([...(await add(x, 2).data())]).toEqual([16_777_219, -16_777_215, 2_000_000_003, -3]);
    expect([...(await cumsum(x, 0).data())]).toEqual([16_777_217, 0, 2_000_000_001, 1_999_999_996]);
  });

  it.each([
    [[40_001], [0]],
    [[3, 5000], [1]],
    [[5003, 3], [0]],
    [
      [130, 3, 41],
      [0, 2],
    ],
  ])('cuts few long rows into chunks: %j along %j', async (shape, axes) => {
    const size = shape.reduce((a, b) => a * b);
    const rows = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const count = rows.reduce((a, b) => a * b);
    const x = load(0, shape);
    const kernel: ReduceKernel = {
      kind: 'reduce',
      inputs: [{ dtype: 'float32', size }],
      outputs: [
        { dtype: 'float32', size: count },
        { dtype: 'int32', size: count },
        { dtype: 'float32', size },
      ],
      uniforms: [],
      aliases: [-1, -1, -1],
      shape,
      axes,
      stages: [
        [
          { combine: 'sum', expr: x, dtype: 'float32' },
          { combine: 'argmax', expr: x, dtype: 'int32' },
        ],
        [{ combine: 'max', expr: expr.sub(x, expr.acc(0)) as Expr, dtype: 'float32' }],
      ],
      stores: [
        { output: 0, view: contiguous(rows), expr: expr.acc(2), per: 'row' },
        { output: 1, view: contiguous(rows), expr: expr.acc(1, 'int32'), per: 'row' },
        { output: 2, view: contiguous(shape), expr: expr.mul(x, expr.acc(2)) as Expr, per: 'element' },
      ],
    };
    const data = Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1013) / 1013);
    const c = { title: 'long rows', kernel, inputs: [data], uniforms: [] };
    expect(await compareKernelCase(c, await runKernelCase(backend, c))).toEqual([]);
  });

  it('refuses a tensor larger than a texture, naming both', () => {
    expect(() => backend.allocate('bool', backend.limits.maxBufferBytes)).toThrow(
      /needs a texture of \d+ × \d+, this device makes \d+ rows/,
    );
  });
});

describe('memory', () => {
  it('that is not there is told: of large textures when they are made, of small ones before a read', async () => {
    const { value: own, made } = await contextsOf(() => webgl());
    const [device] = made as [WebGL2RenderingContext];
    const small = own.allocate('float32', 8);
    let errors: number[] = [device.OUT_OF_MEMORY];
    Object.assign(device, { getError: () => errors.shift() ?? device.NO_ERROR });
    await expect(own.download(small, 'float32', 8)).rejects.toThrow(/out of memory.*smaller batch/);
    errors = [device.OUT_OF_MEMORY];
    expect(() => own.allocate('float32', 2 ** 19)).toThrow(/out of memory for float32\[524288\].*smaller batch/);
    expect(own.memory()).toMatchObject({ buffers: 1 });
    own.dispose();
  });

  it('that was freed is kept up to a limit, beyond which the longest unused goes', async () => {
    const own = await webgl();
    const use = (...sizes: number[]) => {
      for (const size of sizes) own.free(own.allocate('float32', size * 2 ** 20));
      return own.info().objects.textures;
    };
    expect(use(6, 5, 4, 3)).toBe(4); // 72 MiB, of which 64 stay
    expect(own.memory()).toMatchObject({ bytes: 0, reserved: 48 * 2 ** 20 });
    expect(use(5, 4, 3, 3, 4)).toBe(4);
    expect(use(6)).toBe(5);
    expect(use(3, 4, 6)).toBe(5);
    expect(use(5)).toBe(6);
    own.dispose();
  });

  it('is flat over a thousand steps, in textures and programs too', async () => {
    const w = new State(ones([8, 8]));
    const step = compile((x: Tensor) => {
      w.assign(sub(w.read(), mul(w.read(), 0.001)));
      return sum(matmul(x, w.read()));
    });
    const x = ones([4, 8]);
    const run = async (times: number) => {
      for (let i = 0; i < times; i++) {
        using y = step(x);
        if (i % 20 === 0) await y.data();
      }
      await backend.sync();
    };
    await run(25);
    const before = [backend.info().objects, backend.memory().reserved];
    const live = counted(gl); // gpu.js' own objects too
    await run(1000);
    expect([backend.info().objects, backend.memory().reserved]).toEqual(before);
    expect(live).toEqual({ Texture: 0, Framebuffer: 0, Program: 0, Shader: 0, VertexArray: 0, Buffer: 0 });
  }, 120_000);
});
