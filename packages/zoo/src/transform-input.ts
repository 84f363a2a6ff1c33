/** ImageNet's normalisation, undone inside of a network whose published weights want images in [−1,1]. */
import { ArgumentError, add, mul, type Tensor, tensor } from '@tessera/tensor';

/** From (x − mean)/std of ImageNet to 2·x − 1, a channel each.  x [N,3,H,W] → the same. */
export function fromImageNet(x: Tensor): Tensor {
  const [mean, std] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  const scale = tensor([std.map((s) => [[s / 0.5]])]);
  const shift = tensor([mean.map((m) => [[(m - 0.5) / 0.5]])]);
  return add(mul(x, scale), shift);
}

/** @throws ArgumentError where a network is to transform images of other channels than ImageNet's. */
export function checkTransform(network: string, transformInput: boolean, inChannels: number): void {
  if (transformInput && inChannels !== 3)
    throw new ArgumentError(
      `${network}: transformInput with inChannels ${inChannels}, wants 3, as ImageNet's mean and deviation have; leave it out`,
    );
}
