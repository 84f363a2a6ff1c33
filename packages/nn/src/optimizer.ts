/**
 * Optimizer: parameters, what is kept beside each of them, and one rule that gives the next values of both. The rule of a
 * parameter is element by element, so that the scheduler runs all parameters as one kernel.
 */
import { ArgumentError, add, ShapeError, State, type Tensor, tensor, zerosLike } from '@tessera/tensor';
import type { Parameter } from './module';
import { Setting } from './setting';
import { type LoadOptions, type LoadReport, loadInto, type StateDict } from './state-dict';

/** The next values of a parameter and of what is kept beside it, in the order of `slots`. */
export type Rule = (parameter: Tensor, gradient: Tensor, kept: readonly Tensor[]) => readonly [Tensor, ...Tensor[]];

/** What all optimizers have in common. torch.optim.Optimizer */
export abstract class Optimizer {
  readonly parameters: readonly Parameter[];
  readonly #lr: Setting;
  /** Steps so far, [] float32 as in PyTorch. */
  readonly #steps = new State(tensor(0));
  readonly #kept = new Map<string, readonly State[]>();

  constructor(parameters: readonly Parameter[], lr: number) {
    if (!parameters.length)
      throw new ArgumentError(`${new.target.name}: no parameters; was the model made without any?`);
    if (new Set(parameters).size !== parameters.length)
      throw new ArgumentError(`${new.target.name}: a parameter is listed twice; each can have one update`);
    if (!(lr >= 0)) throw new ArgumentError(`${new.target.name}: lr is ${lr}, wants a number ≥ 0`);
    this.parameters = [...parameters];
    this.#lr = new Setting('lr', lr);
  }

  /** Learning rate. Setting it takes effect from the next step on, compiled or not. */
  get lr(): number {
    return this.#lr.value;
  }
  set lr(value: number) {
    this.#lr.value = value;
  }
  /** The learning rate as rules read it, []. */
  protected get rate(): Tensor {
    return this.#lr.state.read();
  }

  /** What is kept beside each parameter, by PyTorch's names; zeros at first. It may grow with the settings. */
  protected abstract slots(): readonly string[];
  /** The rule of one step; what is the same for all parameters is computed here, once. `step` counts from 1, []. */
  protected abstract rule(step: Tensor): Rule;

  /**
   * Assigns the next values of all parameters. `gradients` in the parameters' order, as `valueAndGrad` gives them; null
   * leaves its parameter alone.
   * @throws ArgumentError, ShapeError where they do not fit the parameters.
   */
  step(gradients: readonly (Tensor | null)[]): void {
    const name = this.constructor.name;
    if (gradients.length !== this.parameters.length)
      throw new ArgumentError(
        `${name}.step: ${gradients.length} gradients for ${this.parameters.length} parameters; differentiate by the same list`,
      );
    const step = add(this.#steps, 1);
    const rule = this.rule(step);
    const slots = this.slots().map((slot) => this.#states(slot));
    this.parameters.forEach((parameter, i) => {
      const gradient = gradients[i];
      if (!gradient) return;
      if (String(gradient.shape) !== String(parameter.shape))
        throw new ShapeError(
          `${name}.step: gradient ${i} is [${gradient.shape}], its parameter [${parameter.shape}]; are they in one order?`,
        );
      const kept = slots.map((states) => states[i] as State);
      const [next, ...nextKept] = rule(
        parameter.read(),
        gradient,
        kept.map((state) => state.read()),
      );
      parameter.assign(next);
      for (const [j, state] of kept.entries()) state.assign(nextKept[j] as Tensor);
    });
    this.#steps.assign(step);
  }

  /** A state for each parameter, made when first asked for. */
  #states(slot: string): readonly State[] {
    let states = this.#kept.get(slot);
    if (!states) {
      states = this.parameters.map((parameter) => new State(zerosLike(parameter)));
      this.#kept.set(slot, states);
    }
    return states;
  }

  /** The count of steps and what is kept, by key: 'step', '0.exp_avg', …; settings such as lr are the program's to restore. */
  stateDict(): Map<string, State> {
    const found = new Map<string, State>([['step', this.#steps]]);
    for (const slot of this.slots())
      for (const [i, state] of this.#states(slot).entries()) found.set(`${i}.${slot}`, state);
    return found;
  }
  /** @throws LoadError that lists every key which is missing, not wanted, or of another shape. */
  loadStateDict(given: StateDict, options: LoadOptions = {}): LoadReport {
    return loadInto(this.constructor.name, this.stateDict(), given, options);
  }
}

/** @throws ArgumentError unless every setting lies in [from, to). */
export function checkSettings(
  owner: string,
  settings: Readonly<Record<string, number>>,
  from: number,
  to: number,
): void {
  for (const [name, value] of Object.entries(settings))
    if (!(value >= from && value < to))
      throw new ArgumentError(
        `${owner}: ${name} is ${value}, wants ${from} ≤ ${name}${to < Infinity ? ` < ${to}` : ''}`,
      );
}
