/** A small program with known answers: a device that starts, but computes wrong, is found before anyone trains on it. */
import {
  type Backend,
  BackendError,
  contiguous,
  type DeviceBuffer,
  type Expr,
  expr as e,
  type Kernel,
} from '@tessera/tensor/backend';

const m = 5;
const k = 7;
const n = 3;
/** Sums of products below 2²⁴, most of them above 2¹⁶: a device that computes in fewer bits than float32's misses them. */
const left = () => Float32Array.from({ length: m * k }, (_, i) => ((i * 575) % 1031) - 515);
const right = () => Float32Array.from({ length: k * n }, (_, i) => ((i * 373) % 1021) - 510);

const operand = (size: number) => ({ dtype: 'float32', size }) as const;
const load = (input: number, shape: readonly number[]): Expr => ({
  op: 'load',
  dtype: 'float32',
  input,
  view: contiguous(shape),
  at: null,
});

/** max(A·B, 0): whole numbers, so exact whatever the order of the sums. */
const product = (): Kernel => ({
  kind: 'matmul',
  batch: [],
  ...{ m, n, k },
  a: load(0, [m, k]),
  b: load(1, [k, n]),
  stores: [{ output: 0, view: contiguous([m, n]), expr: e.apply('max', [e.acc(0), e.constant(0)]) }],
  inputs: [operand(m * k), operand(k * n)],
  outputs: [operand(m * n)],
  uniforms: [],
  aliases: [-1],
});

/** Makes the products a few units large: exact, for it is a power of two. */
const scale = 2 ** -17;

/** The softmax of each row of the products, scaled. */
const softmax = (): Kernel => ({
  kind: 'reduce',
  shape: [m, n],
  axes: [1],
  stages: [
    [{ combine: 'max', dtype: 'float32', expr: load(0, [m, n]) }],
    [{ combine: 'sum', dtype: 'float32', expr: powers() }],
  ],
  stores: [{ output: 0, view: contiguous([m, n]), per: 'element', expr: e.div(powers(), e.acc(1)) }],
  inputs: [operand(m * n)],
  outputs: [operand(m * n)],
  uniforms: [],
  aliases: [-1],
});

function powers(): Expr {
  return e.apply('exp', [e.mul(e.sub(load(0, [m, n]), e.acc(0)), e.constant(scale))]);
}

/** What both kernels give, in JavaScript. */
function answers(): { product: number[]; softmax: number[] } {
  const [a, b] = [left(), right()];
  const rows = Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j) => {
      let sum = 0;
      for (let inner = 0; inner < k; inner++) sum += (a[i * k + inner] as number) * (b[inner * n + j] as number);
      return Math.max(sum, 0);
    }),
  );
  const shares = rows.map((row) => {
    const exps = row.map((x) => Math.exp((x - Math.max(...row)) * scale));
    return exps.map((x) => x / exps.reduce((sum, y) => sum + y));
  });
  return { product: rows.flat(), softmax: shares.flat() };
}

/** @throws BackendError where the device's answers are not those of JavaScript, or never come. */
export async function probe(backend: Backend): Promise<void> {
  const sizes = [m * k, k * n, m * n, m * n];
  const buffers = sizes.map((size) => backend.allocate('float32', size));
  try {
    const [atA, atB, atProduct, atSoftmax] = buffers as [DeviceBuffer, DeviceBuffer, DeviceBuffer, DeviceBuffer];
    backend.upload(atA, 'float32', left());
    backend.upload(atB, 'float32', right());
    const steps = [
      { executable: backend.compile(product()), inputs: [0, 1], outputs: [2], uniforms: [] },
      { executable: backend.compile(softmax()), inputs: [2], outputs: [3], uniforms: [] },
    ];
    backend.submit({ steps }, buffers, []);
    const wanted = answers();
    for (const [what, buffer] of [
      ['product', atProduct],
      ['softmax', atSoftmax],
    ] as const) {
      const saw = await backend.download(buffer, 'float32', m * n);
      const wrong = wanted[what].findIndex((value, i) => !(Math.abs((saw[i] ?? NaN) - value) <= 1e-4));
      if (wrong >= 0) {
        throw new BackendError(
          `${backend.name}: this device computes wrong: element ${wrong} of a ${what} is ${saw[wrong]}, wanted ${wanted[what][wrong]}`,
        );
      }
    }
  } finally {
    for (const buffer of buffers) backend.free(buffer);
  }
}
