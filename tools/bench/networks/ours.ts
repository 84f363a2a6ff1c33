/** Ours: a network as a user would run it, with the bench's numbers for weights. */
import { valueAndGrad } from '@tessera/autograd';
import { fuse, type Module, SGD } from '@tessera/nn';
import { compile, crossEntropy, type Tensor, tensor } from '@tessera/tensor';
import type { Shape } from '../work.ts';
import { imagesOf, labelsOf, type Network, valuesOf } from './layers.ts';
import { type NetName, nets, type Pass } from './nets.ts';
import { type Spelled, spell } from './spell.ts';

export interface NetWork {
  readonly net: NetName;
  readonly batch: number;
  readonly pass: Pass;
  readonly size?: number | undefined;
}

export const imageShape = ({ net, batch, size = nets[net].size }: Omit<NetWork, 'pass'>): Shape => [
  batch,
  3,
  size,
  size,
];

/** The model of a pass and its layers: for inference, batch norms are folded into the layers before them. */
export async function modelOf({ net, batch, pass, size }: NetWork): Promise<Spelled & { readonly model: Module }> {
  const shape = imageShape({ net, batch, size });
  const made: Module = await nets[net].make();
  const model = pass === 'forward' ? fuse(made, shape) : made;
  return { model, ...spell(model, shape) };
}

/** Images, and in training labels. */
export function inputsOf(network: Network, pass: Pass): Tensor[] {
  const images = tensor(imagesOf(network), { shape: network.images });
  return pass === 'forward' ? [images] : [images, tensor(labelsOf(network))];
}

export type Step = (...inputs: Tensor[]) => Tensor;

/** Compiled: images → logits. */
export function inferenceOf(model: Module): Step {
  model.eval();
  return compile((x: Tensor) => model.forward(x)) as Step;
}

/** Compiled: images and labels → loss, and the parameters one step further. */
export function trainingOf(model: Module, { sgd }: Network): { readonly step: Step; readonly optimizer: SGD } {
  model.train();
  const optimizer = new SGD(model.parameters(), sgd);
  const step = compile((x: Tensor, y: Tensor) => {
    const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), model.parameters());
    optimizer.step(grads);
    return value;
  });
  return { step: step as Step, optimizer };
}

/** Gives a model's cells the bench's numbers. */
export function fill({ network, cells }: Spelled): void {
  for (const [i, cell] of cells.entries()) {
    const parameter = network.parameters[i];
    if (!parameter) continue;
    const values = tensor(valuesOf(parameter, i), { shape: parameter.shape });
    cell.assign(values);
    values.dispose(); // else it would stay beside the cell's own copy
  }
}

export async function prepareNetwork(work: NetWork): Promise<{ readonly step: Step; readonly inputs: Tensor[] }> {
  const { model, network, cells } = await modelOf(work);
  fill({ network, cells });
  const step = work.pass === 'forward' ? inferenceOf(model) : trainingOf(model, network).step;
  return { step, inputs: inputsOf(network, work.pass) };
}

/** What contestants are compared by: the first logits; in training the loss, and how much the first step lowers it. */
export async function answerOf(step: Step, inputs: readonly Tensor[], pass: Pass): Promise<number[]> {
  const read = async () => {
    const y = step(...inputs);
    const values = [...(await y.data())].slice(0, 8);
    y.dispose();
    return values;
  };
  if (pass === 'forward') return read();
  const [before] = (await read()) as [number];
  const [after] = (await read()) as [number];
  return [before, before - after];
}
