/**
 * How fast the product kernels are beside the machine's limit, measured in the same run:
 *
 *   node --import ./tools/loader/register.mjs --conditions=@tessera/source packages/backend-cpu/bench/products.ts
 *        [--relaxed] [--threads 2] [name…]
 *
 * GFLOP/s are useful ones (Winograd's count as the plain convolution's); each figure is the best run of half a second, so that
 * a busy machine tells the same as an idle one. The limit is a loop of multiply-adds on registers, times the threads.
 */
import v8 from 'node:v8';
import {
  type ConvKernel,
  contiguous,
  type Kernel,
  type MatmulKernel,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import { brIf, f32x4, i32, type Local, Module, repeat, set, v128 } from '../src/assembler';
import { cpu } from '../src/index';

const args = process.argv.slice(2);
const relaxed = args.includes('--relaxed');
const threads = Number(args[args.indexOf('--threads') + 1] || 1);
const names = args.filter((arg, i) => !arg.startsWith('--') && args[i - 1] !== '--threads');
if (relaxed) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');

const float = (size: number) => ({ dtype: 'float32' as const, size });
const load = (input: number, view: View) => ({ op: 'load', dtype: 'float32', input, view, at: null }) as const;
const acc = { op: 'acc', dtype: 'float32', index: 0 } as const;

function matmul(m: number, n: number, k: number, turned = ''): MatmulKernel {
  const matrix = (rows: number, columns: number, turn: boolean): View =>
    turn ? { shape: [rows, columns], strides: [1, rows], offset: 0, valid: null } : contiguous([rows, columns]);
  return {
    kind: 'matmul',
    batch: [],
    m,
    n,
    k,
    inputs: [float(m * k), float(k * n)],
    outputs: [float(m * n)],
    uniforms: [],
    aliases: [-1],
    a: load(0, matrix(m, k, turned.includes('a'))),
    b: load(1, matrix(k, n, turned.includes('b'))),
    stores: [{ output: 0, view: contiguous([m, n]), expr: acc }],
  };
}

type Shape = readonly [n: number, c: number, o: number, size: number, kernel: number, stride?: number, groups?: number];
function conv(direction: ConvKernel['direction'], [n, c, o, size, r, stride = 1, groups = 1]: Shape): ConvKernel {
  const padding = Math.floor(r / 2);
  const out = Math.floor((size + 2 * padding - r) / stride) + 1;
  const pair = (x: number) => [x, x];
  const shapes = { x: [n, c, size, size], w: [o, c / groups, r, r], y: [n, o, out, out] };
  const [a, b, y] = (
    { forward: 'xwy', inputGrad: 'ywx', weightGrad: 'xyw' }[direction].split('') as ('x' | 'y' | 'w')[]
  ).map((name) => shapes[name]) as [number[], number[], number[]];
  return {
    kind: 'conv',
    direction,
    inputs: [float(sizeOf(a)), float(sizeOf(b))],
    outputs: [float(sizeOf(y))],
    uniforms: [],
    aliases: [-1],
    sizes: {
      n,
      c,
      o,
      groups,
      input: pair(size),
      kernel: pair(r),
      output: pair(out),
      stride: pair(stride),
      dilation: pair(1),
      padding: pair(padding),
    },
    a: load(0, contiguous(a)),
    b: load(1, contiguous(b)),
    stores: [{ output: 0, view: contiguous(y), expr: acc }],
  };
}
const flopsOf = (kernel: MatmulKernel | ConvKernel): number =>
  kernel.kind === 'matmul'
    ? 2 * kernel.m * kernel.n * kernel.k
    : 2 *
      kernel.sizes.n *
      kernel.sizes.o *
      (kernel.sizes.c / kernel.sizes.groups) *
      sizeOf(kernel.sizes.kernel) *
      sizeOf(kernel.sizes.output);

const shapes: Record<string, Shape> = {
  'mnist 5×5 1→16 28²': [128, 1, 16, 28, 5],
  'mnist 3×3 16→32 14²': [128, 16, 32, 14, 3],
  'mnist 3×3 32→64 7²': [128, 32, 64, 7, 3],
  '3×3 64→64 56²': [1, 64, 64, 56, 3],
  '3×3 256→256 14²': [1, 256, 256, 14, 3],
  '1×1 256→64 56²': [1, 256, 64, 56, 1],
  '1×1 64→256 56²': [1, 64, 256, 56, 1],
  'b8 1×1 64→256 56²': [8, 64, 256, 56, 1],
  '7×7/2 3→64 224²': [1, 3, 64, 224, 7, 2],
  '3×3/2 64→128 56²': [1, 64, 128, 56, 3, 2],
  'depthwise 3×3 128 56²': [1, 128, 128, 56, 3, 1, 128],
};
const work: [string, MatmulKernel | ConvKernel][] = [
  ...[256, 512, 1024].map((n): [string, MatmulKernel] => [`matmul ${n}`, matmul(n, n, n)]),
  ['matmul 512 Aᵀ', matmul(512, 512, 512, 'a')],
  ['matmul 512 Bᵀ', matmul(512, 512, 512, 'b')],
  ['matmul 4096×64×64', matmul(4096, 64, 64)],
  ['matmul 64×64×16384', matmul(64, 64, 16384)],
  ['matmul 1×1024×1024', matmul(1, 1024, 1024)],
  ['matmul 1×4096×4096', matmul(1, 4096, 4096)],
  ['matmul 1×4096×1024', matmul(1, 4096, 1024)],
  ['matmul 2×4096×4096', matmul(2, 4096, 4096)],
  ['matmul 4×4096×4096', matmul(4, 4096, 4096)],
  ['matmul 8×4096×4096', matmul(8, 4096, 4096)],
  ['matmul 4096×1×4096', matmul(4096, 1, 4096)],
  ['matmul 1×4096×4096 Bᵀ', matmul(1, 4096, 4096, 'b')],
  ['matmul tall 4096×64×64', matmul(4096, 64, 64)],
  ['matmul pw 256×3136×64', matmul(256, 3136, 64)],
  ['matmul pw 64×3136×256', matmul(64, 3136, 256)],
  ['linear 128×3136→10', matmul(128, 10, 3136, 'b')],
  ['linear ∂w', matmul(10, 3136, 128, 'a')],
  ['linear ∂x', matmul(128, 3136, 10)],
  ...Object.entries(shapes).flatMap(([name, shape]) =>
    (['forward', 'inputGrad', 'weightGrad'] as const).map((way): [string, ConvKernel] => [
      `${name} ${way}`,
      conv(way, shape),
    ]),
  ),
];

/** GFLOP/s of multiply-adds on 12 registers, b = b·x + y: one thread. */
function limit(): number {
  const module = new Module({ shared: false });
  const f = module.func(['i32'], [], 'f');
  const [rounds] = f.params as [Local];
  const b = f.locals('v128', 12);
  const [x, y] = f.locals('v128', 2) as [Local, Local];
  const step = (value: Local) => (relaxed ? f32x4.relaxed_madd(value, x, y) : f32x4.add(f32x4.mul(value, x), y));
  f.emit(set(x, v128.load(0)), set(y, v128.load(16)));
  f.emit(
    repeat(
      b.map((value) => set(value, step(value))),
      set(rounds, i32.sub(rounds, 1)),
      brIf(0, rounds),
    ),
  );
  f.emit(b.map((value, i) => v128.store(0, value, 16 * i)));
  const memory = new WebAssembly.Memory({ initial: 1 });
  const made = new WebAssembly.Instance(new WebAssembly.Module(module.bytes() as Uint8Array<ArrayBuffer>), {
    env: { memory },
  });
  const run = made.exports['f'] as (rounds: number) => void;
  let best = Infinity;
  for (const end = performance.now() + 500; performance.now() < end; ) {
    const start = performance.now();
    run(20_000);
    best = Math.min(best, performance.now() - start);
  }
  return (20_000 * 12 * 8) / best / 1e6;
}

const backend = await cpu({ threads });
async function measure(kernel: Kernel): Promise<number> {
  const sizes = [...kernel.inputs, ...kernel.outputs];
  const buffers = sizes.map(({ dtype, size }) => backend.allocate(dtype, size));
  for (const [i, { size }] of kernel.inputs.entries()) {
    const data = Float32Array.from({ length: size }, (_, at) => Math.sin(at * 12.9898) * 0.5);
    backend.upload(buffers[i] as (typeof buffers)[number], 'float32', data);
  }
  const inputs = [...kernel.inputs.keys()];
  const plan = { steps: [{ executable: backend.compile(kernel), inputs, outputs: [inputs.length], uniforms: [] }] };
  let best = Infinity;
  for (const end = performance.now() + 600; performance.now() < end; ) {
    const start = performance.now();
    backend.submit(plan, buffers, []);
    await backend.sync();
    best = Math.min(best, performance.now() - start);
  }
  for (const buffer of buffers) backend.free(buffer);
  return best;
}

const most = limit() * threads;
console.log(
  `limit ${most.toFixed(0)} GFLOP/s: ${threads} × ${relaxed ? 'fused' : 'multiply, add'}; ${JSON.stringify(backend.info())}`,
);
for (const [name, kernel] of work) {
  if (names.length && !names.some((part) => name.includes(part))) continue;
  const ms = await measure(kernel);
  const rate = flopsOf(kernel) / ms / 1e6;
  console.log(
    `${name.padEnd(34)} ${ms.toFixed(3).padStart(9)} ms ${rate.toFixed(1).padStart(7)} GFLOP/s ${(rate / most).toFixed(2).padStart(6)}`,
  );
}
backend.dispose();
