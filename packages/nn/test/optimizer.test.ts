import { valueAndGrad } from '@tessera/autograd';
import { compile, mean, setBackend, square, sub, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => setBackend(reference()));

const start = () => new nn.Parameter(tensor([1, -2, 3]));
const gradients = [
  [0.5, -1, 2],
  [1, 1, -1],
  [0.25, 0, 4],
  [-3, 0.5, 0.125],
];
/** The parameter after each of the gradients. */
async function run(make: (parameters: nn.Parameter[]) => nn.Optimizer, compiled = false): Promise<number[][]> {
  const parameter = start();
  const optimizer = make([parameter]);
  const step = (g: ReturnType<typeof tensor>) => optimizer.step([g]);
  const go = compiled ? compile(step) : step;
  const seen: number[][] = [];
  for (const g of gradients) {
    go(tensor(g));
    seen.push(Array.from(await parameter.data()));
  }
  return seen;
}
/** The same by a rule in plain float64: PyTorch's, line by line. */
function plainly(rule: (p: number, g: number, kept: Record<string, number>, t: number) => number): number[][] {
  const kept = [1, -2, 3].map((): Record<string, number> => ({}));
  let p = [1, -2, 3];
  return gradients.map((g, t) => {
    p = p.map((value, i) => rule(value, g[i] as number, kept[i] as Record<string, number>, t + 1));
    return p;
  });
}

const cases: [name: string, make: (parameters: nn.Parameter[]) => nn.Optimizer, wanted: number[][]][] = [
  ['SGD', (p) => new nn.SGD(p, { lr: 0.1 }), plainly((p, g) => p - 0.1 * g)],
  [
    'SGD with momentum, dampening and weight decay',
    (p) => new nn.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.05 }),
    plainly((p, g, kept, t) => {
      const slope = g + 0.05 * p;
      kept['b'] = t === 1 ? slope : 0.9 * (kept['b'] as number) + 0.7 * slope;
      return p - 0.1 * kept['b'];
    }),
  ],
  [
    'SGD with nesterov',
    (p) => new nn.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
    plainly((p, g, kept) => {
      kept['b'] = 0.9 * (kept['b'] ?? 0) + g;
      return p - 0.1 * (g + 0.9 * kept['b']);
    }),
  ],
  ...[false, true].flatMap((decoupled) =>
    [false, true].map((amsgrad): (typeof cases)[number] => [
      `${decoupled ? 'AdamW' : 'Adam'}${amsgrad ? ' with amsgrad' : ''}`,
      (p) => new (decoupled ? nn.AdamW : nn.Adam)(p, { lr: 0.05, betas: [0.8, 0.99], weightDecay: 0.1, amsgrad }),
      plainly((p, gradient, kept, t) => {
        const g = decoupled ? gradient : gradient + 0.1 * p;
        const q = decoupled ? p * (1 - 0.05 * 0.1) : p;
        kept['m'] = 0.8 * (kept['m'] ?? 0) + 0.2 * g;
        kept['v'] = 0.99 * (kept['v'] ?? 0) + 0.01 * g * g;
        kept['largest'] = Math.max(kept['largest'] ?? 0, kept['v']);
        const root = Math.sqrt((amsgrad ? kept['largest'] : kept['v']) / (1 - 0.99 ** t)) + 1e-8;
        return q - (0.05 * (kept['m'] / (1 - 0.8 ** t))) / root;
      }),
    ]),
  ),
  ...[false, true].flatMap((centered) =>
    [0, 0.5].map((momentum): (typeof cases)[number] => [
      `RMSprop${centered ? ' centered' : ''}${momentum ? ' with momentum' : ''}`,
      (p) => new nn.RMSprop(p, { lr: 0.05, alpha: 0.9, weightDecay: 0.1, momentum, centered }),
      plainly((p, gradient, kept) => {
        const g = gradient + 0.1 * p;
        kept['v'] = 0.9 * (kept['v'] ?? 0) + 0.1 * g * g;
        kept['a'] = 0.9 * (kept['a'] ?? 0) + 0.1 * g;
        const d = g / (Math.sqrt(kept['v'] - (centered ? kept['a'] ** 2 : 0)) + 1e-8);
        kept['b'] = momentum * (kept['b'] ?? 0) + d;
        return p - 0.05 * kept['b'];
      }),
    ]),
  ),
  ...[false, true].flatMap((centered) =>
    [0, 0.5].map((momentum): (typeof cases)[number] => [
      `RMSprop as TensorFlow’s${centered ? ' centered' : ''}${momentum ? ' with momentum' : ''}`,
      (p) =>
        new nn.RMSprop(p, { lr: 0.05, alpha: 0.9, eps: 1, weightDecay: 0.1, momentum, centered, tensorflow: true }),
      plainly((p, gradient, kept) => {
        const g = gradient + 0.1 * p;
        kept['v'] = 0.9 * (kept['v'] ?? 1) + 0.1 * g * g;
        kept['a'] = 0.9 * (kept['a'] ?? 0) + 0.1 * g;
        const d = g / Math.sqrt(kept['v'] - (centered ? kept['a'] ** 2 : 0) + 1);
        kept['b'] = momentum * (kept['b'] ?? 0) + 0.05 * d;
        return p - kept['b'];
      }),
    ]),
  ),
  [
    'Adagrad',
    (p) => new nn.Adagrad(p, { lr: 0.1, lrDecay: 0.2, weightDecay: 0.05, initialAccumulatorValue: 0.3 }),
    plainly((p, gradient, kept, t) => {
      const g = gradient + 0.05 * p;
      kept['s'] = (kept['s'] ?? 0.3) + g * g;
      return p - ((0.1 / (1 + (t - 1) * 0.2)) * g) / (Math.sqrt(kept['s']) + 1e-10);
    }),
  ],
  [
    'Lion',
    (p) => new nn.Lion(p, { lr: 0.1, betas: [0.8, 0.95], weightDecay: 0.05 }),
    plainly((p, g, kept) => {
      const m = kept['m'] ?? 0;
      kept['m'] = 0.95 * m + 0.05 * g;
      return p * (1 - 0.1 * 0.05) - 0.1 * Math.sign(0.8 * m + 0.2 * g);
    }),
  ],
  [
    'LARS, for a vector SGD',
    (p) => new nn.LARS(p, { lr: 0.1, momentum: 0.9, weightDecay: 0.05 }),
    plainly((p, g, kept) => {
      kept['b'] = 0.9 * (kept['b'] ?? 0) + g + 0.05 * p;
      return p - 0.1 * kept['b'];
    }),
  ],
];

