/** Programs: made once a source, warmed with progress, dropped when there are too many. */
import {
  add,
  compile,
  conv2d,
  exp,
  matmul,
  mean,
  mul,
  relu,
  setBackend,
  sub,
  sum,
  type Tensor,
  tensor,
  warmup,
} from '@tessera/tensor';
import { contiguous, type Expr, expr, type MapKernel } from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Draw, compile as toDraws } from '../src/compile';
import { findDevice } from '../src/device';
import { GpuJsCompiler } from '../src/gpujs';
import { type Webgl, webgl } from '../src/index';
import { Programs } from '../src/programs';

let backend: Webgl;
beforeAll(async () => {
  backend = await webgl();
  setBackend(backend);
});
afterAll(() => backend.dispose());

const made = () => backend.info().objects.programs;

/** From the host, so that no kernel makes them. */
const ones = (shape: [number, number]) => tensor(new Float32Array(shape[0] * shape[1]).fill(1), { shape });

/** From the host: 0.5, 1, 1.5, … for each channel. */
const perChannel = ({ shape: [, c] }: Tensor) =>
  tensor(
    Float32Array.from({ length: c as number }, (_, i) => (i + 1) / 2),
    { shape: [1, c as number, 1, 1] },
  );
const filters = ({ shape: [, c] }: Tensor) =>
  tensor(
    Float32Array.from({ length: 72 * (c as number) }, (_, i) => Math.cos(i)),
    { shape: [8, c as number, 3, 3] },
  );
const centred = (x: Tensor) => sub(x, mean(x, [1, 2, 3], { keepdim: true }));

/** x + c over a vector: another c is another source. */
function plus(c: number, size = 8): MapKernel {
  const x: Expr = { op: 'load', dtype: 'float32', input: 0, view: contiguous([size]), at: null };
  const stores = [{ output: 0, view: contiguous([size]), expr: expr.add(x, expr.constant(c)) as Expr }];
  const operand = [{ dtype: 'float32' as const, size }];
  return {
    kind: 'map',
    inputs: operand,
    outputs: operand,
    uniforms: [],
    aliases: [-1],
    parts: [{ shape: [size], stores }],
  };
}

describe('programs', () => {
  it('are shared by kernels of one source, whatever ops they come from', async () => {
    const before = made();
    const executables = [backend.compile(plus(3)), backend.compile(plus(3))];
    const [x, y] = [backend.allocate('float32', 8), backend.allocate('float32', 8)];
    backend.upload(
      x,
      'float32',
      Float32Array.from({ length: 8 }, (_, i) => i),
    );
    for (const executable of executables) {
      backend.submit({ steps: [{ executable, inputs: [0], outputs: [1], uniforms: [] }] }, [x, y], []);
    }
    expect([...(await backend.download(y, 'float32', 8))]).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    expect(made()).toBe(before + 1);
    for (const each of [x, y]) backend.free(each);
  });

  it.each<[string, readonly (readonly number[])[], (x: Tensor) => Tensor]>([
    [
      'a chain with a scale for each channel',
      [
        [2, 3, 5, 7],
        [4, 6, 3, 9],
        [3, 9, 11, 5],
      ],
      (x) => relu(add(mul(x, perChannel(x)), 0.5)),
    ],
    [
      'the mean of each image',
      [
        [2, 3, 5, 7],
        [6, 3, 5, 7],
        [9, 3, 5, 7],
      ],
      (x) => mean(x, [1, 2, 3]),
    ],
    [
      'images that are centred',
      [
        [3, 5, 6, 6],
        [7, 5, 6, 6],
        [9, 5, 6, 6],
      ],
      centred,
    ],
    [
      'a convolution',
      [
        [3, 8, 12, 12],
        [5, 8, 12, 12],
        [6, 8, 12, 12],
      ],
      (x) => conv2d(x, filters(x), { padding: 1 }),
    ],
  ])('of %s are those of another shape', async (_, shapes, f) => {
    const host = reference();
    for (const [turn, shape] of shapes.entries()) {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
      setBackend(host);
      const wanted = await f(tensor(values, { shape })).data();
      setBackend(backend);
      const before = made();
      const saw = await f(tensor(values, { shape })).data();
      for (const [i, each] of saw.entries()) expect(each).toBeCloseTo(wanted[i] as number, 4);
      expect(made() === before).toBe(turn > 0);
    }
  });

  it('go from the device when there are too many, the longest unused first, and are built again', async () => {
    const device = findDevice({});
    const { gl } = device;
    const programs = new Programs(device, await GpuJsCompiler.make(device), 4);
    const draws = [1, 2, 3, 4, 5].map((c) => toDraws(plus(c), device).steps[0] as Draw);
    const [first, second] = draws as [Draw, Draw];
    const built = draws.slice(0, 4).map((draw) => programs.of(draw, [7], 7));
    programs.of(first, [7], 7); // used again, so the second is the oldest
    programs.of(draws[4] as Draw, [7], 7);
    expect(built.map(({ live }) => live)).toEqual([true, false, true, true]);
    expect(built.map(({ program }) => gl.isProgram(program))).toEqual([true, false, true, true]);
    expect(programs.made).toBe(5);
    expect(gl.isProgram(programs.of(second, [7], 7).program)).toBe(true);
    expect(programs.made).toBe(6);
    expect(gl.getError()).toBe(gl.NO_ERROR);
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  });
});

