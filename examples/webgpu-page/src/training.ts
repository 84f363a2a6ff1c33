/** Model, optimizer, schedule and data, and the loop over compiled steps: cancelled between two, it goes on with the next batch. */
import { valueAndGrad } from '@tessera/autograd';
import { batches, randomShift } from '@tessera/data';
import * as nn from '@tessera/nn';
import {
  argmax,
  cast,
  compile,
  crossEntropy,
  div,
  eq,
  manualSeed,
  type State,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import type { Digits } from './digits';
import type { Settings } from './messages';

/** Digits that are answered at once, so that thousands take no more memory. */
const atOnce = 500;
/** Mean and deviation of all training pixels, 0 to 255. */
const [mean, deviation] = [33.32, 78.57];
export const normalise = (pixels: Tensor): Tensor => div(sub(cast(pixels, 'float32'), mean), deviation);

/** Digits [N,1,28,28] → logits [N,10]; 55,146 parameters. */
export const network = () =>
  new nn.Sequential(
    ...[new nn.Conv2d(1, 16, 5, { padding: 2 }), new nn.BatchNorm2d(16), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(16, 32, 3, { padding: 1 }), new nn.BatchNorm2d(32), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(32, 64, 3, { padding: 1 }), new nn.BatchNorm2d(64), new nn.ReLU()],
    ...[new nn.Flatten(), new nn.Linear(3136, 10)],
  );

export interface StepResult {
  /** Counted from 1 through all epochs. */
  readonly step: number;
  readonly loss: number;
  /** Share of the batch that was right. */
  readonly accuracy: number;
}
export interface TrainOptions {
  readonly signal: AbortSignal;
  readonly onStep: (result: StepResult) => void | Promise<void>;
  readonly onEpoch: () => void | Promise<void>;
}
/** Where a training stands, on the host: it outlives the GPU. */
export interface Checkpoint {
  readonly bytes: Uint8Array;
  readonly step: number;
  readonly position: { readonly epoch: number; readonly row: number };
}

export class Training {
  readonly steps: number;
  readonly #settings: Settings;
  readonly #model = network();
  readonly #optimizer = new nn.AdamW(this.#model.parameters(), { weightDecay: 0.01 });
  readonly #schedule: nn.OneCycleLR;
  readonly #loader;

  readonly #step = compile((image: Tensor, label: Tensor) => {
    const { value, grads, aux } = valueAndGrad((): [Tensor, Tensor] => {
      const logits = this.#model.forward(normalise(image));
      return [crossEntropy(logits, label), logits];
    }, this.#model.parameters());
    this.#optimizer.step(grads);
    return { loss: value, right: sum(eq(argmax(aux, 1), label)) };
  });
  readonly #answer = nn.compile(
    new nn.Sequential(
      new nn.Lambda((x: Tensor) => normalise(x)),
      this.#model,
      new nn.Lambda((x: Tensor) => argmax(x, 1)),
    ),
    { mode: 'eval' },
  );

  constructor(digits: Digits, settings: Settings) {
    manualSeed(0);
    this.#settings = settings;
    this.#loader = batches(digits, {
      size: settings.batch,
      shuffle: true,
      dropLast: true,
      transform: ({ image, label }, draw) => ({ image: randomShift(image, 2, draw), label }),
    });
    this.steps = settings.epochs * this.#loader.length;
    this.#schedule = new nn.OneCycleLR(this.#optimizer, { maxLr: 0.01, totalSteps: this.steps });
  }

  get step(): number {
    return this.#schedule.position;
  }

  /** To the end of the last epoch, or until the signal. */
  async train({ signal, onStep, onEpoch }: TrainOptions): Promise<void> {
    while (this.step < this.steps && !signal.aborted) {
      for await (const { image, label } of this.#loader) {
        const { loss, right } = this.#step(image, label);
        this.#schedule.step();
        const [value, count] = await Promise.all([loss.item(), right.item()]);
        for (const done of [image, label, loss, right]) done.dispose();
        await onStep({ step: this.step, loss: value, accuracy: count / this.#settings.batch });
        if (signal.aborted) return;
      }
      await onEpoch();
    }
  }

  /** What the network takes each of the images for. */
  async answers({ image }: Digits): Promise<ArrayLike<number>> {
    const [count = 0, ...digit] = image.shape;
    const size = image.data.length / count;
    const answers = new Int32Array(count);
    for (let first = 0; first < count; first += atOnce) {
      const part = image.data.slice(first * size, (first + atOnce) * size);
      const x = tensor(part, { shape: [part.length / size, ...digit] });
      const y = this.#answer(x);
      answers.set(await y.data(), first);
      for (const done of [x, y]) done.dispose();
    }
    return answers;
  }

  async save(): Promise<Checkpoint> {
    const bytes = await nn.saveSafetensors(this.#cells());
    return { bytes, step: this.step, position: { ...this.#loader.position } };
  }
  restore({ bytes, step, position }: Checkpoint): void {
    const { tensors } = nn.loadSafetensors(bytes);
    for (const [key, cell] of this.#cells()) cell.assign(tensors.get(key) as Tensor);
    this.#schedule.position = step;
    this.#loader.position = position;
  }
  #cells() {
    const under = (name: string, cells: ReadonlyMap<string, State>) =>
      [...cells].map(([key, cell]) => [`${name}.${key}`, cell] as const);
    return new Map([...under('model', this.#model.stateDict()), ...under('optimizer', this.#optimizer.stateDict())]);
  }
}
