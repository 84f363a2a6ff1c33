/** @tessera/testkit: what a backend of Tessera must pass, and PyTorch's answers to compare with. */

export {
  type ConformanceOptions,
  type ConformancePart,
  conformanceParts,
  describeBackend,
  type Load,
} from './conformance';
export { exercises } from './exercises';
export { type Exercise, type Layout, type Sample, toTensor } from './exercises/exercise';
export { type Attrs, type GoldenCase, type GoldenFile, readGolden } from './golden/format';
export { formulaUniform, formulaWeights } from './golden/formula';
export { goldenOps } from './golden/ops';
export { type Context, describeFault, type Fault, type Row, type Rows, row, runCase } from './golden/run';
export {
  type Accuracy,
  type CompareOptions,
  compareKernelCase,
  describeKernels,
  type KernelCase,
  kernelCases,
  randomKernel,
  runKernelCase,
  unsupported,
} from './kernels';
export { describeMiss, firstMiss, type Miss, modelBound, opBound, sumBound } from './tolerance';
