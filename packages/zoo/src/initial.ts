/**
 * Initial values that a family gives its layers in place of PyTorch's defaults, as its authors or torchvision do. The
 * parameter is replaced rather than assigned: an assignment is work that the next flush does, for a model nobody ran yet too.
 */
import { type BatchNorm2d, type Conv2d, type Linear, Parameter } from '@tessera/nn';
import { full, normal, type Tensor, uniform } from '@tessera/tensor';

/** weight ~ N(0, std²). */
export const normalWeight = (layer: Conv2d | Linear, std: number): void =>
  start(layer, 'weight', normal(0, std, layer.weight.shape));

/** weight [O,C,R,S] ~ N(0, 2/(O·R·S)). torch.nn.init.kaiming_normal_(mode='fan_out') (He 2015) */
export function kaimingFanOut(layer: Conv2d): void {
  const [o, , r, s] = layer.weight.shape as [number, number, number, number];
  normalWeight(layer, Math.sqrt(2 / (o * r * s)));
}

/** weight [O,C,R,S] ~ U(−b, b), b = √(6/(C·R·S)). torch.nn.init.kaiming_uniform_ (He 2015) */
export function kaimingUniform(layer: Conv2d): void {
  const [, c, r, s] = layer.weight.shape as [number, number, number, number];
  const bound = Math.sqrt(6 / (c * r * s));
  start(layer, 'weight', uniform(-bound, bound, layer.weight.shape));
}

/** One value for a layer's weight or bias; nothing where it has none. */
export const fill = (layer: Conv2d | Linear | BatchNorm2d, name: 'weight' | 'bias', value: number): void => {
  const parameter = layer[name];
  if (parameter) start(layer, name, full(parameter.shape, value));
};
/** 0 for a layer’s weight or bias; nothing where it has none. */
export const zero = (layer: Conv2d | Linear | BatchNorm2d, name: 'weight' | 'bias'): void => fill(layer, name, 0);

const start = (layer: object, name: string, value: Tensor): void => {
  Object.assign(layer, { [name]: new Parameter(value) });
};
