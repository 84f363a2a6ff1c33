/** Weights from a file, a page's server or a picked file, into a network that is there. */
import {
  type ByteSource,
  type LoadOptions,
  type LoadReport,
  loadSafetensors,
  type Module,
  type ReadOptions,
} from '@tessera/nn';
import type { State, Tensor } from '@tessera/tensor';

export interface PretrainedOptions extends ReadOptions, LoadOptions {
  /** Leave tensors of another shape as the model has them: a head for other classes, say. Default false. */
  readonly ignoreMismatchedSizes?: boolean;
}
export interface PretrainedReport extends LoadReport {
  /** Left as they were, for the file has them in another shape. */
  readonly mismatched: readonly {
    readonly key: string;
    readonly model: readonly number[];
    readonly file: readonly number[];
  }[];
  /** The file's own texts. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Loads safetensors with torchvision's keys, in one file or in shards (`….index.json`), from a path, URL, Blob, stream or bytes;
 * → what did not fit and was let through. `progress`, `integrity` and `signal` as in `loadSafetensors`; with `strict: false`
 * missing and unexpected keys are reported instead of refused (auxiliary heads, say).
 * @throws LoadError for a file that cannot be read or is not the one that was meant; StateDictError with every key that is missing,
 *   unexpected or of another shape. Nothing is assigned then.
 */
export async function loadPretrained(
  model: Module<never, unknown>,
  source: ByteSource,
  { strict = true, ignoreMismatchedSizes = false, ...reading }: PretrainedOptions = {},
): Promise<PretrainedReport> {
  const { tensors, metadata } = await loadSafetensors(source, reading);
  const given = new Map<string, Tensor | State>(tensors);
  const mismatched: PretrainedReport['mismatched'][number][] = [];
  if (ignoreMismatchedSizes)
    for (const [key, own] of model.stateDict()) {
      const file = tensors.get(key);
      if (!file || String(file.shape) === String(own.shape)) continue;
      mismatched.push({ key, model: own.shape as readonly number[], file: file.shape as readonly number[] });
      given.set(key, own); // its own values: neither missing nor of another shape
    }
  return { ...model.loadStateDict(given, { strict }), mismatched, metadata };
}
