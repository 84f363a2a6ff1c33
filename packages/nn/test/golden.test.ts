/** The optimizers' trajectories as PyTorch computed them: five steps down Σ(A·p)². */
import { readFileSync } from 'node:fs';
import { valueAndGrad } from '@tessera/autograd';
import { mv, setBackend, square, sum, type Tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

interface Case {
  readonly op: string;
  readonly case: string;
  readonly attrs: Readonly<Record<string, unknown>> & { readonly steps: number };
}
const file = nn.loadSafetensors(readFileSync(new URL('../../testkit/golden/ops.safetensors', import.meta.url)));
const cases = (JSON.parse(file.metadata['cases'] ?? '[]') as Case[]).filter(({ op }) => op.startsWith('optim_'));
const optimizers: Readonly<Record<string, new (p: nn.Parameter[], options: object) => nn.Optimizer>> = {
  optim_sgd: nn.SGD,
  optim_adam: nn.Adam,
  optim_adamw: nn.AdamW,
  optim_rmsprop: nn.RMSprop,
};
const camelCase = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

beforeAll(() => setBackend(reference()));

describe('golden optimizers', () => {
  it('are all there', () =>
    expect(cases.map(({ op }) => op).sort()).toMatchInlineSnapshot(`
    [
      "optim_adam",
      "optim_adamw",
      "optim_rmsprop",
      "optim_sgd",
      "optim_sgd",
    ]
  `));

  it.each(cases)('$case', async ({ op, case: name, attrs }) => {
    const Optimizer = optimizers[op];
    if (!Optimizer) throw new Error(`no optimizer for ${op}`);
    const part = (key: string) => file.tensors.get(`${name}/${key}`) as Tensor;
    const p = new nn.Parameter(part('in/p'));
    const options = Object.fromEntries(Object.entries(attrs).map(([key, value]) => [camelCase(key), value]));
    const optimizer = new Optimizer([p], options);
    for (let i = 0; i < attrs.steps; i++) {
      const { grads } = valueAndGrad(() => sum(square(mv(part('in/A'), p))), [p]);
      optimizer.step(grads);
    }
    const [seen, wanted] = [await p.data(), await part('out/p').data()];
    const largest = Math.max(...wanted.map(Math.abs));
    for (const [i, value] of seen.entries())
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThanOrEqual(1e-4 * largest + 1e-5);
  });
});
