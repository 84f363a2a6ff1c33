/** Groups, frozen parameters, gradients on their way to the optimizer, averages. */
import { ArgumentError, compile, manualSeed, ShapeError, setBackend, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => {
  setBackend(reference());
  manualSeed(0);
});
const parameter = (...values: number[]) => new nn.Parameter(tensor(values));
const values = async (...parameters: nn.Parameter[]) =>
  (await Promise.all(parameters.map((p) => p.data()))).map((data) => Array.from(data));
const close = (seen: ArrayLike<number>, wanted: number[], digits = 5) => {
  expect(seen.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(seen[i]).toBeCloseTo(value, digits);
};

describe('parameter groups', () => {
  it('have rates and decays of their own, in proportion to the optimizer’s rate', async () => {
    const [a, b] = [parameter(1), parameter(1)];
    const groups = [{ parameters: [a], lr: 0.01, weightDecay: 0 }, { parameters: [b] }];
    const optimizer = new nn.SGD(groups, { lr: 0.1, weightDecay: 0.5 });
    expect(optimizer.parameters).toEqual([a, b]);
    const step = compile((g: ReturnType<typeof tensor>) => optimizer.step([g, g]));
    step(tensor([1]));
    close((await values(a, b)).flat(), [0.99, 1 - 0.1 * 1.5]);
    optimizer.lr = 0.2;
    step(tensor([1]));
    close((await values(a, b)).flat(), [0.97, 0.85 - 0.2 * (1 + 0.5 * 0.85)]);
  });

  it('are all groups, or none, and a parameter is in one of them', () => {
    const p = parameter(1);
    expect(() => new nn.SGD([{ parameters: [p] }, parameter(1)] as never)).toThrow(ArgumentError);
    expect(() => new nn.SGD([{ parameters: [p] }, { parameters: [p] }])).toThrow(ArgumentError);
    expect(() => new nn.SGD([{ parameters: [p], lr: 1 }], { lr: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: lr is 0, which no group's lr is in proportion to; give it a rate]`,
    );
  });
});

describe('frozen parameters', () => {
  it('stay as they are, until they are unfrozen, compiled or not', async () => {
    const model = new nn.Sequential(new nn.Linear(1, 1, { bias: false }), new nn.Linear(1, 1, { bias: false }));
    model[0]?.freeze();
    expect(model.trainableParameters()).toEqual(model[1]?.parameters());
    const [first] = await values(...model.parameters());
    const optimizer = new nn.SGD(model.parameters(), { lr: 1 });
    const step = compile((g: ReturnType<typeof tensor>) => optimizer.step([g, g]));
    step(tensor([[1]]));
    expect((await values(...model.parameters()))[0]).toEqual(first);
    model.unfreeze();
    step(tensor([[1]]));
    close((await values(...model.parameters()))[0] ?? [], [(first?.[0] ?? 0) - 1]);
  });

  it('count their own steps, in files too: Adam’s first one is of length lr whenever it comes', async () => {
    const made = () => {
      const parameters = [parameter(1), parameter(1), parameter(1)];
      const optimizer = new nn.Adam(parameters, { lr: 0.1 });
      return { parameters, optimizer, plain: (...g: (ReturnType<typeof tensor> | null)[]) => optimizer.step(g) };
    };
    const g = tensor([2]);
    for (const compiled of [false, true]) {
      const { parameters, optimizer, plain } = made();
      const step = compiled ? compile(plain) : plain;
      (parameters[0] as nn.Parameter).requiresGrad = false;
      for (let i = 0; i < 3; i++) step(g, g, null);
      close((await values(...parameters)).flat(), [1, 0.7, 1]);
      expect([...optimizer.stateDict().keys()].slice(0, 3)).toEqual(['step', '0,2.step', '0.exp_avg']);

      // the same from a file: as many counts as there were
      const resumed = made();
      const saved = new Map([...optimizer.stateDict()].map(([key, state]) => [key, state.read()]));
      resumed.optimizer.loadStateDict(saved);
      for (const [i, p] of parameters.entries()) resumed.parameters[i]?.assign(p.read());

      (parameters[0] as nn.Parameter).requiresGrad = true;
      for (const run of [step, resumed.plain]) run(g, g, g);
      for (const list of [parameters, resumed.parameters]) close((await values(...list)).flat(), [0.9, 0.6, 0.9]);
      expect(await optimizer.stateDict().get('0,2.step')?.item()).toBe(1);

      // one count where there was more than one; and nothing changes where a file does not fit
      expect(() => optimizer.loadStateDict(new Map([...saved, ['0-9.step', tensor(1)]]))).toThrow(
        /unexpected: 0-9.step/,
      );
      expect([...optimizer.stateDict().keys()].slice(0, 2)).toEqual(['step', '0,2.step']);
      optimizer.loadStateDict(made().optimizer.stateDict());
      expect([...optimizer.stateDict().keys()].slice(0, 2)).toEqual(['step', '0.exp_avg']);
      step(g, g, g);
      close((await values(...parameters)).flat(), [0.8, 0.5, 0.8]);
    }
  });
});

describe('gradients', () => {
  const gradients = () => [tensor([3, 0]), null, tensor([[4]])];

  it('clipGradNorm makes the norm of all together at most maxNorm', async () => {
    const { gradients: clipped, norm } = nn.clipGradNorm(gradients(), 1);
    expect(await norm.item()).toBeCloseTo(5, 6);
    expect(clipped[1]).toBe(null);
    close((await clipped[0]?.data()) ?? [], [0.6, 0]);
    close((await clipped[2]?.data()) ?? [], [0.8]);
    close((await nn.clipGradNorm(gradients(), 10).gradients[0]?.data()) ?? [], [3, 0]);
    const largest = nn.clipGradNorm(gradients(), 2, { normType: Infinity });
    expect(await largest.norm.item()).toBe(4);
    close((await largest.gradients[0]?.data()) ?? [], [1.5, 0]);
    expect(await nn.clipGradNorm([null], 1).norm.item()).toBe(0);
  });

  it('clipGradValue holds each element', async () => {
    const [first, none] = nn.clipGradValue([tensor([-3, 0.5, 2]), null], 1);
    close((await first?.data()) ?? [], [-1, 0.5, 1]);
    expect(none).toBe(null);
  });

  it('accumulate to the mean over small batches, in compiled steps', async () => {
    const p = parameter(0, 0);
    const accumulator = new nn.GradientAccumulator([p]);
    const add = compile((g: ReturnType<typeof tensor>) => accumulator.add([g]));
    const optimizer = new nn.SGD([p], { lr: 1 });
    const step = compile(() => optimizer.step(accumulator.take()));
    for (const wanted of [
      [-2, -1],
      [-4, -2],
    ]) {
      add(tensor([1, 2]));
      add(tensor([3, 0]));
      step();
      close(await p.data(), wanted);
    }
    step(); // nothing was added: nothing moves
    close(await p.data(), [-4, -2]);
    expect(() => accumulator.add([])).toThrow(ShapeError);
  });
});

describe('AveragedModel', () => {
  const linear = () => new nn.Linear(1, 1, { bias: false });
  const follow = async (average: nn.AveragedModel<nn.Linear>, model: nn.Linear) => {
    const update = compile(() => average.update());
    const seen: number[] = [];
    for (const value of [1, 3, 8]) {
      model.weight.assign(tensor([[value]]));
      update();
      seen.push(await average.model.weight.item());
    }
    return seen;
  };

  it('is the mean of all updates', async () => {
    const model = linear();
    close(await follow(new nn.AveragedModel(model), model), [1, 2, 4]);
  });

  it('or forgets exponentially, the first update taken over', async () => {
    const model = linear();
    close(await follow(new nn.AveragedModel(model, { decay: 0.75 }), model), [1, 1.5, 3.125]);
  });

  it('copies buffers, evaluates, and leaves the model alone', async () => {
    const model = new nn.BatchNorm1d(1);
    const average = new nn.AveragedModel(model, { decay: 0.5 });
    model.runningMean?.assign(tensor([7]));
    average.update();
    expect(await average.model.runningMean?.item()).toBe(7);
    expect([model.training, average.model.training]).toEqual([true, false]);
    expect(() => new nn.AveragedModel(model, { decay: 2 })).toThrow(ArgumentError);
  });
});
