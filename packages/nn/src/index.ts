/** @tessera/nn: layers, optimizers, schedules, state dicts and the files that hold them. */
export { Adam, type AdamOptions, AdamW } from './adam';
export { Conv2d, type Conv2dOptions, type Size2d } from './conv';
export { type Files, readFile, writeFile } from './files';
export { kaimingUniform } from './init';
export { Dropout, Flatten, MaxPool2d, type MaxPool2dOptions, ReLU } from './layers';
export { Linear, type LinearOptions } from './linear';
export { Buffer, type BufferOptions, Module, Parameter } from './module';
export { BatchNorm2d, type BatchNormOptions } from './norm';
export { Optimizer, type Rule } from './optimizer';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export { type LoadedTensors, loadSafetensors, type Saved, saveSafetensors } from './safetensors';
export { OneCycleLR, type OneCycleOptions } from './schedule';
export { Sequential } from './sequential';
export { SGD, type SGDOptions } from './sgd';
export type { LoadOptions, LoadReport, StateDict } from './state-dict';
