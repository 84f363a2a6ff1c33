/**
 * The first thing that a device computes: a convolution with ReLU, a product and sums along rows, and back to the gradients of
 * image and weights, in whole numbers whose answers are known. Some devices, phones among them, give wrong gradients without
 * an error, and training on one goes nowhere.
 */
import {
  BackendError,
  type ConvSizes,
  type DeviceBuffer,
  type Expr,
  type Kernel,
  type Load,
  type Store,
  type View,
} from '@tessera/tensor/backend';
import type { WebgpuBackend } from './runtime';

const sizes: ConvSizes = {
  n: 1,
  c: 2,
  o: 2,
  groups: 1,
  input: [3, 3],
  kernel: [2, 2],
  output: [2, 2],
  stride: [1, 1],
  dilation: [1, 1],
  padding: [0, 0],
};

/** What is given, and what must come out: PyTorch's answers. */
const given: Readonly<Record<string, readonly number[]>> = {
  x: [1, -2, 3, 0, 2, -1, 4, 1, -3, 2, 1, 0, -1, 3, 2, 1, -2, 1], // [1,2,3,3]
  w: [1, 2, -1, 0, 3, -1, 1, 2, 0, 1, 2, -2, -1, 1, 1, 0], // [2,2,2,2]
  v: [1, 0, 0, 1, -1, 1, 2, 0], // [4,2]
};
export const answers: Readonly<Record<string, readonly number[]>> = {
  y: [7, 12, 0, 6, 0, 11, 13, 4],
  '∂x': [7, 26, 35, -7, 29, -6, 26, -24, -8, 21, 18, -1, -6, 64, 22, 13, 10, 12],
  '∂w': [-5, 16, 30, -16, 44, 19, 17, 51, -14, 55, 78, -10, 10, 47, 38, 0],
  z: [19, 12, -5, 24],
  '∂v': [133, 84, 173, 408, -65, 312, 94, 168],
  r: [-26, -19, -24, -53],
};

const load = (input: number, shape: readonly number[], strides: readonly number[] = rowMajor(shape)): Load => ({
  op: 'load',
  dtype: 'float32',
  input,
  view: { shape, strides, offset: 0, valid: null },
  at: null,
});
const rowMajor = (shape: readonly number[]): number[] => shape.map((_, axis) => product(shape.slice(axis + 1)));
const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
const viewOf = (shape: readonly number[]): View => ({ shape, strides: rowMajor(shape), offset: 0, valid: null });
const acc = (index: number): Expr => ({ op: 'acc', dtype: 'float32', index });
const apply = (fn: 'max' | 'sub', ...args: Expr[]): Expr => ({ op: 'apply', dtype: 'float32', fn, args });
const store = (shape: readonly number[], expr: Expr = acc(0)): Store => ({ output: 0, view: viewOf(shape), expr });

/** A kernel from the buffers of two names, or one, into that of a third. */
interface Step {
  readonly from: readonly string[];
  readonly to: string;
  readonly kernel: Kernel;
}
const step = (from: readonly string[], to: string, kernel: Readonly<Record<string, unknown>>): Step => {
  const operand = (name: string) => ({ dtype: 'float32' as const, size: (given[name] ?? answers[name] ?? []).length });
  const base = { inputs: from.map(operand), outputs: [operand(to)], uniforms: [], aliases: [-1] };
  return { from, to, kernel: { ...base, ...kernel } as unknown as Kernel };
};

/** Forward, then back: the cotangent of y is y, that of z is z. */
function steps(): Step[] {
  const [x, w, y] = [
    [1, 2, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 2, 2],
  ] as const;
  const conv = (direction: string, a: Expr, b: Expr, out: Store) => ({
    kind: 'conv',
    direction,
    sizes,
    a,
    b,
    stores: [out],
  });
  const matmul = (m: number, k: number, a: Expr, b: Expr) => ({
    kind: 'matmul',
    batch: [],
    ...{ m, n: 2, k, a, b },
    stores: [store([m, 2])],
  });
  const z = load(0, [2, 2]);
  return [
    step(['x', 'w'], 'y', conv('forward', load(0, x), load(1, w), store(y, apply('max', acc(0), zero)))),
    step(['y', 'w'], '∂x', conv('inputGrad', load(0, y), load(1, w), store(x))),
    step(['x', 'y'], '∂w', conv('weightGrad', load(0, x), load(1, y), store(w))),
    step(['y', 'v'], 'z', matmul(2, 4, load(0, [2, 4]), load(1, [4, 2]))),
    step(['y', 'z'], '∂v', matmul(4, 2, load(0, [4, 2], [1, 4]), load(1, [2, 2]))),
    step(['z'], 'r', {
      kind: 'reduce',
      shape: [2, 2],
      axes: [1],
      stages: [
        [{ combine: 'max', expr: z, dtype: 'float32' }],
        [{ combine: 'sum', expr: apply('sub', z, acc(0)), dtype: 'float32' }],
      ],
      stores: [{ ...store([2, 2], apply('sub', acc(1), z)), per: 'element' }],
    }),
  ];
}
const zero: Expr = { op: 'const', dtype: 'float32', value: 0 };

/** @throws BackendError naming what came out wrong */
export async function probe(backend: WebgpuBackend): Promise<void> {
  const list = steps();
  const names = [...Object.keys(given), ...Object.keys(answers)];
  const buffers: DeviceBuffer[] = [];
  try {
    for (const name of names) {
      const values = given[name];
      const buffer = backend.allocate('float32', (values ?? answers[name] ?? []).length);
      buffers.push(buffer);
      if (values) backend.upload(buffer, 'float32', Float32Array.from(values));
    }
    const at = (name: string) => names.indexOf(name);
    const plan = {
      steps: list.map(({ from, to, kernel }) => ({
        executable: backend.compile(kernel),
        inputs: from.map(at),
        outputs: [at(to)],
        uniforms: [],
      })),
    };
    backend.submit(plan, buffers, []);
    const saw = await Promise.all(
      list.map(({ to, kernel }) =>
        backend.download(buffers[at(to)] as DeviceBuffer, 'float32', kernel.outputs[0]?.size ?? 0),
      ),
    );
    list.forEach(({ to, kernel }, i) => {
      const [wanted, got] = [String(answers[to]), String([...(saw[i] ?? [])])];
      if (got === wanted) return;
      const what = kernel.kind === 'conv' ? `conv ${kernel.direction}` : kernel.kind;
      throw new BackendError(
        `webgpu: ${backend.info().adapter} computes wrongly: a ${what} kernel gave ${to} = [${got}], wanted [${wanted}]; training on it would fail silently. Update browser and driver, or use @tessera/backend-cpu`,
      );
    });
  } catch (error) {
    backend.dispose();
    throw error;
  }
  for (const buffer of buffers) backend.free(buffer);
}
