/** Matrix products: the template of product.ts over the batch. */
import { type Expr, type MatmulKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, toCarried } from '../accumulate';
import { atCoords, unravel } from '../place';
import type { Block, Program, Target } from '../shader';
import { alongOf, Quad, vectorStores, vectorsOf } from '../vector';
import type { ByMatrix } from './matrix';
import { type Factor, type Product, productBy } from './product';
import { dealtChoices, type Tiled, tiledChoices } from './tiles';

export type MatmulChoice = Tiled | ByMatrix;

export function matmulChoices(kernel: MatmulKernel, target: Target): MatmulChoice[] {
  const { batch, m, n, k } = kernel;
  const extent = { batch: sizeOf(batch), m, n, k, segments: 1, cost: { a: 1, b: 1 } };
  const dealt = target.rare ? dealtChoices(extent, target) : [];
  return [
    ...(target.matrix?.by.matrixChoices(kernel, extent, target) ?? []),
    ...tiledChoices(extent, target),
    ...dealt,
  ];
}

export function matmul(kernel: MatmulKernel, target: Target, choice: MatmulChoice): Program {
  const of = productOf(kernel);
  return productBy(kernel, target, of, choice);
}

function productOf(kernel: MatmulKernel): Product {
  const { batch, m, n, k, a, b, stores } = kernel;
  const axes = [batch.length, batch.length + 1] as const;
  const place = (block: Block, of: string, row: string, column: string) => [
    ...batch.map((_, axis) => block.once(unravel(of, batch, axis), 'b')),
    `i32(${row})`,
    `i32(${column})`,
  ];
  const type = carriedAs(a.dtype);
  const vectors = new Set<string>();
  /** An operand whose k-axis is `inner` of its last two. */
  const factor = (expr: Expr, inner: 0 | 1): Factor => {
    const along = alongOf(expr, axes);
    const names = vectorsOf(expr, along, kernel);
    for (const name of names) vectors.add(name);
    const coords = (block: Block, of: string, k: string, other: string) =>
      inner ? place(block, of, other, k) : place(block, of, k, other);
    return {
      along: along === axes[inner] ? 'k' : 'other',
      one: ({ block }, of, _, k, other) =>
        toCarried(block.at(atCoords(coords(block, of, k, other))).value(expr), expr.dtype),
      four: names.length
        ? ({ block }, of, _, k, other) => new Quad(block, coords(block, of, k, other), along).value(expr, type)
        : null,
    };
  };
  const factors = { a: factor(a, 1), b: factor(b, 0) };
  const written = vectorStores(stores, axes[1], kernel);
  for (const name of written ?? []) vectors.add(name);
  return {
    title: `matmul [${[...batch, m, k]}]·[${[...batch, k, n]}]`,
    batch: sizeOf(batch),
    m,
    n,
    k,
    segments: 1,
    dtype: a.dtype,
    ...factors,
    vectors: [...vectors],
    store: (block, of, row, column, sum) => block.at(atCoords(place(block, of, row, column), () => sum)).store(stores),
    store4:
      written &&
      ((block, of, row, column, sum) =>
        new Quad(block, place(block, of, row, column), axes[1], (part) => `${sum}.${'xyzw'[part]}`).store(stores)),
  };
}
