/** Ours: the work as a user would write it, compiled once and replayed. A backend is a row in the table below. */
import type { Sequential } from '@tessera/nn';
import {
  abs,
  add,
  type Backend,
  batchNorm,
  compile,
  convolution,
  crossEntropy,
  layerNorm,
  manualSeed,
  matmul,
  mul,
  relu,
  setBackend,
  softmax,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
} from '@tessera/tensor';
import type { Contestant } from './contestant.ts';
import { answerOf, prepareNetwork, type Step } from './networks/ours.ts';
import { inputsOf, numbers, outputOf, product, type Work } from './work.ts';

export interface Ours {
  readonly backend: Backend;
  /** What it uses of the machine, for the report. */
  readonly uses: { readonly threads: number; readonly relaxed: boolean };
}

export const backends: Record<string, (options: { threads: number }) => Promise<Ours>> = {
  cpu: async ({ threads }) => {
    const backend = await (await import('@tessera/backend-cpu')).cpu({ threads });
    return { backend, uses: backend.info() };
  },
};

/**
 * `make` is called again behind each network, whose memory goes as a whole: a model's cells are freed by the garbage collector,
 * which does not see them fill WebAssembly's four gigabytes.
 */
export async function tessera(name: string, make: () => Promise<Ours>): Promise<Contestant & Pick<Ours, 'uses'>> {
  let { backend, uses } = await make();
  setBackend(backend);
  let fresh = true;
  let inputs: Tensor[] = [];
  let step: Step = () => {
    throw new TypeError('bench: prepare the work before it is run');
  };
  return {
    name,
    version: 'this checkout',
    uses,
    async prepare(work) {
      for (const input of inputs) input.dispose();
      if (!fresh) {
        backend.dispose();
        ({ backend, uses } = await make());
        setBackend(backend);
        manualSeed(0); // the generator's state was in the memory that is gone
      }
      fresh = work.op !== 'network';
      if (work.op === 'network') {
        ({ step, inputs } = await prepareNetwork(work));
        return answerOf(step, inputs, work.pass);
      }
      inputs = inputsOf(work).map((shape, seed) => tensor(numbers(product(shape), seed), { shape }));
      if (work.op === 'mnist') inputs.push(tensor(Int32Array.from({ length: work.batch }, (_, i) => i % 10)));
      step = compile(await stepOf(work));
      const answer = step(...inputs);
      const first = (await answer.data())[0] ?? null;
      answer.dispose();
      return work.op === 'mnist' ? null : first;
    },
    async run(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) step(...inputs).dispose();
      await backend.sync();
      return performance.now() - start;
    },
    close: () => backend.dispose(),
  };
}

function stepOf(work: Work): Step | Promise<Step> {
  switch (work.op) {
    case 'matmul':
      if (work.form === 'nt') return (a, b) => matmul(a as Tensor, transpose(b as Tensor));
      if (work.form === 'tn') return (a, b) => matmul(transpose(a as Tensor), b as Tensor);
      return (a, b) => matmul(a as Tensor, b as Tensor);
    case 'conv': {
      const { direction, x, w, stride, padding, groups } = work;
      const made = { forward: outputOf(work), inputGrad: x, weightGrad: w }[direction];
      const twice = (value: number) => [value, value];
      const options = { stride: twice(stride), padding: twice(padding), dilation: [1, 1], groups };
      return (a, b) => convolution(a as Tensor, b as Tensor, { direction, size: made.slice(2), ...options });
    }
    case 'softmax':
      return (x) => softmax(x as Tensor, -1);
    case 'layerNorm':
      return (x, weight, bias) =>
        layerNorm(x as Tensor, work.x.slice(-1), { weight: weight as Tensor, bias: bias as Tensor });
    case 'batchNorm':
      return (x, weight, bias) =>
        batchNorm(x as Tensor, { weight: weight as Tensor, bias: bias as Tensor, training: true });
    case 'sum':
      return (x) => sum(x as Tensor);
    case 'transpose':
      return (x) => transpose(x as Tensor);
    case 'chain':
      return (x) => abs(sub(mul(relu(add(mul(x as Tensor, 1.5), 0.25)), x as Tensor), 0.75));
    case 'mnist':
      return mnist();
    case 'network':
      throw new TypeError('bench: a network is prepared by networks/ours.ts');
    case 'limit':
      throw new TypeError('bench: a limit is the machine’s, not a backend’s');
    default:
      return work satisfies never;
  }
}

/** The main job's network. */
export async function mnistNet(): Promise<Sequential> {
  const nn = await import('@tessera/nn');
  return new nn.Sequential(
    ...[new nn.Conv2d(1, 16, 5, { padding: 2 }), new nn.BatchNorm2d(16), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(16, 32, 3, { padding: 1 }), new nn.BatchNorm2d(32), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(32, 64, 3, { padding: 1 }), new nn.BatchNorm2d(64), new nn.ReLU()],
    ...[new nn.Flatten(), new nn.Linear(3136, 10)],
  );
}

/** Its step; the learning rate does not change here. */
async function mnist(): Promise<Step> {
  const [{ valueAndGrad }, nn, model] = await Promise.all([
    import('@tessera/autograd'),
    import('@tessera/nn'),
    mnistNet(),
  ]);
  const optimizer = new nn.AdamW(model.parameters(), { lr: 0.001, weightDecay: 0.01 });
  return (x, y) => {
    const loss = () => crossEntropy(model.forward(x as Tensor), y as Tensor);
    const { value, grads } = valueAndGrad(loss, model.parameters());
    optimizer.step(grads);
    return value;
  };
}
