/** Averages of a model over its steps, which often do better than its last step. */
import { ArgumentError, add, cast, div, eq, lerp, State, sub, type Tensor, tensor, where } from '@tessera/tensor';
import type { Module } from './module';
import { Setting } from './setting';
import { type LoadOptions, type LoadReport, loadInto, type StateDict } from './state-dict';

export interface AveragedOptions {
  /** d of an exponential average, d·average + (1 − d)·parameter; null for the plain mean of all updates. Default null. */
  readonly decay?: number | null;
}

/**
 * A clone whose parameters are the average of the model's: after each step (EMA: `{ decay: 0.999 }`) or each epoch (SWA) call
 * `update`, compiled or not; the first takes the values over. Buffers are copied. Evaluate `average.model`.
 * torch.optim.swa_utils.AveragedModel (Izmailov 2018) @throws ArgumentError for a decay outside of [0, 1].
 */
export class AveragedModel<M extends Module<never, unknown>> {
  readonly model: M;
  readonly #source: M;
  readonly #decay: Setting | null;
  readonly #updates = new State(tensor(0, { dtype: 'int32' }));

  constructor(model: M, { decay = null }: AveragedOptions = {}) {
    if (decay !== null && !(decay >= 0 && decay <= 1))
      throw new ArgumentError(`AveragedModel: decay is ${decay}, wants 0 ≤ decay ≤ 1, or null for the mean`);
    this.#source = model;
    this.model = model.clone().eval();
    this.#decay = decay === null ? null : new Setting('decay', decay);
  }

  /** d; it may change between updates, compiled or not. Null for the mean. */
  get decay(): number | null {
    return this.#decay?.value ?? null;
  }
  set decay(value: number) {
    if (!this.#decay) throw new ArgumentError('AveragedModel: a plain mean has no decay; make it with one');
    this.#decay.value = value;
  }

  /** Takes the model's present values into the average. */
  update(): void {
    const updates = this.#updates.read();
    const share: Tensor = this.#decay
      ? where(eq(updates, 0), 1, sub(1, this.#decay.state))
      : div(1, add(cast(updates, 'float32'), 1));
    const now = new Map(this.#source.namedParameters());
    for (const [key, average] of this.model.namedParameters()) {
      const value = now.get(key);
      if (value) average.assign(lerp(average, value, share));
    }
    const buffers = new Map(this.#source.namedBuffers());
    for (const [key, buffer] of this.model.namedBuffers()) {
      const value = buffers.get(key);
      if (value) buffer.assign(value);
    }
    this.#updates.assign(add(updates, 1));
  }

  /** The average's own keys under 'module.', and how many updates it had: all there is to resume. */
  stateDict(): Map<string, State> {
    const own = [...this.model.stateDict()].map(([key, state]): [string, State] => [`module.${key}`, state]);
    return new Map([['n_averaged', this.#updates], ...own]);
  }
  /** @throws StateDictError with every key which is missing, not wanted, or of another shape. */
  loadStateDict(given: StateDict, options: LoadOptions = {}): LoadReport {
    return loadInto('AveragedModel', this.stateDict(), given, options);
  }
}
