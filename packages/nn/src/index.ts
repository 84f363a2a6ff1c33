/** @tessera/nn: layers, optimizers, schedules, state dicts and the files that hold them. */

export * from './activation';
export { Adagrad, type AdagradOptions } from './adagrad';
export { Adam, type AdamOptions, AdamW } from './adam';
export { AlphaDropout } from './alpha-dropout';
export { type AttendOptions, MultiheadAttention, type MultiheadAttentionOptions } from './attention';
export { AveragedModel, type AveragedOptions } from './averaged';
export {
  CheckSizes,
  Input,
  type InputOptions,
  Inspect,
  Lambda,
  type LambdaOptions,
  Permute,
  Reorder,
  Reshape,
  type SizeCheck,
  View,
} from './axes';
export { CheckRange, checkRanges, type Range } from './check-range';
export {
  Additive,
  type AdditiveOptions,
  Parallel,
  type ParallelOptions,
  Shortcut,
} from './combine';
export { type CompileModelOptions, type CompileOptions, compile } from './compile';
export {
  Conv1d,
  Conv2d,
  type Conv2dOptions,
  Conv3d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeOptions,
  type Size2d,
} from './conv';
export { type DeadUnitsOptions, deadUnits } from './dead-units';
export { type DecayOptions, weightDecayGroups } from './decay-groups';
export { firstNonFinite } from './diagnose';
export { Dropout, Dropout1d, Dropout2d, Dropout3d, DropPath, StochasticDepth } from './dropout';
export type { EarlyStoppingOptions } from './early-stopping';
export { Embedding, type EmbeddingOptions } from './embedding';
export { type EvaluateOptions, type Evaluation, evaluate, type Loader, type Task } from './evaluate';
export { type Files, readFile, writeFile } from './files';
export { fit } from './fit';
export type { CheckpointOptions } from './fit-checkpoint';
export type { EpochEvent, FitOptions, FitResult, ProgressEvent, StepEvent } from './fit-options';
export { fuse } from './fuse';
export { clipGradNorm, clipGradValue, GradientAccumulator } from './gradients';
export { toDot, toMermaid } from './graph-text';
export type { ForwardHook, GradientHook } from './hooks';
export * as init from './init';
export { type InputReport, InputStats, type Spread } from './input-stats';
export { LARS, type LARSOptions } from './lars';
export { Flatten } from './layers';
export { Linear, type LinearOptions } from './linear';
export { Lion, type LionOptions } from './lion';
export { LossScaler, type LossScalerOptions } from './loss-scaler';
export { type McDropoutOptions, mcDropout } from './mc-dropout';
export { accuracy, type Metric, topKAccuracy } from './metrics';
export { Buffer, type BufferOptions, Module, OpenLayer, Parameter } from './module';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions, FrozenBatchNorm2d } from './norm';
export { type GroupSettings, Optimizer, type ParameterGroup, type Parameters, type Rule } from './optimizer';
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  type MaxPoolOptions,
} from './pool';
export {
  CosineAnnealingLR,
  ExponentialLR,
  MultiStepLR,
  type PlateauOptions,
  PolynomialLR,
  ReduceLROnPlateau,
  Schedule,
  StepLR,
  WarmupLR,
} from './rates';
export { deleteModules, replaceModules } from './replace';
export { KeepSize, PadToMultiple, PixelShuffle, PoolUnpool, type PoolUnpoolOptions, Upsample } from './resize';
export {
  LocalResponseNorm,
  type LocalResponseNormOptions,
  type ResponseSettings,
  responseSettings,
} from './response-norm';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export {
  type LoadProgress,
  loadSafetensors,
  type ReadOptions,
  type Saved,
  saveSafetensors,
  type WriteOptions,
} from './safetensors';
export {
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  type InstanceNormOptions,
  LayerNorm,
  type LayerNormOptions,
  type NormOptions,
  RMSNorm,
} from './sample-norm';
export { OneCycleLR, type OneCycleOptions } from './schedule';
export { ModuleList, Sequential } from './sequential';
export { SGD, type SGDOptions } from './sgd';
export type { ByteSource } from './source';
export { type LoadOptions, type LoadReport, type Mismatch, type StateDict, StateDictError } from './state-dict';
export type { LoadedTensors } from './stream';
export { Summary, type SummaryRow, summary } from './summary';
export { type TrimOptions, trimTo } from './trim';
export type { Beside, Chain, Dims, Keeps, MadeBy, Makes, Maps, shapes } from './types';
export { FractionalMaxPool2d, type FractionalOptions, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d } from './unpool';
export { type UpdateBatchNormOptions, updateBatchNorm } from './update-batch-norm';
export { warmup } from './warmup';
