/** How good a model is on digits it has not seen. */

import { batches } from '@tessera/data';
import type { Sequential } from '@tessera/nn';
import { compile, type Tensor } from '@tessera/tensor';
import type { Digits } from './data';
import { normalise } from './model';

export interface Mistake {
  /** Which test image. */
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** Probability the model gave to what it predicted. */
  readonly confidence: number;
}
export interface Evaluation {
  readonly accuracy: number;
  readonly loss: number;
  /** confusion[label][predicted] */
  readonly confusion: readonly (readonly number[])[];
  /** The most confident first. */
  readonly mistakes: readonly Mistake[];
}

/** Images a batch: enough to keep the threads busy, and their activations within a few megabytes. */
const size = 250;

/** Logits of digits [N,1,28,28], traced once for every evaluation. The model must be in eval mode. */
export const predictor = (model: Sequential) =>
  compile((image: Tensor) => model.forward(normalise(image)), { name: 'predict' });

/** Runs all digits through the model, which is in training mode again afterwards. */
export async function evaluate(
  model: Sequential,
  predict: ReturnType<typeof predictor>,
  digits: Digits,
): Promise<Evaluation> {
  const labels = digits.label.data;
  const confusion = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  const mistakes: Mistake[] = [];
  let [right, loss, index] = [0, 0, 0];
  model.eval();
  try {
    for await (const { image } of batches({ image: digits.image }, { size })) {
      const scores = predict(image);
      const logits = await scores.data();
      for (const done of [image, scores]) done.dispose();
      for (let row = 0; row < logits.length; row += 10, index++) {
        const label = labels[index] as number;
        const chances = softmax(Array.from(logits.subarray(row, row + 10)));
        const predicted = chances.indexOf(Math.max(...chances));
        loss -= Math.log(Math.max(chances[label] as number, Number.MIN_VALUE));
        const counts = confusion[label] as number[];
        counts[predicted] = (counts[predicted] as number) + 1;
        if (predicted === label) right++;
        else mistakes.push({ index, label, predicted, confidence: chances[predicted] as number });
      }
    }
  } finally {
    model.train();
  }
  mistakes.sort((a, b) => b.confidence - a.confidence);
  return { accuracy: right / index, loss: loss / index, confusion, mistakes };
}

/** Probabilities from logits, in float64. */
export function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}
