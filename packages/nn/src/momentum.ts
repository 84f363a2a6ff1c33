/** What optimizers with a momentum buffer have in common: SGD, LARS, RMSprop. */
import { guard, type Tensor } from '@tessera/tensor';
import { checkSettings, Optimizer, type Parameters } from './optimizer';
import { Setting } from './setting';

export abstract class MomentumOptimizer extends Optimizer {
  readonly #momentum: Setting;

  /** @throws ArgumentError for a momentum below 0. */
  constructor(parameters: Parameters, lr: number, momentum: number) {
    super(parameters, lr);
    checkSettings(new.target.name, { momentum }, 0, Infinity);
    this.#momentum = new Setting('momentum', momentum);
  }

  /** μ; it may change between steps, compiled or not. */
  get momentum(): number {
    return this.#momentum.value;
  }
  set momentum(value: number) {
    this.#momentum.value = value;
  }
  /** μ as a rule reads it, []. */
  protected readMomentum(): Tensor {
    return this.#momentum.state.read();
  }

  protected slots(): readonly string[] {
    return guard(() => this.momentum !== 0) ? ['momentum_buffer'] : [];
  }
}
