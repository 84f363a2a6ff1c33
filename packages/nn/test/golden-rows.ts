/** Rows of golden cases that this package brings: the optimizers' trajectories, steps down Σ(A·p)². */
import { valueAndGrad } from '@tessera/autograd';
import { mv, square, sum, type Tensor } from '@tessera/tensor';
import { type Rows, row } from '@tessera/testkit';
import * as nn from '../src/index';

type Settings = Readonly<Record<string, unknown>> & { readonly steps: number };
type Make = new (parameters: nn.Parameter[], options: object) => nn.Optimizer;

const trajectory = (Optimizer: Make) =>
  row<Settings>((inputs, settings) => {
    const { p: start, A } = inputs as { p: Tensor; A: Tensor };
    const p = new nn.Parameter(start);
    const optimizer = new Optimizer(
      [p],
      Object.fromEntries(Object.entries(settings).map(([name, value]) => [camelCase(name), value])),
    );
    for (let i = 0; i < settings.steps; i++) {
      const { grads } = valueAndGrad(() => sum(square(mv(A, p))), [p]);
      optimizer.step(grads);
    }
    return { p: p.read() };
  });
const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

export const optimizerRows: Rows = {
  optim_sgd: trajectory(nn.SGD),
  optim_adam: trajectory(nn.Adam),
  optim_adamw: trajectory(nn.AdamW),
  optim_rmsprop: trajectory(nn.RMSprop),
};
