/** Units that say nothing. */
import { any, isTensor, logicalOr, ne, ShapeError, showShape, type Tensor } from '@tessera/tensor';
import { ReLU, ReLU6 } from './activation';
import { inputOf, type Loader, overBatches } from './evaluate';
import { addForwardHook } from './hooks';
import { inMode } from './mode';
import type { Module } from './module';

export interface DeadUnitsOptions<Batch> {
  /** What the model is given. Default: the batch's first column. */
  readonly input?: (batch: Batch) => Tensor;
  /** Which layers' outputs to look at. Default: ReLU and ReLU6. */
  readonly layers?: (module: Module<never, unknown>, path: string) => boolean;
  /** Stops between two batches. */
  readonly signal?: AbortSignal | null;
}

/**
 * The share of dead units of each layer, by path: those whose output is 0 for every sample of the data, so that no gradient
 * passes them. A unit is a channel, axis 1 of [N,C,…]; of a layer that is called several times, one that is dead in all calls.
 * The model evaluates. He init, LeakyReLU, batch norm or a lower rate mend it.
 * @throws ShapeError for an output without axis 1; what the signal was aborted with.
 */
export async function deadUnits<Batch extends object>(
  model: Module<[x: Tensor], unknown>,
  data: Loader<Batch>,
  options: DeadUnitsOptions<Batch> = {},
): Promise<Map<string, number>> {
  const { layers = (module) => module instanceof ReLU || module instanceof ReLU6 } = options;
  let alive: Record<string, Tensor> = {};
  const hooks = model.namedModules().flatMap(([path, module]) => {
    if (!layers(module, path)) return [];
    return [
      addForwardHook<readonly unknown[], unknown>(module as never, (_, y) => {
        if (!isTensor(y) || y.rank < 2)
          throw new ShapeError(
            `deadUnits: ${path} makes ${isTensor(y) ? showShape(y.shape) : typeof y}, wants [N,C,…]; name other layers`,
          );
        const axes = y.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
        const here = any(ne(y, 0), axes);
        const before = alive[path];
        alive[path] = before ? logicalOr(before, here) : here;
      }),
    ];
  });
  const step = overBatches(
    (batch: Batch) => {
      alive = {};
      model.forward(inputOf(batch, options.input));
      return alive;
    },
    { name: 'deadUnits' },
  );
  const found = new Map<string, Tensor>();
  try {
    for await (const batch of data) {
      options.signal?.throwIfAborted();
      for (const [path, here] of Object.entries(inMode(model, false, () => step(batch)))) {
        const before = found.get(path);
        found.set(path, before ? logicalOr(before, here) : here);
      }
    }
  } finally {
    for (const off of hooks) off();
  }
  const shares = [...found].map(async ([path, flags]): Promise<[string, number]> => {
    const values = await flags.data();
    return [path, values.filter((flag) => flag === 0).length / values.length];
  });
  return new Map(await Promise.all(shares));
}
