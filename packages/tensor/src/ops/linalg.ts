/** Products of matrices. All lower to one `matmul` kernel; a transpose is index arithmetic and costs nothing. */
import { ShapeError } from '../errors';
import { defineOp, type Input, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, mul } from './arithmetic';
import { flatten, reshape, squeeze, transpose, unsqueeze } from './shape';
import { broadcastShapes, halves, wantDtype, widest } from './types';

/** c[…,i,j] = Σₖ a[…,i,k]·b[…,k,j].  a [...B,M,K], b [...B,K,N] → [...B,M,N], B broadcast. The op that matmul is made of.
 *  @throws ShapeError where the inner sizes differ, DTypeError unless both are floating. */
export const matrixProduct = /* @__PURE__ */ defineOp({
  name: 'matmul',
  args: (a: TensorLike, b: TensorLike) => [[a, b], {}],
  shape: (inputs) => {
    const [a, b] = inputs as [Tensor, Tensor];
    for (const [i, x] of inputs.entries()) wantDtype('matmul', i === 0 ? 'a' : 'b', x.dtype, ['float32', 'float16']);
    if (a.rank < 2 || b.rank < 2)
      throw new ShapeError(
        `matmul: shapes ${showShape(a.shape)} and ${showShape(b.shape)}; wants matrices or stacks of them`,
      );
    checkInner(a.shape, b.shape);
    const both = `matmul: ${showShape(a.shape)} · ${showShape(b.shape)}`;
    const batch = broadcastShapes(both, [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
    const ends = [a.shape.at(-2), b.shape.at(-1)] as (number | null)[];
    return { shape: [...batch, ...ends], dtype: widest(inputs) };
  },
  lower: (inputs, _, [out]) => {
    const [a, b] = inputs as [Input, Input];
    const { shape, dtype } = out as Pick<Input, 'shape' | 'dtype'>;
    const batch = shape.slice(0, -2);
    const [m, n] = shape.slice(-2) as [number, number];
    const k = a.shape.at(-1) as number;
    const [left, right] = [read(a, [...batch, m, k]), read(b, [...batch, k, n])];
    return { kind: 'matmul', batch, m, n, k, a: left, b: right, ...halves(dtype) };
  },
});
function checkInner(a: Shape, b: Shape): void {
  const [inner, own] = [a.at(-1), b.at(-2)];
  if (inner !== own && inner !== null && own !== null)
    throw new ShapeError(
      `matmul: ${showShape(a)} · ${showShape(b)}: inner sizes ${inner} and ${own} differ; transpose one, or check the layer before`,
    );
}

/**
 * The product of vectors, matrices or stacks of matrices, as torch.matmul: [K]·[K] → [], [M,K]·[K] → [M], [K]·[...,K,N] →
 * [...,N], [...B,M,K]·[...B,K,N] → [...B,M,N] with B broadcast. A stack times one matrix runs as one tall matrix.
 * @throws ShapeError where the inner sizes differ or a rank is 0, DTypeError unless both are floating.
 */
export function matmul(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = [toTensor(a, 'matmul'), toTensor(b, 'matmul')];
  if (x.rank === 0 || y.rank === 0)
    throw new ShapeError(
      `matmul: shapes ${showShape(x.shape)} and ${showShape(y.shape)}; a single number is no matrix, use mul`,
    );
  if (x.rank === 1) {
    const rows = matmul(unsqueeze(x, 0), y);
    return y.rank === 1 ? reshape(rows, []) : squeeze(rows, -2);
  }
  if (y.rank === 1) return squeeze(matmul(x, unsqueeze(y, 1)), -1);
  if (x.rank > 2 && y.rank === 2) {
    checkInner(x.shape, y.shape);
    const tall = matrixProduct(flatten(x, 0, -2), y);
    return reshape(tall, [...x.shape.slice(0, -1), y.shape[1] as number | null]);
  }
  return matrixProduct(x, y);
}
/** y = x·Wᵀ + b.  x [...,I], W [O,I], b [O] → [...,O]. torch.nn.functional.linear.
 *  @throws ShapeError naming x and W where their inner sizes differ. */
export function linear(x: TensorLike, weight: TensorLike, bias?: TensorLike | null): Tensor {
  const [input, w] = [toTensor(x, 'linear'), toTensor(weight, 'linear')];
  if (w.rank !== 2 && w.rank !== 1)
    throw new ShapeError(`linear: weight ${showShape(w.shape)}; wants [outputs, inputs]`);
  const [has, wants] = [input.shape.at(-1) ?? null, w.shape.at(-1) ?? null];
  if (input.rank === 0 || (has !== wants && has !== null && wants !== null))
    throw new ShapeError(
      `linear: input ${showShape(input.shape)} has ${has ?? 'no'} features but weight ${showShape(w.shape)} wants ${wants}; flatten the input or size the layer to it`,
    );
  const y = matmul(input, w.rank === 2 ? transpose(w) : w);
  return bias == null ? y : add(y, bias);
}

/** [M,K]·[K,N] → [M,N]. torch.mm. @throws ShapeError unless both are matrices. */
export const mm = (a: TensorLike, b: TensorLike): Tensor => ofRank('mm', 2, a, b);
/** [B,M,K]·[B,K,N] → [B,M,N]. torch.bmm. @throws ShapeError unless both are stacks of equally many matrices. */
export function bmm(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = [toTensor(a, 'bmm'), toTensor(b, 'bmm')];
  const [m, n] = [x.shape[0] ?? null, y.shape[0] ?? null];
  if (m !== n && m !== null && n !== null)
    throw new ShapeError(`bmm: ${m} matrices and ${n}; wants equally many, or matmul, which broadcasts`);
  return ofRank('bmm', 3, x, y);
}
/** [M,K]·[K] → [M]. torch.mv. */
export const mv = (a: TensorLike, b: TensorLike): Tensor => ofRank('mv', [2, 1], a, b);
/** Σᵢ aᵢ·bᵢ of two vectors. torch.dot. @throws ShapeError unless both have one axis. */
export const dot = (a: TensorLike, b: TensorLike): Tensor => ofRank('dot', 1, a, b);
function ofRank(op: string, rank: number | readonly [number, number], a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = [toTensor(a, op), toTensor(b, op)];
  const [p, q] = typeof rank === 'number' ? [rank, rank] : rank;
  if (x.rank !== p || y.rank !== q)
    throw new ShapeError(
      `${op}: shapes ${showShape(x.shape)} and ${showShape(y.shape)}; wants ${p} and ${q} axes, or matmul, which takes any`,
    );
  return matmul(x, y);
}

/** y[i,j] = aᵢ·bⱼ.  [M], [N] → [M,N]. torch.outer. */
export function outer(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = [toTensor(a, 'outer'), toTensor(b, 'outer')];
  if (x.rank !== 1 || y.rank !== 1)
    throw new ShapeError(`outer: shapes ${showShape(x.shape)} and ${showShape(y.shape)}; wants two vectors`);
  return mul(unsqueeze(x, 1), unsqueeze(y, 0));
}
