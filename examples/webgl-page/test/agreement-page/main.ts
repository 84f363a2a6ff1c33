/**
 * What the test asks of the page: the network of the example on WebGL2 beside the CPU backend, from the CPU's state at each of some
 * steps, and some steps on its own.
 */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import { webgl } from '@tessera/backend-webgl';
import * as nn from '@tessera/nn';
import {
  argmax,
  type Backend,
  compile,
  crossEntropy,
  manualSeed,
  realize,
  setBackend,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { type Digits, loadDigits } from '../../../webgpu-page/src/digits';
import { network, normalise } from '../../../webgpu-page/src/training';

const batch = 16;
type Values = Float32Array[];

/** Steps that are queued before the first of them is waited for. */
const queued = 10;

interface Manners {
  /** Do its steps change its weights? */
  readonly learns: boolean;
  /** Do they tell gradients? */
  readonly tells: boolean;
}

/** The network on a backend. */
class Learner {
  readonly #backend: Backend;
  readonly #model;
  readonly #step: (image: Tensor, label: Tensor) => { loss: Tensor; grads: readonly Tensor[] };
  readonly #answer;

  constructor(backend: Backend, { learns, tells }: Manners) {
    this.#backend = backend;
    this.#choose();
    manualSeed(0);
    const model = network();
    this.#model = model;
    const optimizer = new nn.AdamW(model.parameters(), { lr: 0.002, weightDecay: 0.01 });
    this.#step = compile((image: Tensor, label: Tensor) => {
      const { value, grads } = valueAndGrad(
        () => crossEntropy(model.forward(normalise(image)), label),
        model.parameters(),
      );
      if (learns) optimizer.step(grads);
      return { loss: value, grads: tells ? grads : [] };
    });
    this.#answer = nn.compile(
      new nn.Sequential(new nn.Lambda((x: Tensor) => normalise(x)), model, new nn.Lambda((x: Tensor) => argmax(x, 1))),
      { mode: 'eval' },
    );
  }

  #choose(): void {
    setBackend(this.#backend);
  }

  async weights(): Promise<Values> {
    this.#choose();
    return (await Promise.all(this.#model.parameters().map((each) => each.data()))) as Values;
  }
  async assign(values: Values): Promise<void> {
    this.#choose();
    this.#model.parameters().forEach((each, i) => {
      each.assign(tensor(values[i] as Float32Array, { shape: each.shape as number[] }));
    });
    await realize(...this.#model.parameters()); // what waits would be computed on whatever backend is chosen next
  }
  /** The loss before the step, and the gradients there, where it tells them. */
  async step(digits: Digits, at: number): Promise<{ loss: number; grads: Values }> {
    this.#choose();
    const [image, label] = batchOf(digits, at);
    const { loss, grads } = this.#step(image, label);
    const [value, ...values] = await Promise.all([loss, ...grads].map((each) => each.data()));
    for (const each of [image, label, loss, ...grads]) each.dispose();
    return { loss: (value as Float32Array)[0] as number, grads: values as Values };
  }
  async accuracy({ image, label }: Digits): Promise<number> {
    this.#choose();
    const answers = await this.#answer(tensor(image.data, { shape: image.shape })).data();
    return Array.from(label.data).filter((each, i) => each === answers[i]).length / label.data.length;
  }
  get names(): string[] {
    return [...this.#model.namedParameters()].map(([name]) => name);
  }
}

function batchOf({ image, label }: Digits, at: number): [Tensor, Tensor] {
  const part = (data: { slice(from: number, to: number): unknown }, each: number) =>
    data.slice(at * batch * each, (at + 1) * batch * each) as Uint8Array;
  return [
    tensor(part(image.data, 784), { shape: [batch, 1, 28, 28], dtype: 'uint8' }),
    tensor(part(label.data, 1), { shape: [batch], dtype: 'int32' }),
  ];
}

export interface Answer {
  /** Of each value of the loss and the gradients: its name, and the most that it is off as a share of what is allowed. */
  readonly off: readonly { readonly step: number; readonly what: string; readonly share: number }[];
  /** Losses of the CPU, and of WebGL2 on its own. */
  readonly lead: readonly number[];
  readonly own: readonly number[];
  /** Of WebGL2 on its own, of 500 test digits. */
  readonly accuracy: number;
  readonly seconds: number;
}

/** Golden operator cases allow as much: `opBound` of testkit, which is no package for pages. */
function share(saw: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [most, off] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    most = Math.max(most, Math.abs(wanted[i] as number));
    const miss = Math.abs((saw[i] as number) - (wanted[i] as number));
    off = Math.max(off, miss); // NaN stays
  }
  return off / (1e-4 * most + 1e-5);
}

async function agreement(compared: number, steps: number): Promise<Answer> {
  const begin = performance.now();
  const [host, gpu] = await Promise.all([cpu(), webgl()]);
  const [train, test] = await Promise.all([loadDigits('train', batch * steps), loadDigits('test', 500)]);
  const leader = new Learner(host, { learns: true, tells: true });
  const first = await leader.weights();
  const follower = new Learner(gpu, { learns: false, tells: true });
  const free = new Learner(gpu, { learns: true, tells: false });
  await free.assign(first);
  const off: { step: number; what: string; share: number }[] = [];
  const lead: number[] = [];
  for (let step = 0; step < compared; step++) {
    const weights = await leader.weights();
    const wanted = await leader.step(train, step);
    await follower.assign(weights);
    const saw = await follower.step(train, step);
    lead.push(wanted.loss);
    off.push({ step, what: 'loss', share: share([saw.loss], [wanted.loss]) });
    wanted.grads.forEach((each, i) => {
      off.push({ step, what: `gradient of ${leader.names[i]}`, share: share(saw.grads[i] as Float32Array, each) });
    });
  }
  const own: number[] = [];
  for (let step = 0; step < steps; step += queued) {
    const some = Array.from({ length: Math.min(queued, steps - step) }, (_, i) => free.step(train, step + i));
    own.push(...(await Promise.all(some)).map(({ loss }) => loss));
  }
  const accuracy = await free.accuracy(test);
  for (const each of [host, gpu]) each.dispose();
  return { off, lead, own, accuracy, seconds: (performance.now() - begin) / 1000 };
}
Object.assign(globalThis, { agreement });
