/** Gradients of sampling at a grid: spread back over the image, and the image's slope at the grid's places. */
import {
  flatFrom,
  type GridAttributes,
  mul,
  sampleGrid,
  spreadGrid,
  stack,
  sum,
  type Tensor,
  zeros,
} from '@tessera/tensor';
import { defineGradient } from './rules';

export function grid(): void {
  /** With y = S(grid)·x linear in x: ∂x = S(grid)ᵀ·g, and ∂grid = Σ_c g·(S′(grid)·x), S′ with derivatives for weights. */
  defineGradient(sampleGrid, (g, inputs, _, attributes) => {
    const [x, places] = inputs as [Tensor, Tensor];
    return [spreadGrid(g, places, x.shape.slice(2), attributes), slopes(g, x, places, attributes)];
  });
  /** ⟨Sᵀ·g, h⟩ = ⟨g, S·h⟩: the same two, with the cotangent as the image. */
  defineGradient(spreadGrid, (h, inputs, _, { size: __, ...attributes }) => {
    const [g, places] = inputs as [Tensor, Tensor];
    return [sampleGrid(h, places, attributes), slopes(g, h, places, attributes)];
  });
}

/** Σ over channels of g times the slope of the sampled image, for each of the grid's numbers, innermost axis first. */
function slopes(g: Tensor, x: Tensor, grid: Tensor, attributes: GridAttributes): Tensor {
  const { orders, mode } = attributes;
  const byAxis = orders.map((order, axis) => {
    if (order + 1 >= flatFrom[mode]) return zeros(grid.shape.slice(0, -1));
    const raised = orders.map((own, i) => (i === axis ? own + 1 : own));
    return sum(mul(g, sampleGrid(x, grid, { ...attributes, orders: raised })), 1);
  });
  return stack(byAxis.reverse(), -1);
}
