/** Gradients of convolutions: each direction is linear in both operands, and the other two directions are its transposes. */
import { convolution, type Tensor } from '@tessera/tensor';
import { defineGradient } from './rules';

export function conv(): void {
  /**
   * With y = x∗w, and ⟨·,·⟩ the sum of products: ⟨y, g⟩ = ⟨x, inputGrad(g, w)⟩ = ⟨w, weightGrad(x, g)⟩. Whichever of x, w, g
   * a direction makes of the two others, its cotangent takes the made one's place, and the two others are its gradients.
   */
  defineGradient(convolution, (cotangent, inputs, _, { direction, ...rest }) => {
    const [a, b] = inputs as [Tensor, Tensor];
    const spatial = (t: Tensor) => t.shape.slice(2);
    const toX = (g: Tensor, w: Tensor, x: Tensor) =>
      convolution(g, w, { ...rest, direction: 'inputGrad', size: spatial(x) });
    const toW = (x: Tensor, g: Tensor, w: Tensor) =>
      convolution(x, g, { ...rest, direction: 'weightGrad', size: spatial(w) });
    const toY = (x: Tensor, w: Tensor, y: Tensor) =>
      convolution(x, w, { ...rest, direction: 'forward', size: spatial(y) });
    switch (direction) {
      case 'forward':
        return [toX(cotangent, b, a), toW(a, cotangent, b)];
      case 'inputGrad':
        return [toY(cotangent, b, a), toW(cotangent, a, b)];
      case 'weightGrad':
        return [toX(b, cotangent, a), toY(a, cotangent, b)];
      default:
        return direction satisfies never;
    }
  });
}
