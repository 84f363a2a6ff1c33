/** What the page and its worker say to each other. */

export interface Settings {
  readonly digits: number;
  readonly batch: number;
  readonly epochs: number;
  /** Test digits that it is tried with. */
  readonly test: number;
}
/** A canvas handed over to the worker, and the device pixels of a CSS pixel. */
export interface Canvases {
  readonly curves: OffscreenCanvas;
  readonly digits: OffscreenCanvas;
  readonly scale: number;
  readonly dark: boolean;
}

export type ToWorker =
  | { readonly type: 'start'; readonly settings: Settings; readonly canvases: Canvases }
  | 'train'
  | 'cancel';

/** How far it is. */
export interface Progress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Share of the last batches that was right; of the test digits, null before the first look. */
  readonly accuracy: number;
  readonly test: number | null;
  /** Digits a second. */
  readonly rate: number;
}
export type FromWorker =
  | { readonly type: 'says'; readonly text: string }
  /** The GPU and the digits are there. */
  | { readonly type: 'ready'; readonly gpu: string }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'cancelled' }
  | { readonly type: 'done' }
  /** `lost`: the GPU went away, and Resume takes a new one. */
  | { readonly type: 'failed'; readonly message: string; readonly lost: boolean };
