/** nn.compile: modes, frozen sets, mixed precision and loss scaling. */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import * as t from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeEach(() => {
  t.setBackend(reference());
  t.manualSeed(0);
});

const x = () =>
  t.tensor(
    Float32Array.from({ length: 12 }, (_, i) => i + 1),
    { shape: [4, 3] },
  );
const values = async (tensor: t.Tensor | t.State) => Array.from(await tensor.data());

describe('a compiled model', () => {
  it('computes its forward, traced anew where its mode changes and only then', async () => {
    const model = new nn.Sequential(new nn.BatchNorm1d(3), new nn.Dropout(0.5));
    let forwards = 0;
    model.registerForwardHook(() => void forwards++);
    const run = nn.compile(model);
    const trained = await values(run(x()));
    expect(trained.some((value) => value === 0)).toBe(true);
    model.eval();
    const evaluated = await values(run(x()));
    expect(evaluated.every((value) => value !== 0)).toBe(true);
    expect(await values(run(x()))).toEqual(evaluated);
    run(x());
    model.train();
    run(x());
    expect(forwards).toBe(2);
  });

  it('runs in the mode it is asked for and leaves the model in its own', async () => {
    const model = new nn.Sequential(new nn.BatchNorm1d(3), new nn.Dropout(0.5));
    model[1]?.eval();
    let forwards = 0;
    model.registerForwardHook(() => void forwards++);
    const predict = nn.compile(model, { mode: 'eval' });
    const first = await values(predict(x()));
    expect(await values(predict(x()))).toEqual(first);
    expect([model.training, model[0]?.training, model[1]?.training]).toEqual([true, true, false]);
    expect((model[0] as nn.BatchNorm1d).numBatchesTracked?.version).toBe(0);
    expect(first.every((value) => value > 0.9)).toBe(true);
    expect(forwards).toBe(1);
  });
});

describe('a compiled step', () => {
  it('leaves alone what is frozen after it was traced', async () => {
    const model = new nn.Sequential(new nn.Linear(3, 3), new nn.Linear(3, 1));
    const optimizer = new nn.SGD(model.parameters(), { lr: 0.01 });
    const step = nn.compile((input: t.Tensor) => {
      const { value, grads } = valueAndGrad(() => t.mean(model.forward(input)), model.parameters());
      optimizer.step(grads);
      return value;
    });
    step(x());
    model[0]?.freeze();
    const [frozen, free] = model.parameters().filter(({ shape }) => shape.length === 2) as [nn.Parameter, nn.Parameter];
    const before = [await values(frozen), await values(free)];
    step(x());
    expect(await values(frozen)).toEqual(before[0]);
    expect(await values(free)).not.toEqual(before[1]);
    expect(programsOf(step)).toHaveLength(2);
  });
});

const products = (step: (...args: never) => unknown) =>
  programsOf(step).flatMap(({ program }) =>
    program.steps.flatMap(({ kernel }) =>
      kernel.kind === 'matmul' || kernel.kind === 'conv' ? [kernel.inputs.slice(0, 2).map(({ dtype }) => dtype)] : [],
    ),
  );