describe('warmup', () => {
  const step = () => compile((x: Tensor, y: Tensor) => sum(exp(mul(matmul(x, y), 0.01))));

  it('makes every program before the first call, tells how far it is, and lets the page go on between two', async () => {
    const f = step();
    const [x, y] = [ones([6, 10]), ones([10, 7])];
    const progress: string[] = [];
    let turns = 0;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      turns++;
      channel.port2.postMessage(0);
    };
    channel.port2.postMessage(0);
    const turnsAt: number[] = [];
    await warmup(f, [x, y], {
      onProgress: ({ done, total }) => {
        progress.push(`${done}/${total}`);
        turnsAt.push(turns);
      },
    });
    channel.port1.close();
    const total = progress.length - 1;
    expect(total).toBeGreaterThan(1);
    expect(progress).toEqual(Array.from({ length: total + 1 }, (_, done) => `${done}/${total}`));
    for (let i = 1; i < turnsAt.length; i++) expect(turnsAt[i]).toBeGreaterThan(turnsAt[i - 1] as number);
    const before = made();
    expect(await f(x, y).item()).toBeCloseTo(6 * 7 * Math.exp(0.1), 3);
    expect(made()).toBe(before);
  });

  it('tells at once that all is there where it was made before', async () => {
    const progress: number[] = [];
    await warmup(step(), [ones([6, 10]), ones([10, 7])], {
      onProgress: ({ done, total }) => progress.push(total - done),
    });
    expect(progress).toEqual([0]);
  });

  it.each([
    ['between two programs', (stop: () => void) => stop(), 1, 9],
    ['by a timer of the page, while one is made', (stop: () => void) => setTimeout(stop), 2, 14],
  ])('ends when the signal says so, %s, with its reason; what is made stays', async (_, when, few, n) => {
    const f = compile((x: Tensor) => sum(exp(add(matmul(x, x), 0.25))));
    const controller = new AbortController();
    const before = made();
    const seen: number[] = [];
    const wait = warmup(f, [ones([n, n])], {
      signal: controller.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (seen.length === 2) when(() => controller.abort(new Error('enough')));
      },
    });
    await expect(wait).rejects.toThrow('enough');
    expect(seen).toEqual([seen[0], (seen[0] as number) + 1]);
    expect(made()).toBe(before + few);
    expect((await f(ones([n, n])).item()) / (n ** 2 * Math.exp(n + 0.25))).toBeCloseTo(1, 5);
    await expect(warmup(f, [ones([n, n])], { signal: controller.signal })).rejects.toThrow('enough');
  });
});
