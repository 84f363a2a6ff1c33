/** From logits to names. */
import { ArgumentError, ShapeError, softmax, type Tensor, topk } from '@tessera/tensor';

export interface Prediction {
  readonly label: string;
  readonly index: number;
  /** softmax(logits) of the class, in [0,1]. */
  readonly probability: number;
}

/**
 * The k most probable classes of each row of logits [N,classes], most probable first; equal ones by their index.
 * @throws ShapeError for other shapes; ArgumentError where there are not as many labels as classes, or fewer than k.
 */
export async function topK(logits: Tensor, labels: readonly string[], k = 5): Promise<Prediction[][]> {
  const [rows, classes] = logits.shape;
  if (logits.rank !== 2 || typeof rows !== 'number')
    throw new ShapeError(`topK: logits of shape [${logits.shape}], wants [N,classes]`);
  if (classes !== labels.length)
    throw new ArgumentError(`topK: ${labels.length} labels for logits [${logits.shape}], wants ${classes}`);
  if (!(Number.isInteger(k) && k > 0 && k <= labels.length))
    throw new ArgumentError(`topK: k is ${k}, wants a whole number from 1 to ${labels.length}`);
  const best = topk(softmax(logits, 1), k, { dim: 1 });
  const [probabilities, indices] = (await Promise.all(best.map((t) => t.data()))) as [Float32Array, Int32Array];
  const at = (place: number): Prediction => {
    const [index, probability] = [indices[place] as number, probabilities[place] as number];
    return { label: labels[index] as string, index, probability };
  };
  return Array.from({ length: rows }, (_, row) => Array.from({ length: k }, (_, i) => at(row * k + i)));
}
