/** Running statistics of weights that no forward in training has seen: averaged ones. */
import { ArgumentError, type Tensor } from '@tessera/tensor';
import { inputOf, type Loader, overBatches } from './evaluate';
import { inMode } from './mode';
import type { Module } from './module';
import { BatchNorm } from './norm';

export interface UpdateBatchNormOptions<Batch> {
  /** What the model is given. Default: the batch's first column. */
  readonly input?: (batch: Batch) => Tensor;
  /** Stops between two batches: the statistics are then those of the batches before. */
  readonly signal?: AbortSignal | null;
}

/**
 * Computes the running statistics of all batch norms anew: the plain average over one epoch of `data`, the model training
 * (modes and momenta are as before, afterwards). After SWA: `await updateBatchNorm(average.model, data)`. A model without
 * running statistics is left alone. torch.optim.swa_utils.update_bn
 * @throws ArgumentError where there is no batch, or a batch has no columns to take; what the signal was aborted with.
 */
export async function updateBatchNorm<Batch extends object>(
  model: Module<[x: Tensor], unknown>,
  data: Loader<Batch>,
  { input, signal }: UpdateBatchNormOptions<Batch> = {},
): Promise<void> {
  const norms = model
    .namedModules()
    .flatMap(([, module]) => (module instanceof BatchNorm && module.runningMean ? [module] : []));
  if (!norms.length) return;
  const momenta = norms.map(({ momentum }) => momentum);
  const step = overBatches(
    (batch: Batch) => {
      model.forward(inputOf(batch, input));
    },
    { name: 'updateBatchNorm' },
  );
  let batches = 0;
  try {
    for await (const batch of data) {
      signal?.throwIfAborted();
      if (batches++ === 0)
        for (const norm of norms) {
          norm.resetRunningStats();
          norm.momentum = null;
        }
      inMode(model, true, () => step(batch));
    }
  } finally {
    for (const [i, norm] of norms.entries()) norm.momentum = momenta[i] as number | null;
  }
  if (!batches) throw new ArgumentError('updateBatchNorm: the data has no batch; hand in a loader that begins anew');
}
