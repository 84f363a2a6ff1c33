/** @tessera/data: data sets read from files, and batches of them as tensors. */
export type { HostArray } from './array';
export { Batches, type BatchOptions, batches, type Columns, type Draw, type Each, type Position } from './batches';
export { type IdxOptions, readIdx } from './idx';
export { randomShift } from './shift';
