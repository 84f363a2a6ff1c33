/**
 * Small dense algebra on the host: what eliminates and pivots has no place in the kernels, and matrices of a few hundred rows
 * need none. All are async, for they read their inputs, so they stand outside of compiled code; the results are new tensors,
 * without a gradient for that reason. Arithmetic is float64.
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, tensor, toTensor } from '../tensor';
import { wantDtype } from './types';

/** The matrices of a [...,N,N], one after the other, as float64. @throws ShapeError unless they are square. */
async function squares(op: string, like: TensorLike) {
  const a = toTensor(like, op);
  wantDtype(op, 'a', a.dtype, ['float32', 'float16']);
  const [n, columns] = a.shape.slice(-2);
  if (a.rank < 2 || n === null || n === undefined || n !== columns)
    throw new ShapeError(`${op}: a ${showShape(a.shape)}; wants square matrices [...,N,N]`);
  const data = Float64Array.from(await a.data());
  const count = n === 0 ? 0 : data.length / (n * n);
  return { shape: a.shape, lead: a.shape.slice(0, -2), n, data, count };
}

/** x with a·x = b, by elimination with the largest pivot of each column.  a [...,N,N], b [...,N,K] with the same leading sizes, or
 *  [N] → the shape of b. torch.linalg.solve. @throws ShapeError where they do not fit, ArgumentError where a is singular. */
export async function solve(a: TensorLike, b: TensorLike): Promise<Tensor> {
  const { shape, lead, n, data, count } = await squares('solve', a);
  const right = toTensor(b, 'solve');
  const vector = right.rank === 1;
  const fits = vector ? lead.length === 0 && right.shape[0] === n : sameSizes(right.shape.slice(0, -1), [...lead, n]);
  if (!fits)
    throw new ShapeError(
      `solve: a ${showShape(shape)}, b ${showShape(right.shape)}; wants b [...,N,K] beside a, or [N]`,
    );
  const k = vector ? 1 : (right.shape[right.rank - 1] as number);
  const x = Float64Array.from(await right.data());
  for (let i = 0; i < count; i++)
    eliminate('solve', data.subarray(i * n * n, (i + 1) * n * n), x.subarray(i * n * k, (i + 1) * n * k), n, k);
  return tensor(x, { shape: right.shape as readonly number[], dtype: 'float32' });
}
const sameSizes = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, axis) => size === b[axis]);

/** a⁻¹ of each matrix [...,N,N]. torch.linalg.inv; a·x = b is better solved. @throws ArgumentError where one is singular. */
export async function inverse(a: TensorLike): Promise<Tensor> {
  const { shape, n, data, count } = await squares('inverse', a);
  const x = new Float64Array(data.length);
  for (let i = 0; i < count; i++) {
    const one = x.subarray(i * n * n, (i + 1) * n * n);
    for (let row = 0; row < n; row++) one[row * n + row] = 1;
    eliminate('inverse', data.subarray(i * n * n, (i + 1) * n * n), one, n, n);
  }
  return tensor(x, { shape: shape as readonly number[], dtype: 'float32' });
}

/** Turns b [n,k] into a⁻¹·b; a [n,n] is used up. */
function eliminate(op: string, a: Float64Array, b: Float64Array, n: number, k: number): void {
  const at = (row: number, column: number) => a[row * n + column] as number;
  // Rows are brought to size 1, so that neither the choice of a pivot nor what counts as 0 hangs on units.
  for (let row = 0; row < n; row++) {
    const size = sizeOf(a.subarray(row * n, (row + 1) * n)) || 1;
    for (let j = 0; j < n; j++) a[row * n + j] = at(row, j) / size;
    for (let j = 0; j < k; j++) b[row * k + j] = (b[row * k + j] as number) / size;
  }
  const sizes = Array.from({ length: n }, (_, column) => sizeOf(a.filter((__, place) => place % n === column)));
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) if (Math.abs(at(row, column)) > Math.abs(at(pivot, column))) pivot = row;
    // Below the rounding of its own column a pivot is noise.
    if (!(Math.abs(at(pivot, column)) > n * Number.EPSILON * (sizes[column] as number)))
      throw new ArgumentError(
        `${op}: the matrix is singular (pivot ${at(pivot, column)} in column ${column}); add a multiple of eye(${n}) to it`,
      );
    swapRows(a, pivot, column, n);
    swapRows(b, pivot, column, k);
    for (let row = column + 1; row < n; row++)
      subtractRow(a, b, row, column, at(row, column) / at(column, column), n, k);
  }
  for (let column = n - 1; column >= 0; column--) {
    for (let j = 0; j < k; j++) b[column * k + j] = (b[column * k + j] as number) / at(column, column);
    for (let row = 0; row < column; row++)
      for (let j = 0; j < k; j++)
        b[row * k + j] = (b[row * k + j] as number) - at(row, column) * (b[column * k + j] as number);
  }
}
const sizeOf = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
function swapRows(m: Float64Array, i: number, j: number, width: number): void {
  if (i === j) return;
  const kept = m.slice(i * width, (i + 1) * width);
  m.copyWithin(i * width, j * width, (j + 1) * width);
  m.set(kept, j * width);
}
/** Row `row` of [a b] less `factor` times row `by`, whose columns before `by` are done with. */
function subtractRow(
  a: Float64Array,
  b: Float64Array,
  row: number,
  by: number,
  factor: number,
  n: number,
  k: number,
): void {
  for (let j = by; j < n; j++) a[row * n + j] = (a[row * n + j] as number) - factor * (a[by * n + j] as number);
  for (let j = 0; j < k; j++) b[row * k + j] = (b[row * k + j] as number) - factor * (b[by * k + j] as number);
}

