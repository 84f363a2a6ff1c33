/** Training: model, optimizer, schedule and data, and the loop that moves them one compiled step after the other. */

import { valueAndGrad } from '@tessera/autograd';
import { batches, type Position, randomShift } from '@tessera/data';
import * as nn from '@tessera/nn';
import { argmax, compile, crossEntropy, eq, manualSeed, sum, type Tensor, TesseraError } from '@tessera/tensor';
import type { Digits } from './data';
import { digitNet, normalise } from './model';

export interface Settings {
  readonly epochs: number;
  readonly seed: number;
  readonly batch: number;
  readonly maxLr: number;
  readonly weightDecay: number;
  /** Pixels by which each image may move, either way. */
  readonly shift: number;
}
export const defaults: Settings = { epochs: 3, seed: 0, batch: 128, maxLr: 0.01, weightDecay: 0.01, shift: 2 };

/** What a step came to. */
export interface StepResult {
  /** Counted from 1 through all epochs. */
  readonly step: number;
  readonly loss: number;
  /** Share of the batch that was right before the step. */
  readonly accuracy: number;
}
export interface TrainOptions {
  /** Stops between two steps; everything is then as after the last one. */
  readonly signal?: AbortSignal;
  readonly onStep?: (result: StepResult) => void;
  /** After each epoch, with its number from 1. */
  readonly onEpoch?: (epoch: number) => Promise<void>;
}

export class Training {
  readonly settings: Settings;
  readonly model: nn.Sequential;
  readonly optimizer: nn.AdamW;
  readonly schedule: nn.OneCycleLR;
  readonly loader: ReturnType<typeof loaderOf>;
  /** The data's position behind the last step; the loader itself may have made a batch more. */
  position: Position = { epoch: 0, row: 0 };
  /** The compiled step: digits and labels in, loss and number of right answers out. */
  readonly step: (image: Tensor, label: Tensor) => { loss: Tensor; correct: Tensor };

  constructor(digits: Digits, settings: Settings = defaults) {
    this.settings = settings;
    manualSeed(settings.seed);
    this.model = digitNet();
    this.optimizer = new nn.AdamW(this.model.parameters(), { weightDecay: settings.weightDecay });
    this.loader = loaderOf(digits, settings);
    this.schedule = new nn.OneCycleLR(this.optimizer, { maxLr: settings.maxLr, totalSteps: this.totalSteps });
    this.step = compile((image: Tensor, label: Tensor) => this.#step(image, label), {
      name: 'step',
      // A loss that is no number changes nothing, so its cause can still be looked for.
      commit: 'finite',
    });
  }

  get totalSteps(): number {
    return this.settings.epochs * this.loader.length;
  }

  #step(image: Tensor, label: Tensor) {
    const {
      value: loss,
      grads,
      aux: logits,
    } = valueAndGrad((): [Tensor, Tensor] => {
      const scores = this.model.forward(normalise(image));
      return [crossEntropy(scores, label), scores];
    }, this.optimizer.parameters);
    this.optimizer.step(grads);
    return { loss, correct: sum(eq(argmax(logits, 1), label)) };
  }

  /**
   * Trains to the end of the last epoch, or until the signal. The next batch is made while a step runs.
   * @throws TesseraError where a loss is no number, naming the step and the first layer in which it appeared; model and
   *   optimizer are then as before that step.
   */
  async train({ signal, onStep, onEpoch }: TrainOptions = {}): Promise<void> {
    this.model.train();
    while (this.position.epoch < this.settings.epochs && !signal?.aborted) {
      const { epoch } = this.position;
      let running: Promise<StepResult> | null = null;
      for await (const batch of this.loader) {
        const result = await running;
        if (result) onStep?.(result);
        running = null;
        if (signal?.aborted) break;
        running = this.#run(batch);
        running.catch(() => {}); // whoever awaits it hears of it
      }
      const result = await running;
      if (result) onStep?.(result);
      this.loader.position = this.position;
      if (this.position.epoch > epoch) await onEpoch?.(epoch + 1);
    }
  }

  async #run({ image, label }: { image: Tensor; label: Tensor }): Promise<StepResult> {
    const { loss: lossTensor, correct } = this.step(image, label);
    this.schedule.step();
    this.position = this.loader.position;
    const step = this.schedule.position;
    const [loss, right] = await Promise.all([lossTensor.item(), correct.item()]);
    if (!Number.isFinite(loss)) {
      const where = await nn.firstNonFinite(this.model, normalise(image));
      throw new TesseraError(
        `training: the loss is ${loss} at step ${step}, first seen in ${where}; lower the learning rate, or look at that layer's input`,
      );
    }
    for (const done of [image, label, lossTensor, correct]) done.dispose();
    return { step, loss, accuracy: right / this.settings.batch };
  }
}

/** Shuffled batches, each image shifted by itself. A smaller last batch is left out: the step has one shape. */
const loaderOf = (digits: Digits, { batch, seed, shift }: Settings) =>
  batches(digits, {
    size: batch,
    shuffle: true,
    seed,
    dropLast: true,
    transform: ({ image, label }, draw) => ({ image: randomShift(image, shift, draw), label }),
  });
