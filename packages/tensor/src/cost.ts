/** What a kernel costs: arithmetic and bytes, counted from its structure. */
import { type Expr, elementBytes, type Kernel, nodesOf } from './ir';
import { sizeOf } from './view';

export interface Cost {
  /** Floating-point operations; a multiply-add counts two. */
  readonly flops: number;
  /** Bytes read from inputs and written to outputs, each element once. */
  readonly bytes: number;
}

export function costOf(kernel: Kernel): Cost {
  const bytes = [...kernel.inputs, ...kernel.outputs].reduce(
    (sum, { dtype, size }) => sum + size * elementBytes[dtype],
    0,
  );
  return { flops: bodyFlops(kernel) + storeFlops(kernel), bytes };
}

/** Functions an expression applies, shared ones once. */
const functions = (exprs: readonly Expr[]): number => [...nodesOf(exprs)].filter((expr) => expr.op === 'apply').length;

function storeFlops(kernel: Kernel): number {
  if (kernel.kind === 'map')
    return kernel.parts.reduce(
      (sum, { shape, stores }) => sum + sizeOf(shape) * functions(stores.map((store) => store.expr)),
      0,
    );
  return kernel.stores.reduce((sum, { view, expr }) => sum + sizeOf(view.shape) * functions([expr]), 0);
}

function bodyFlops(kernel: Kernel): number {
  switch (kernel.kind) {
    case 'map':
      return 0;
    case 'reduce':
      return kernel.stages.flat().reduce((sum, acc) => sum + sizeOf(kernel.shape) * (1 + functions([acc.expr])), 0);
    case 'matmul':
      return 2 * sizeOf(kernel.batch) * kernel.m * kernel.n * kernel.k;
    case 'conv': {
      const { n, c, o, groups, kernel: window, output } = kernel.sizes;
      return 2 * n * o * (c / groups) * sizeOf(window) * sizeOf(output);
    }
    case 'pool':
      return kernel.sizes.batch * sizeOf(kernel.sizes.output) * sizeOf(kernel.sizes.kernel);
    case 'scatter':
      return sizeOf(kernel.updates) * (1 + functions([...kernel.at, kernel.value]));
    case 'sort': {
      const length = kernel.shape[kernel.axis] ?? 1;
      return sizeOf(kernel.shape) * Math.ceil(Math.log2(Math.max(2, length)));
    }
    case 'scan':
      return sizeOf(kernel.shape) * (1 + functions([kernel.a]));
    case 'custom': // what its code does nobody knows
      return kernel.reads.reduce((sum, { shape, expr }) => sum + sizeOf(shape) * functions([expr]), 0);
    default:
      return kernel satisfies never;
  }
}