describe("precision 'mixed'", () => {
  it('gives products operands rounded to float16, and adds the bias in float32', async () => {
    const model = new nn.Linear(2, 1);
    model.loadStateDict({ weight: t.tensor([[1, 1 + 2 ** -12]]), bias: t.tensor([2 ** -14]) });
    const input = t.tensor([[1 + 2 ** -12, 2]]);
    const exact = await nn.compile(model)(input).item();
    expect(exact).toBe(Math.fround(1 + 2 ** -12 + 2 + 2 ** -11 + 2 ** -14));
    // Next to 1 + 2⁻¹² float16 has 1; 3 is a float16, 3 + 2⁻¹⁴ is none.
    expect(await nn.compile(model, { precision: 'mixed' })(input).item()).toBe(3 + 2 ** -14);
  });

  it('has float16 in every product of a step, forward and back, and float32 in parameters and their gradients', async () => {
    const model = new nn.Sequential(
      new nn.Conv2d(1, 2, 3, { bias: false }),
      new nn.BatchNorm2d(2),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(8, 2),
    );
    const optimizer = new nn.SGD(model.parameters(), { lr: 0.1 });
    const scaler = new nn.LossScaler();
    const step = nn.compile(
      (input: t.Tensor) => {
        const { value, grads } = scaler.valueAndGrad(() => t.mean(t.square(model.forward(input))), model.parameters());
        optimizer.step(grads);
        return value;
      },
      { precision: 'mixed', lossScale: scaler },
    );
    const losses: number[] = [];
    for (let i = 0; i < 8; i++) losses.push(await step(t.ones([2, 1, 4, 4])).item());
    expect(losses[7]).toBeLessThan(losses[0] as number);
    const operands = products(step);
    expect(operands.length).toBeGreaterThanOrEqual(4);
    for (const pair of operands) expect(pair).toEqual(['float16', 'float16']);
    expect(model.parameters().map(({ dtype }) => dtype)).toEqual([
      'float32',
      'float32',
      'float32',
      'float32',
      'float32',
    ]);
  });

  it('multiplies by weights as they are now, whoever changed them', async () => {
    const model = new nn.Linear(1, 1, { bias: false });
    const scaler = new nn.LossScaler({ initScale: 2 });
    const optimizer = new nn.SGD(model.parameters(), { lr: 1 });
    const step = nn.compile(
      (input: t.Tensor) => {
        const { value, grads } = scaler.valueAndGrad(() => t.sum(model.forward(input)), model.parameters());
        optimizer.step(grads);
        return value;
      },
      { precision: 'mixed', lossScale: scaler },
    );
    const predict = nn.compile(model, { precision: 'mixed' });
    const exact = nn.compile((input: t.Tensor) => {
      const { value, grads } = valueAndGrad(() => t.sum(model.forward(input)), model.parameters());
      optimizer.step(grads);
      return value;
    });
    const one = t.tensor([[1]]);
    const set = (value: number) => model.loadStateDict({ weight: t.tensor([[value]]) });
    // next to 8 + 2⁻¹² float16 has 8
    set(8 + 2 ** -12);
    expect(await predict(one).item()).toBe(8);
    expect(await step(one).item()).toBe(8); // w ← w − 1
    expect(await step(one).item()).toBe(7);
    expect(await predict(one).item()).toBe(6);
    expect(await model.weight.item()).toBe(6 + 2 ** -12);
    expect(await step(t.tensor([[100_000]])).item()).toBe(Number.POSITIVE_INFINITY); // no float16: skipped
    expect(await predict(one).item()).toBe(6);
    set(3);
    expect(await step(one).item()).toBe(3);
    model.weight.assign(t.add(model.weight, 10));
    expect(await predict(one).item()).toBe(12);
    expect(await step(one).item()).toBe(12);
    await exact(one).item(); // of another precision: the copy is not its
    expect(await predict(one).item()).toBe(10);
    const average = new nn.AveragedModel(model, { decay: 0.5 });
    average.update();
    const averaged = nn.compile(average.model, { precision: 'mixed' });
    expect(await averaged(one).item()).toBe(10);
    expect(await step(one).item()).toBe(10);
    average.update();
    expect(await averaged(one).item()).toBe(9.5);
    expect(await predict(one).item()).toBe(9);
  });

  it('is refused, naming what there is, where the backend has no float16', async () => {
    const backend = await cpu({ threads: 1 });
    t.setBackend(backend);
    const run = nn.compile(new nn.Linear(3, 1), { precision: 'mixed', name: 'predict' });
    expect(() => run(x())).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: compile: predict has precision 'mixed', but backend cpu stores float32, int32, uint8, bool, no float16; choose a backend that has it, or leave precision out]`,
    );
    expect(() => run(x())).toThrow(t.BackendError);
    backend.dispose();
  });
});

describe('LossScaler', () => {
  /** w ← w − g with g = ∂(w·x)/∂w = x. */
  function scaled(options?: nn.LossScalerOptions) {
    const weight = new nn.Parameter(t.tensor(1));
    const seen = new nn.Buffer(t.tensor(0));
    const optimizer = new nn.SGD([weight], { lr: 1 });
    const scaler = new nn.LossScaler(options);
    const step = nn.compile(
      (input: t.Tensor) => {
        const { value, grads } = scaler.valueAndGrad(() => t.mul(weight, input), [weight]);
        seen.assign(t.add(seen, 1));
        optimizer.step(grads);
        return value;
      },
      { lossScale: scaler },
    );
    const state = async () => [
      await weight.item(),
      await seen.item(),
      await scaler.scale.item(),
      await scaler.stateDict().get('growth_tracker')?.item(),
    ];
    return { scaler, step, state };
  }

  it('gives the gradients of the unscaled loss, and its value', async () => {
    const { step, state } = scaled();
    expect(await step(t.tensor(0.5)).item()).toBe(0.5);
    expect(await state()).toEqual([0.5, 1, 65536, 1]);
  });

  it('skips a step whose scaled gradients overflow, all of its state, and halves the scale', async () => {
    const { step, state } = scaled({ initScale: 2 ** 100 });
    // 2⁶⁰·2¹⁰⁰ is no float32, and the loss itself is finite.
    expect(await step(t.tensor(2 ** 60)).item()).toBe(2 ** 60);
    expect(await state()).toEqual([1, 0, 2 ** 99, 0]);
    step(t.tensor(0.25));
    expect(await state()).toEqual([0.75, 1, 2 ** 99, 1]);
  });

  it('doubles after as many good steps as the interval says, counted from the last overflow', async () => {
    const { step, state } = scaled({ initScale: 2 ** 100, growthInterval: 3 });
    const scales: unknown[] = [];
    for (const size of [0, 0, 2 ** 60, 0, 0, 0, 0]) {
      step(t.tensor(size));
      scales.push((await state())[2]);
    }
    const [low, high] = [2 ** 99, 2 ** 100];
    expect(scales).toEqual([high, high, low, low, low, high, high]);
  });

  it('stays where doubling would make it infinite, from which nothing halves it', async () => {
    const { step, state } = scaled({ initScale: 2 ** 127, growthInterval: 1 });
    for (let i = 0; i < 2; i++) step(t.tensor(0));
    expect(await state()).toEqual([1, 2, 2 ** 127, 0]);
  });

  it('starts as PyTorch does and is restored from its state', async () => {
    const one = scaled({ initScale: 8, growthInterval: 5 });
    for (let i = 0; i < 3; i++) one.step(t.tensor(0));
    const other = new nn.LossScaler();
    expect(await other.scale.item()).toBe(65536);
    other.loadStateDict(one.scaler.stateDict());
    expect(await other.scale.item()).toBe(8);
    expect(await other.stateDict().get('growth_tracker')?.item()).toBe(3);
  });

  it('says what is missing where it is used wrongly', () => {
    const scaler = new nn.LossScaler();
    expect(() => nn.compile((input: t.Tensor) => t.sum(input), { lossScale: scaler })(x())).toThrow(/never called/);
    expect(() => new nn.LossScaler({ backoffFactor: 2 })).toThrow(t.ArgumentError);
    expect(() => new nn.LossScaler({ growthInterval: 0 })).toThrow(t.ArgumentError);
  });
});
