/** Values on the host, as files hold them: what batches are cut from before they become tensors. */
import type { DType } from '@tessera/tensor';

/** A row-major array, rows (examples) along the first axis. */
export interface HostArray {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
  /** Where the typed array does not say it: bool is kept in a Uint8Array. */
  readonly dtype?: DType;
}
