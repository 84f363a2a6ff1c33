/** The task and the network: two half circles that reach into each other, told apart from their coordinates. */
import { valueAndGrad } from '@tessera/autograd';
import { batches } from '@tessera/data';
import * as nn from '@tessera/nn';
import { add, compile, crossEntropy, mul, randn, select, softmax, type Tensor, tensor } from '@tessera/tensor';
import { reach } from './messages';

/** Points [count,2] and which moon each is on [count]. */
export async function twoMoons(count: number): Promise<{ points: Float32Array; labels: Int32Array }> {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const onMoon = Array.from(labels, (moon, i) => {
    const angle = (Math.PI * i) / count;
    return moon === 0
      ? [Math.cos(angle) - 0.5, Math.sin(angle) - 0.25]
      : [0.5 - Math.cos(angle), 0.25 - Math.sin(angle)];
  });
  const points = await add(tensor(onMoon), mul(randn([count, 2]), 0.2)).data();
  return { points: points as Float32Array, labels };
}

export interface TrainOptions {
  /** Stops between two steps. */
  readonly signal: AbortSignal;
  readonly onEpoch: (epoch: number, loss: number) => void | Promise<void>;
}

export class Training {
  readonly #model = new nn.Sequential(
    ...[new nn.Linear(2, 24), new nn.ReLU()],
    ...[new nn.Linear(24, 24), new nn.ReLU()],
    new nn.Linear(24, 2),
  );
  readonly #optimizer = new nn.AdamW(this.#model.parameters(), { lr: 0.01 });
  readonly #loader;
  #epoch = 0;

  /** Traced once, then one plan of kernels a call. */
  readonly #step = compile((point: Tensor, label: Tensor) => {
    const loss = () => crossEntropy(this.#model.forward(point), label);
    const { value, grads } = valueAndGrad(loss, this.#model.parameters());
    this.#optimizer.step(grads);
    return value;
  });
  readonly #classify = compile((point: Tensor) => select(softmax(this.#model.forward(point), 1), 1, 1));

  constructor(points: Float32Array, labels: Int32Array) {
    const columns = {
      point: { data: points, shape: [labels.length, 2] },
      label: { data: labels, shape: [labels.length] },
    };
    this.#loader = batches(columns, { size: labels.length / 4, shuffle: true });
  }

  /** Epoch after epoch until the signal; called again it goes on. */
  async train({ signal, onEpoch }: TrainOptions): Promise<void> {
    while (!signal.aborted) {
      let [total, steps] = [0, 0];
      for await (const { point, label } of this.#loader) {
        const loss = this.#step(point, label);
        total += await loss.item();
        steps++;
        for (const done of [point, label, loss]) done.dispose();
        if (signal.aborted) return;
      }
      await onEpoch(++this.#epoch, total / steps);
    }
  }

  /** How likely the places of a grid [size,size] over the square belong to the second moon, row by row from the top. */
  async surface(size: number): Promise<Float32Array> {
    const at = (i: number) => reach * ((2 * i + 1) / size - 1);
    const grid = tensor(Array.from({ length: size * size }, (_, i) => [at(i % size), -at(Math.floor(i / size))]));
    const second = this.#classify(grid);
    const values = await second.data();
    for (const done of [grid, second]) done.dispose();
    return values as Float32Array;
  }
}