/**
 * [values, vectors] of symmetric matrices a = V·diag(values)·Vᵀ: values [...,N] ascending, vectors [...,N,N] in columns, orthogonal,
 * each with its largest entry positive. The lower triangle is read. torch.linalg.eigh, by Jacobi rotations: for N to some two hundred.
 * @throws ShapeError unless the matrices are square, ArgumentError where one is not finite.
 */
export async function eigh(a: TensorLike): Promise<[values: Tensor, vectors: Tensor]> {
  const { shape, lead, n, data, count } = await squares('eigh', a);
  if (data.some((value) => !Number.isFinite(value)))
    throw new ArgumentError('eigh: the matrix holds NaN or infinity; wants finite numbers');
  const values = new Float64Array(count * n);
  const vectors = new Float64Array(data.length);
  for (let i = 0; i < count; i++) {
    const rows = jacobi(data.subarray(i * n * n, (i + 1) * n * n), n);
    for (const [column, { value, vector }] of rows.entries()) {
      values[i * n + column] = value;
      const sign = Math.sign(vector.reduce((most, entry) => (Math.abs(entry) > Math.abs(most) ? entry : most), 0));
      for (const [row, entry] of vector.entries()) vectors[i * n * n + row * n + column] = sign * entry;
    }
  }
  return [
    tensor(values, { shape: [...(lead as readonly number[]), n], dtype: 'float32' }),
    tensor(vectors, { shape: shape as readonly number[], dtype: 'float32' }),
  ];
}

/** Sweeps of rotations, each of which makes one pair of entries 0, until all beside the diagonal are lost in rounding. */
function jacobi(a: Float64Array, n: number): { value: number; vector: Float64Array }[] {
  const at = (row: number, column: number) => a[row * n + column] as number;
  const set = (row: number, column: number, value: number) => {
    a[row * n + column] = value;
  };
  for (let row = 0; row < n; row++) for (let column = row + 1; column < n; column++) set(row, column, at(column, row));
  // Vectors lie in rows here, so that a rotation walks along memory.
  const v = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (__, j) => Number(i === j)));
  const size = Math.sqrt(a.reduce((total, value) => total + value * value, 0));
  // Convergence is quadratic: about eight sweeps; the bound only ends what rounding keeps alive.
  for (let sweep = 0; sweep < 50; sweep++) {
    let rotated = false;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(at(p, q)) <= Number.EPSILON * size) continue;
        rotated = true;
        const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let i = 0; i < n; i++) {
          const [x, y] = [at(i, p), at(i, q)];
          set(i, p, c * x - s * y);
          set(i, q, s * x + c * y);
        }
        for (let i = 0; i < n; i++) {
          const [x, y] = [at(p, i), at(q, i)];
          set(p, i, c * x - s * y);
          set(q, i, s * x + c * y);
        }
        rotate(v[p] as Float64Array, v[q] as Float64Array, c, s);
      }
    if (!rotated) break;
  }
  return v.map((vector, i) => ({ value: at(i, i), vector })).sort((x, y) => x.value - y.value);
}
function rotate(p: Float64Array, q: Float64Array, c: number, s: number): void {
  for (let i = 0; i < p.length; i++) {
    const [x, y] = [p[i] as number, q[i] as number];
    p[i] = c * x - s * y;
    q[i] = s * x + c * y;
  }
}
