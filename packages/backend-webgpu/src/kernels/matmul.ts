/** Matrix products: the template of product.ts over the batch. */
import type { Expr, MatmulKernel } from '@tessera/tensor/backend';
import { toCarried } from '../accumulate';
import { atCoords, unravel } from '../place';
import type { Program, Target } from '../shader';
import { type Along, product, type Tile } from './product';

export function matmul(kernel: MatmulKernel, target: Target, tile?: Tile): Program {
  const { batch, m, n, k, a, b, stores } = kernel;
  const count = batch.reduce((total, size) => total * size, 1);
  const coords = (of: string) => batch.map((_, axis) => unravel(of, batch, axis));
  const title = `matmul [${[...batch, m, k]}]·[${[...batch, k, n]}]`;
  return product(
    kernel,
    target,
    {
      title,
      batch: count,
      m,
      n,
      k,
      dtype: a.dtype,
      along: { a: alongOf(a, batch.length), b: alongOf(b, batch.length) === 'k' ? 'other' : 'k' },
      a: (block, of, row, inner) =>
        toCarried(block.at(atCoords([...coords(of), `i32(${row})`, `i32(${inner})`])).value(a), a.dtype),
      b: (block, of, inner, column) =>
        toCarried(block.at(atCoords([...coords(of), `i32(${inner})`, `i32(${column})`])).value(b), b.dtype),
      store: (block, of, row, column, sum) =>
        block.at(atCoords([...coords(of), `i32(${row})`, `i32(${column})`], () => sum)).store(stores),
    },
    tile,
  );
}

/** The last axis, unless the first load of the operand lies along the one before. */
function alongOf(expr: Expr, axis: number): Along {
  if (expr.op === 'load') return expr.view.strides[axis] === 1 && expr.view.strides[axis + 1] !== 1 ? 'other' : 'k';
  for (const arg of expr.op === 'apply' ? expr.args : []) if (alongOf(arg, axis) === 'other') return 'other';
  return 'k';
}
