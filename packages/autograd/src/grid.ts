/** Gradients of sampling at a grid: spread back over the image, and the image's slope at the grid's places. */
import { sampleGrid, slopeGrid, spreadGrid, stack, type Tensor } from '@tessera/tensor';
import { defineGradient } from './rules';

export function grid(): void {
  /** ⟨y, g⟩ is linear in x; its slope in the grid is a sum over channels. */
  defineGradient(sampleGrid, (g, inputs, _, attributes) => {
    const [x, places] = inputs as [Tensor, Tensor];
    return [spreadGrid(g, places, x.shape.slice(2), attributes), stack(slopeGrid(g, x, places, attributes), -1)];
  });
  /** ⟨spread(g), h⟩ = ⟨g, sample(h)⟩: the same two, with the cotangent as the image. */
  defineGradient(spreadGrid, (h, inputs, _, { size: __, ...attributes }) => {
    const [g, places] = inputs as [Tensor, Tensor];
    return [sampleGrid(h, places, attributes), stack(slopeGrid(g, h, places, attributes), -1)];
  });
}
