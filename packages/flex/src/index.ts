/** @tessera/flex: layers with their input side left open, and the shape inference that settles it. */

export { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './conv';
export { Flex } from './flex';
export { freeze, type InferenceOptions, shapeInference } from './inference';
export { Linear, PReLU } from './linear';
export {
  BatchNorm,
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  LayerNorm,
} from './norm';
export { AvgPool2d, MaxPool2d } from './pool';
