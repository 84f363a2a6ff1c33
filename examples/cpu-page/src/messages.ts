/** What the page and its worker say to each other. */
import type { CpuInfo } from '@tessera/backend-cpu';

/** Shown are coordinates from −reach to reach. */
export const reach = 2;

export type ToWorker = 'train' | 'stop';

export type FromWorker =
  /** The backend runs. `points` [N,2] and their moons [N]. */
  | { readonly type: 'ready'; readonly info: CpuInfo; readonly points: Float32Array; readonly labels: Int32Array }
  | { readonly type: 'epoch'; readonly epoch: number; readonly loss: number }
  /** How likely each place of a grid [size,size] over the square belongs to the second moon, row by row from the top. */
  | { readonly type: 'surface'; readonly size: number; readonly second: Float32Array }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly message: string };