describe('an optimizer', () => {
  it.each(cases)('%s follows PyTorch’s formula', async (_, make, wanted) => {
    const seen = await run(make);
    for (const [t, values] of seen.entries())
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(wanted[t]?.[i] as number, 5);
  });

  it.each(cases)('%s does the same compiled, to the bit', async (_, make) => {
    expect(await run(make, true)).toEqual(await run(make));
  });

  it('takes settings that change between compiled steps, without a new trace for lr and momentum', async () => {
    const trajectory = async (compiled: boolean) => {
      const parameter = start();
      const optimizer = new nn.SGD([parameter], { lr: 0.1, momentum: 0.9 });
      let traces = 0;
      const step = (g: ReturnType<typeof tensor>) => {
        traces++;
        optimizer.step([g]);
      };
      const go = compiled ? compile(step) : step;
      const seen: number[][] = [];
      for (const [i, g] of gradients.entries()) {
        optimizer.lr = 0.1 / (i + 1);
        optimizer.momentum = 0.9 - i / 10;
        if (i === 3) optimizer.weightDecay = 0.2;
        go(tensor(g));
        seen.push(Array.from(await parameter.data()));
      }
      return { seen, traces };
    };
    const compiled = await trajectory(true);
    expect(compiled.seen).toEqual((await trajectory(false)).seen);
    expect(compiled.traces).toBe(2);
  });

  it('follows a one-cycle schedule compiled as uncompiled', async () => {
    const trajectory = async (compiled: boolean) => {
      const parameter = start();
      const optimizer = new nn.AdamW([parameter]);
      const schedule = new nn.OneCycleLR(optimizer, { maxLr: 0.1, totalSteps: 10 });
      const step = () => {
        const { value, grads } = valueAndGrad(() => mean(square(sub(parameter, tensor([1, 2, 3])))), [parameter]);
        optimizer.step(grads);
        return value;
      };
      const go = compiled ? compile(step) : step;
      const losses: number[] = [];
      for (let i = 0; i < 10; i++) {
        losses.push(await go().item());
        schedule.step();
      }
      return [losses, Array.from(await parameter.data())];
    };
    expect(await trajectory(true)).toEqual(await trajectory(false));
  });

  it('refuses to have its rate set inside a compiled function', () => {
    const optimizer = new nn.SGD([start()]);
    const schedule = new nn.OneCycleLR(optimizer, { maxLr: 1, totalSteps: 10 });
    expect(() => compile(() => schedule.step())()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: lr: it is set inside a compiled function, which runs this line only once; set it between the steps]`,
    );
  });

  it('leaves a parameter without a gradient alone', async () => {
    const parameters = [start(), start()];
    new nn.SGD(parameters, { lr: 1 }).step([null, tensor([1, 1, 1])]);
    expect(Array.from((await parameters[0]?.data()) ?? [])).toEqual([1, -2, 3]);
    expect(Array.from((await parameters[1]?.data()) ?? [])).toEqual([0, -3, 2]);
  });

  it('resumes from its state dict, to the bit', async () => {
    const make = (p: nn.Parameter[]) => new nn.AdamW(p, { lr: 0.1 });
    const whole = await run(make);
    const parameter = start();
    const first = make([parameter]);
    for (const g of gradients.slice(0, 2)) first.step([tensor(g)]);
    const file = await nn.saveSafetensors(
      new Map<string, nn.Parameter>([['p', parameter], ...(first.stateDict() as Map<string, nn.Parameter>)]),
    );
    const { tensors } = nn.loadSafetensors(file);
    const again = new nn.Parameter(tensors.get('p') as ReturnType<typeof tensor>);
    tensors.delete('p');
    const second = make([again]);
    second.loadStateDict(tensors);
    for (const g of gradients.slice(2)) second.step([tensor(g)]);
    expect(Array.from(await again.data())).toEqual(whole[3]);
  });

  it('keeps its moments under PyTorch’s names', () => {
    const keys = (optimizer: nn.Optimizer) => [...optimizer.stateDict().keys()];
    expect(keys(new nn.SGD([start()]))).toEqual(['step']);
    expect(keys(new nn.SGD([start(), start()], { momentum: 0.9 }))).toEqual([
      'step',
      '0.momentum_buffer',
      '1.momentum_buffer',
    ]);
    expect(keys(new nn.Adam([start()], { amsgrad: true }))).toEqual([
      'step',
      '0.exp_avg',
      '0.exp_avg_sq',
      '0.max_exp_avg_sq',
    ]);
    expect(keys(new nn.RMSprop([start()], { centered: true, momentum: 0.1 }))).toEqual([
      'step',
      '0.square_avg',
      '0.grad_avg',
      '0.momentum_buffer',
    ]);
  });

  it('names what does not fit', () => {
    const p = start();
    expect(() => new nn.SGD([])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: no parameters; was the model made without any?]`,
    );
    expect(() => new nn.SGD([p, p])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: a parameter is listed twice; each can have one update]`,
    );
    expect(() => new nn.SGD([p], { lr: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: lr is -1, wants a number ≥ 0]`,
    );
    expect(() => new nn.SGD([p], { nesterov: true })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: nesterov wants a momentum above 0 and no dampening]`,
    );
    expect(() => new nn.AdamW([p], { betas: [0.9, 1] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: AdamW: beta2 is 1, wants 0 ≤ beta2 < 1]`,
    );
    expect(() => new nn.SGD([p]).step([])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD.step: 0 gradients for 1 parameters; differentiate by the same list]`,
    );
    expect(() => new nn.SGD([p]).step([tensor([1])])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: SGD.step: gradient 0 is [1], its parameter [3]; are they in one order?]`,
    );
  });
});
