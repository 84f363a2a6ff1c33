/** The steps that are counted and timed on a GPU, as a user writes them, compiled. */
import { valueAndGrad } from '@tessera/autograd';
import { AdamW, compile as compileModel, LossScaler, type Module, type Optimizer, SGD } from '@tessera/nn';
import { compile, crossEntropy, realize, type State, type Tensor, tensor } from '@tessera/tensor';
import { type NetName, nets } from '../networks/nets.ts';
import { imageShape } from '../networks/ours.ts';
import { mnistNet } from '../tessera.ts';
import { numbers, product, type Shape } from '../work.ts';

export interface StepWork {
  readonly net: NetName | 'mnist';
  readonly pass: 'forward' | 'train';
  readonly batch: number;
  /** Height and width of the images; the network's own where it is left out. */
  readonly size?: number | undefined;
  /** float16 operands of products, loss scaling. */
  readonly mixed?: true;
}
export interface Prepared {
  readonly step: (...inputs: Tensor[]) => Tensor | undefined;
  readonly inputs: readonly Tensor[];
  readonly cells: readonly State[];
}

export async function prepareStep({ net, pass, batch, size, mixed }: StepWork): Promise<Prepared> {
  const model: Module = net === 'mnist' ? await mnistNet() : await nets[net].make();
  const shape = net === 'mnist' ? [batch, 1, 28, 28] : imageShape({ net, batch, size });
  const images = tensor(numbers(product(shape), 0), { shape });
  const precision = mixed ? 'mixed' : 'float32';
  if (pass === 'forward') {
    model.eval();
    const step = compileModel(model as Module<[Tensor], Tensor>, { precision }) as Prepared['step'];
    await realize(...model.stateDict().values(), images);
    return { step, inputs: [images], cells: [...model.stateDict().values()] };
  }
  model.train();
  const optimizer: Optimizer =
    net === 'mnist'
      ? new AdamW(model.parameters(), { lr: 0.001, weightDecay: 0.01 })
      : new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const scaler = mixed ? new LossScaler() : null;
  const labels = tensor(Int32Array.from({ length: batch }, (_, i) => (7919 * i + 1) % (net === 'mnist' ? 10 : 1000)));
  const forward = model as Module<[Tensor], Tensor>;
  const step = compileModel(
    (x: Tensor, y: Tensor) => {
      const loss = () => crossEntropy(forward.forward(x), y);
      const { value, grads } = scaler
        ? scaler.valueAndGrad(loss, model.parameters())
        : valueAndGrad(loss, model.parameters());
      optimizer.step(grads);
      return value;
    },
    { precision, lossScale: scaler },
  ) as Prepared['step'];
  const cells = [...model.stateDict().values(), ...optimizer.stateDict().values()];
  await realize(...cells, images, labels);
  return { step, inputs: [images, labels], cells };
}

/** The optimizer alone: gradients that are there already, one step. */
export async function prepareOptimizer(net: NetName, kind: 'SGD' | 'AdamW'): Promise<Prepared> {
  const model = await nets[net].make();
  const parameters = model.parameters();
  const optimizer =
    kind === 'SGD' ? new SGD(parameters, { lr: 0.01, momentum: 0.9 }) : new AdamW(parameters, { lr: 0.001 });
  const inputs = parameters.map(({ shape }) =>
    tensor(new Float32Array(product(shape as Shape)), { shape: shape as Shape }),
  );
  const step = compile((...grads: Tensor[]) => {
    optimizer.step(grads);
    return undefined;
  });
  const cells = [...parameters, ...optimizer.stateDict().values()];
  await realize(...cells, ...inputs);
  return { step, inputs, cells };
}
