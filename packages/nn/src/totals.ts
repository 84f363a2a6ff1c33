/** Means over many batches, added up on the device and read when asked for. */
import {
  ArgumentError,
  add,
  cast,
  full,
  mul,
  type Shape,
  ShapeError,
  State,
  stack,
  type Tensor,
  zeros,
} from '@tessera/tensor';
import { type LoadReport, loadInto, type StateDict } from './state-dict';

export class Totals {
  /** [names + 1]: each mean times the samples it is of, then the samples. */
  readonly state: State;
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
    this.state = new State(zeros([names.length + 1]));
  }
  /** In a compiled step, or outside. @throws ShapeError for what is not one number. */
  add(means: readonly Tensor[], samples: number): void {
    for (const [i, mean] of means.entries())
      if (mean.rank !== 0)
        throw new ShapeError(
          `${this.#names[i]}: a batch gives [${mean.shape}], wants one number, []; take the mean over the batch`,
        );
    const weighted = means.map((mean) => mul(cast(mean, 'float32'), samples));
    this.state.assign(add(this.state, stack([...weighted, full([], samples)])));
  }
  stateDict(): Map<string, State> {
    return new Map([['sums', this.state]]);
  }
  /** @throws LoadError where they are of other names. */
  loadStateDict(given: StateDict): LoadReport {
    return loadInto('Totals', this.stateDict(), given, {});
  }
  reset(): void {
    this.state.assign(zeros(this.state.shape));
  }
  /** The means by name, and of how many samples; NaN of none. */
  async read(): Promise<{ means: Record<string, number>; samples: number }> {
    const sums = await this.state.data();
    const samples = sums[this.#names.length] as number;
    return { means: Object.fromEntries(this.#names.map((name, i) => [name, (sums[i] as number) / samples])), samples };
  }
}

/** Samples of a batch: the first size of its input. @throws ArgumentError where it has none. */
export function samplesOf({ shape }: { readonly shape: Shape }): number {
  const [samples] = shape;
  if (typeof samples !== 'number') throw new ArgumentError(`fit: the input is [${shape}], wants a batch [N,…]`);
  return samples;
}
