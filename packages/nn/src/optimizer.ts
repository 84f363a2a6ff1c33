/**
 * Optimizer: parameters, what is kept beside each of them, and one rule that gives the next values of both. The rule of a
 * parameter is element by element, so that the scheduler runs all parameters as one kernel.
 */
import { ArgumentError, add, fullLike, guard, mul, ShapeError, State, type Tensor } from '@tessera/tensor';
import type { Parameter } from './module';
import { Setting } from './setting';
import { entriesOf, type LoadOptions, type LoadReport, loadInto, type StateDict } from './state-dict';
import { StepCounts } from './step-counts';

/** The next values of a parameter and of what is kept beside it, in the order of `slots`. */
export type Rule = (parameter: Tensor, gradient: Tensor, kept: readonly Tensor[]) => readonly [Tensor, ...Tensor[]];

/** Parameters with settings of their own. */
export interface ParameterGroup {
  readonly parameters: readonly Parameter[];
  /** Their rate at first; from then on in its proportion to the optimizer's, which schedules set. Default: the optimizer's. */
  readonly lr?: number;
  /** λ. Default: the optimizer's. */
  readonly weightDecay?: number;
}
/** What an optimizer updates: a model's parameters, or groups of them. */
export type Parameters = readonly Parameter[] | readonly ParameterGroup[];

/** What a rule works with; parameters of different groups differ in it. */
export interface GroupSettings {
  /** [] */
  readonly lr: Tensor;
  readonly weightDecay: number;
}

/** What all optimizers have in common. torch.optim.Optimizer */
export abstract class Optimizer {
  /** All parameters, group after group: the order of gradients. */
  readonly parameters: readonly Parameter[];
  readonly #groups: readonly (ParameterGroup & { readonly scale: number })[];
  readonly #lr: Setting;
  readonly #counts: StepCounts;
  readonly #kept = new Map<string, readonly State[]>();

  constructor(given: Parameters, lr: number) {
    const groups = groupsOf(given);
    const parameters = groups.flatMap((group) => group.parameters);
    if (!parameters.length)
      throw new ArgumentError(`${new.target.name}: no parameters; was the model made without any?`);
    if (new Set(parameters).size !== parameters.length)
      throw new ArgumentError(`${new.target.name}: a parameter is listed twice; each can have one update`);
    if (!(lr >= 0)) throw new ArgumentError(`${new.target.name}: lr is ${lr}, wants a number ≥ 0`);
    if (lr === 0 && groups.some((group) => group.lr))
      throw new ArgumentError(`${new.target.name}: lr is 0, which no group's lr is in proportion to; give it a rate`);
    this.parameters = parameters;
    this.#groups = groups.map((group) => ({ ...group, scale: group.lr === undefined || lr === 0 ? 1 : group.lr / lr }));
    this.#lr = new Setting('lr', lr);
    this.#counts = new StepCounts(parameters.length);
  }

  /** Learning rate. Setting it takes effect from the next step on, compiled or not. */
  get lr(): number {
    return this.#lr.value;
  }
  set lr(value: number) {
    this.#lr.value = value;
  }
  /** λ of the groups that have none of their own. */
  abstract weightDecay: number;

  /** What is kept beside each parameter, by PyTorch's names; zeros at first. It may grow with the settings. */
  protected abstract slots(): readonly string[];
  /** What a slot holds before the first step. */
  protected initial(_slot: string): number {
    return 0;
  }
  /** The rule of one step; what is the same for a group's parameters is computed here, once. `step` counts theirs from 1, []. */
  protected abstract rule(step: Tensor, settings: GroupSettings): Rule;

  /**
   * Assigns the next values of all parameters. `gradients` in the parameters' order, as `valueAndGrad` gives them; null
   * leaves its parameter alone, and so does freezing it: it makes its first step when it is free.
   * @throws ArgumentError, ShapeError where they do not fit the parameters.
   */
  step(gradients: readonly (Tensor | null)[]): void {
    const name = this.constructor.name;
    if (gradients.length !== this.parameters.length)
      throw new ArgumentError(
        `${name}.step: ${gradients.length} gradients for ${this.parameters.length} parameters; differentiate by the same list`,
      );
    const counts = this.#counts.split(
      this.parameters.map((parameter, i) => Boolean(gradients[i]) && guard(() => parameter.requiresGrad)),
    );
    const steps = new Map<State, Tensor>();
    const slots = this.slots().map((slot) => this.#states(slot));
    const rate = this.#lr.state.read();
    let i = 0;
    for (const group of this.#groups) {
      const lr = group.scale === 1 ? rate : mul(rate, group.scale);
      const settings = { lr, weightDecay: guard(() => group.weightDecay ?? this.weightDecay) };
      const rules = new Map<State, Rule>();
      for (const parameter of group.parameters) {
        const place = i++;
        const gradient = gradients[place];
        if (!gradient || !parameter.requiresGrad) continue;
        const count = counts[place] as State;
        const step = steps.get(count) ?? add(count, 1);
        const rule = rules.get(count) ?? this.rule(step, settings);
        steps.set(count, step);
        rules.set(count, rule);
        if (String(gradient.shape) !== String(parameter.shape))
          throw new ShapeError(
            `${name}.step: gradient ${place} is [${gradient.shape}], its parameter [${parameter.shape}]; are they in one order?`,
          );
        const kept = slots.map((states) => states[place] as State);
        const [next, ...nextKept] = rule(
          parameter.read(),
          gradient,
          kept.map((state) => state.read()),
        );
        parameter.assign(next);
        for (const [j, state] of kept.entries()) state.assign(nextKept[j] as Tensor);
      }
    }
    for (const [count, step] of steps) count.assign(step);
  }

  /** A state for each parameter, made when first asked for. */
  #states(slot: string): readonly State[] {
    let states = this.#kept.get(slot);
    if (!states) {
      states = this.parameters.map((parameter) => new State(fullLike(parameter, this.initial(slot))));
      this.#kept.set(slot, states);
    }
    return states;
  }

  /**
   * The count of steps and what is kept, by key: 'step', '0.exp_avg', …, and '0-159.step' where parameters 0 to 159 sat steps
   * out; settings such as lr are the program's to restore.
   */
  stateDict(): Map<string, State> {
    const found = new Map<string, State>(this.#counts.entries());
    for (const slot of this.slots())
      for (const [i, state] of this.#states(slot).entries()) found.set(`${i}.${slot}`, state);
    return found;
  }
  /** @throws StateDictError with every key which is missing, not wanted, or of another shape. */
  loadStateDict(given: StateDict, options: LoadOptions = {}): LoadReport {
    const undo = this.#counts.arrange(entriesOf(given).keys());
    try {
      return loadInto(this.constructor.name, this.stateDict(), given, options);
    } catch (fault) {
      undo();
      throw fault;
    }
  }
}

const groupsOf = (given: Parameters): readonly ParameterGroup[] => {
  const isGroup = (item: Parameter | ParameterGroup): item is ParameterGroup => 'parameters' in item;
  const items: readonly (Parameter | ParameterGroup)[] = given;
  const groups = items.filter(isGroup);
  if (groups.length && groups.length < items.length)
    throw new ArgumentError('Optimizer: parameters among groups of them; put them into a group, too');
  return groups.length ? groups : [{ parameters: [...(given as readonly Parameter[])] }];
};

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
