/** fit: the training loop. Its data are batches of @tessera/data, its models small ones with everything that draws or counts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batches } from '../../data/src/index';
import * as nn from '../src/index';

let folder: string;
beforeAll(async () => {
  t.setBackend(reference());
  folder = await mkdtemp(join(tmpdir(), 'tessera-fit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const rows = 22;
/** 22 points whose class is the sign of their first coordinate. */
function points() {
  const data = Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i * 12.9898) * 2);
  const label = Int32Array.from({ length: rows }, (_, i) => ((data[i * 3] as number) > 0 ? 1 : 0));
  return { point: { data, shape: [rows, 3] }, label: { data: label, shape: [rows] } };
}
const loader = () => batches(points(), { size: 4, shuffle: true, seed: 5 });

/** All that a training consists of: 6 batches an epoch, the last of 2. */
function setting(seed = 1) {
  t.manualSeed(seed);
  const model = new nn.Sequential(
    new nn.Linear(3, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout(0.3),
    new nn.Linear(8, 2),
  );
  const optimizer = new nn.AdamW(model.parameters(), { lr: 0.01 });
  const schedule = new nn.OneCycleLR(optimizer, { maxLr: 0.05, totalSteps: 18 });
  const options = {
    data: loader(),
    loss: t.crossEntropy,
    optimizer,
    schedule,
    epochs: 3,
    metrics: { accuracy: nn.accuracy },
  };
  return { model, optimizer, options };
}
const bits = async (...parts: { stateDict(): ReadonlyMap<string, t.State> }[]) =>
  Promise.all(parts.flatMap((part) => [...part.stateDict().values()]).map((state) => state.data()));

describe('fit', () => {
  it('trains to the end of the last epoch and tells of every step and epoch', async () => {
    const { model, options } = setting();
    const steps: nn.StepEvent[] = [];
    const epochs: nn.EpochEvent[] = [];
    const result = await nn.fit(model, {
      ...options,
      validation: batches(points(), { size: 10 }),
      onStep: (event) => void steps.push(event),
      onEpoch: (event) => void epochs.push(event),
    });
    expect(result).toEqual({ reason: 'done', steps: 18, epochs });
    expect(steps.map(({ step, epoch, samples }) => [step, epoch, samples]).slice(4, 8)).toEqual([
      [5, 1, 4],
      [6, 1, 2],
      [7, 2, 4],
      [8, 2, 4],
    ]);
    expect(epochs.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 6],
      [2, 12],
      [3, 18],
    ]);
    // An epoch's loss is the mean over its samples, not over its batches.
    const first = steps.slice(0, 6);
    const mean = first.reduce((sum, { loss, samples }) => sum + loss * samples, 0) / rows;
    expect(epochs[0]?.loss).toBeCloseTo(mean, 5);
    expect(epochs[2]?.loss).toBeLessThan(epochs[0]?.loss ?? 0);
    expect(epochs[2]?.validation?.samples).toBe(rows);
    expect(epochs[2]?.validation?.metrics['accuracy']).toBeGreaterThan(0.9);
    expect(model.training).toBe(true);
  });

  it('does what the same loop written by hand does', async () => {
    const one = setting();
    await nn.fit(one.model, { ...one.options, epochs: 1 });
    const { model, optimizer, options } = setting();
    for await (const { point, label } of options.data) {
      const { grads } = valueAndGrad(() => t.crossEntropy(model.forward(point), label), optimizer.parameters);
      optimizer.step(grads);
      options.schedule.step();
    }
    const [byFit, byHand] = [await bits(one.model, one.optimizer), await bits(model, optimizer)];
    for (const [i, values] of byFit.entries())
      for (const [j, value] of values.entries()) expect(value).toBeCloseTo(byHand[i]?.[j] as number, 5);
  });

  it('gives the same bits compiled and not', async () => {
    const one = setting();
    await nn.fit(one.model, { ...one.options, steps: 3 });
    const other = setting();
    await nn.fit(other.model, { ...other.options, steps: 3, compiled: false });
    expect(await bits(other.model, other.optimizer)).toEqual(await bits(one.model, one.optimizer));
  });

  it('tells progress with rate, mean loss, metrics so far and time left', async () => {
    const { model, options } = setting();
    const seen: nn.ProgressEvent[] = [];
    await nn.fit(model, { ...options, onProgress: (event) => void seen.push(event) });
    const [first] = seen;
    expect([first?.step, first?.steps, first?.epoch, first?.epochs]).toEqual([1, 18, 1, 3]);
    expect(first?.imagesPerSecond).toBeGreaterThan(0);
    expect(first?.secondsLeft).toBeCloseTo((17 * 4) / (first?.imagesPerSecond ?? 1), 6);
    expect(first?.metrics['accuracy']).toBeGreaterThanOrEqual(0);
  });

  it('ends after so many steps, within an epoch, and goes on from there when called again', async () => {
    const { model, options } = setting();
    const result = await nn.fit(model, { ...options, steps: 4 });
    expect([result.steps, result.epochs.length, options.data.position]).toEqual([4, 0, { epoch: 0, row: 16 }]);
  });

  it('takes input and target from where it is told', async () => {
    const { model, options } = setting();
    const pairs = batches([points().label, points().point], { size: 11 });
    const { epochs } = await nn.fit(model, {
      ...options,
      data: pairs,
      epochs: 1,
      input: ([, point]) => t.mul(point as t.Tensor, 1),
      target: ([label]) => label as t.Tensor,
    });
    expect(epochs).toHaveLength(1);
    const { model: other, options: rest } = setting();
    await expect(nn.fit(other, { ...rest, data: batches([points().point], { size: 11 }) })).rejects.toThrow(
      /wants a target, second/,
    );
  });

  it.each([
    ['neither epochs nor steps', { epochs: undefined }, /neither epochs nor steps/],
    [
      'a metric that is not there',
      { earlyStopping: { patience: 1, metric: 'f1' } },
      /'f1'; wants one of loss, accuracy/,
    ],
    ['part of a batch', { accumulate: 0.5 }, /accumulate is 0.5/],
    ['scaling without a trace', { compiled: false, lossScale: new nn.LossScaler() }, /compiled steps/],
  ])('refuses %s', async (_, change, message) => {
    const { model, options } = setting();
    await expect(nn.fit(model, { ...options, ...change } as typeof options)).rejects.toThrow(message);
  });

  it('refuses a model that evaluates, data that are used up, and parameters that are all frozen', async () => {
    const { model, options } = setting();
    await expect(nn.fit(model.eval(), options)).rejects.toThrow(/eval mode/);
    const none = { async *[Symbol.asyncIterator](): AsyncGenerator<{ x: t.Tensor; y: t.Tensor }> {} };
    await expect(nn.fit(model.train(), { ...options, data: none })).rejects.toThrow(/no batch/);
    await expect(nn.fit(model.freeze(), options)).rejects.toThrow(/frozen/);
  });
});

describe('a checkpoint', () => {
  const everything = () => {
    const { model, optimizer, options } = setting();
    const average = new nn.AveragedModel(model, { decay: 0.9 });
    return { model, optimizer, average, options: { ...options, average, clipGradNorm: 1 } };
  };

  it.each([0, 1, 4, 6, 7, 12])('after step %s goes on as if nothing had happened, to the bit', async (stopAt) => {
    const whole = everything();
    const unbroken: number[] = [];
    const all = await nn.fit(whole.model, { ...whole.options, onStep: ({ loss }) => void unbroken.push(loss) });

    const path = join(folder, `${stopAt}.safetensors`);
    const first = everything();
    const stop = new AbortController();
    if (stopAt === 0) stop.abort();
    const losses: number[] = [];
    const part = await nn.fit(first.model, {
      ...first.options,
      checkpoint: { to: path },
      signal: stop.signal,
      onStep: ({ step, loss }) => {
        losses.push(loss);
        if (step === stopAt) stop.abort();
      },
    });
    expect([part.reason, part.steps]).toEqual(['aborted', stopAt]);

    // Another seed and used-up random numbers would show in what the file forgot.
    const second = everything();
    t.manualSeed(99);
    const rest = await nn.fit(second.model, {
      ...second.options,
      resume: path,
      onStep: ({ loss }) => void losses.push(loss),
    });
    expect(losses).toEqual(unbroken);
    const timeless = ({ seconds: _, ...event }: nn.EpochEvent) => event;
    expect(rest.epochs.map(timeless)).toEqual(all.epochs.map(timeless));
    expect(await bits(second.model, second.optimizer, second.average)).toEqual(
      await bits(whole.model, whole.optimizer, whole.average),
    );
  });

  it('in the midst of validation begins that anew', async () => {
    const stop = new AbortController();
    const validation = (abortAt: number) => ({
      seen: 0,
      async *[Symbol.asyncIterator]() {
        for await (const batch of batches(points(), { size: 10 })) {
          if (++this.seen === abortAt) stop.abort();
          yield batch;
        }
      },
    });
    const whole = setting();
    const all = await nn.fit(whole.model, { ...whole.options, steps: 12, validation: validation(-1) });

    const first = setting();
    const [path, held] = [join(folder, 'validation.safetensors'), validation(5)];
    const change = { steps: 12, checkpoint: { to: path }, validation: held, signal: stop.signal };
    const part = await nn.fit(first.model, { ...first.options, ...change });
    expect([part.reason, part.steps, part.epochs.length, held.seen]).toEqual(['aborted', 12, 1, 5]);

    const second = setting();
    const rest = await nn.fit(second.model, { ...second.options, steps: 12, validation: validation(-1), resume: path });
    const timeless = ({ seconds: _, ...event }: nn.EpochEvent) => event;
    expect([rest.reason, rest.epochs.map(timeless)]).toEqual(['done', all.epochs.map(timeless)]);
    expect(await bits(second.model, second.optimizer)).toEqual(await bits(whole.model, whole.optimizer));
  });

  it('does so on backend-cpu, with other threads after than before', async () => {
    const run = async (threads: number, change: object) => {
      const backend = await cpu({ threads });
      t.setBackend(backend);
      try {
        const { model, optimizer, average, options } = everything();
        await nn.fit(model, { ...options, ...change });
        return await bits(model, optimizer, average);
      } finally {
        backend.dispose();
        t.setBackend(reference());
      }
    };
    const path = join(folder, 'cpu.safetensors');
    const stop = new AbortController();
    await run(2, {
      checkpoint: { to: path },
      signal: stop.signal,
      onStep: ({ step }: nn.StepEvent) => {
        if (step === 8) stop.abort();
      },
    });
    expect(await run(1, { resume: path })).toEqual(await run(2, {}));
  });

  it('is written after so many steps, or epochs, and may be bytes', async () => {
    const written: number[] = [];
    const run = async (every: 'epoch' | number) => {
      const { model, options } = setting();
      let step = 0;
      let bytes = new Uint8Array();
      const to = (file: Uint8Array): void => {
        written.push(step);
        bytes = file.slice();
      };
      await nn.fit(model, { ...options, checkpoint: { to, every }, onStep: (event) => void (step = event.step) });
      return { bytes, written: written.splice(0) };
    };
    expect((await run('epoch')).written).toEqual([6, 12, 18]);
    const { bytes, written: byStep } = await run(5);
    expect(byStep).toEqual([5, 10, 15]);
    const { model, options } = setting(7);
    const { steps, epochs } = await nn.fit(model, { ...options, resume: bytes });
    expect([steps, epochs.map(({ step }) => step)]).toEqual([18, [6, 12, 18]]);
  });

  it('keeps what a plateau, early stopping and a loss scale stand on', async () => {
    const make = () => {
      const { model, optimizer, options } = setting();
      const schedule = new nn.ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5, threshold: 1 });
      const lossScale = new nn.LossScaler({ growthInterval: 5 });
      const earlyStopping = { patience: 5, metric: 'accuracy', mode: 'max', restoreBest: true } as const;
      return { model, optimizer, schedule, lossScale, options: { ...options, schedule, lossScale, earlyStopping } };
    };
    const whole = make();
    await nn.fit(whole.model, whole.options);
    const first = make();
    let bytes = new Uint8Array();
    const stop = new AbortController();
    await nn.fit(first.model, {
      ...first.options,
      signal: stop.signal,
      checkpoint: { to: (file) => void (bytes = file.slice()) },
      onStep: ({ step }) => {
        if (step === 3) stop.abort();
      },
    });
    const second = make();
    await nn.fit(second.model, { ...second.options, resume: bytes });
    expect(second.schedule.state).toEqual(whole.schedule.state);
    expect(second.optimizer.lr).toBeLessThan(0.01);
    expect(await bits(second.model, second.optimizer, second.lossScale)).toEqual(
      await bits(whole.model, whole.optimizer, whole.lossScale),
    );
    expect(await second.lossScale.scale.item()).toBe(65536 * 8);
  });

  it('is refused where it is none, belongs to another model, or where data have no position', async () => {
    const { model, options } = setting();
    await expect(nn.fit(model, { ...options, resume: await nn.saveSafetensors(model.stateDict()) })).rejects.toThrow(
      t.LoadError,
    );
    let bytes = new Uint8Array();
    const to = (file: Uint8Array): void => void (bytes = file.slice());
    await nn.fit(model, { ...options, epochs: 1, checkpoint: { to } });
    const other = new nn.Sequential(new nn.Linear(3, 2));
    const optimizer = new nn.SGD(other.parameters(), { lr: 1 });
    await expect(
      nn.fit(other, { data: loader(), loss: t.crossEntropy, optimizer, epochs: 1, resume: bytes }),
    ).rejects.toThrow(/unexpected: 0.weight|missing|unexpected/);
    const plain = { [Symbol.asyncIterator]: () => loader()[Symbol.asyncIterator]() };
    await expect(nn.fit(model, { ...options, data: plain, checkpoint: { to } })).rejects.toThrow(/no position/);
  });
});

describe('what goes into a step', () => {
  it('accumulates batches into one update, with a smaller group at the end of an epoch', async () => {
    const whole = new nn.Linear(3, 1);
    const parts = whole.clone();
    const loss = (y: t.Tensor) => t.mean(t.square(y));
    const data = (size: number) => batches(points(), { size });
    const run = (model: nn.Linear, size: number, accumulate: number) => {
      const optimizer = new nn.SGD(model.parameters(), { lr: 0.1 });
      return nn.fit(model, { data: data(size), loss, optimizer, epochs: 2, accumulate });
    };
    // 22 rows: two updates of 10 and one of 2; in fives that is 2, 2 and 1 batches.
    expect((await run(whole, 10, 1)).steps).toBe(6);
    expect((await run(parts, 5, 2)).steps).toBe(6);
    const [a, b] = [await bits(whole), await bits(parts)];
    for (const [i, values] of a.entries())
      for (const [j, value] of values.entries()) expect(b[i]?.[j]).toBeCloseTo(value, 5);
  });

  it('clips the norm of all gradients', async () => {
    const model = new nn.Linear(3, 1);
    const before = await bits(model);
    const optimizer = new nn.SGD(model.parameters(), { lr: 1 });
    const loss = (y: t.Tensor) => t.mul(t.mean(y), 1e4);
    await nn.fit(model, { data: loader(), loss, optimizer, steps: 1, clipGradNorm: 0.5 });
    const after = await bits(model);
    const moved = after.flatMap((values, i) => Array.from(values, (value, j) => value - (before[i]?.[j] as number)));
    expect(Math.hypot(...moved)).toBeCloseTo(0.5, 4);
  });

  it('leaves frozen parameters alone, and out of the norm', async () => {
    const { model, options } = setting();
    model[0]?.freeze();
    const before = await bits(model[0] as nn.Linear);
    await nn.fit(model, { ...options, epochs: 1, clipGradNorm: 1 });
    expect(await bits(model[0] as nn.Linear)).toEqual(before);
  });

  it('runs in mixed precision where there is float16, with a loss scale of its own', async () => {
    const { model, options } = setting();
    const { epochs } = await nn.fit(model, { ...options, precision: 'mixed', validation: loader() });
    expect(epochs[2]?.loss).toBeLessThan(epochs[0]?.loss ?? 0);
    expect(model.parameters().every(({ dtype }) => dtype === 'float32')).toBe(true);
  });
});

describe('early stopping', () => {
  /** A model whose validation loss is |w|, which rises by 1 a step from −2. */
  const climbing = () => {
    const weight = new nn.Parameter(t.tensor(-2.5));
    class Climbing extends nn.Module {
      weight = weight;
      forward(x: t.Tensor) {
        return t.add(t.mul(t.sum(x), 0), this.weight);
      }
    }
    const model = new Climbing();
    const optimizer = new nn.SGD(model.parameters(), { lr: 1 });
    const one = { x: t.ones([1, 1]), y: t.ones([1]) };
    const data = {
      async *[Symbol.asyncIterator]() {
        yield one;
      },
    };
    const metrics = { size: (y: t.Tensor) => t.abs(y) };
    return { model, weight, options: { data, optimizer, metrics, loss: (y: t.Tensor) => t.neg(y), epochs: 20 } };
  };

  it('stops where a metric has not become better for longer than its patience, with the best values if asked', async () => {
    for (const restoreBest of [false, true]) {
      const { model, weight, options } = climbing();
      const { reason, epochs } = await nn.fit(model, {
        ...options,
        validation: options.data,
        earlyStopping: { patience: 2, metric: 'size', restoreBest },
      });
      // 1.5, 0.5, 0.5 (no better), 1.5, 2.5: the third bad epoch is one too many.
      expect(epochs.map(({ validation, best }) => [validation?.metrics['size'], best])).toEqual([
        [1.5, true],
        [0.5, true],
        [0.5, false],
        [1.5, false],
        [2.5, false],
      ]);
      expect(reason).toBe('earlyStopping');
      expect(await weight.item()).toBe(restoreBest ? -0.5 : 2.5);
    }
  });

  it('takes a metric that is no number for no improvement, the first one too', async () => {
    const { model, options } = climbing();
    const { epochs } = await nn.fit(model, {
      ...options,
      metrics: { size: (y: t.Tensor) => t.where(t.lt(y, -1), Number.NaN, y) },
      earlyStopping: { patience: 1, metric: 'size' },
    });
    expect(epochs.map(({ metrics, best }) => [metrics['size'], best])).toEqual([
      [Number.NaN, false],
      [Number.NaN, false],
    ]);
  });

  it('wants more than minDelta, and may look for the largest', async () => {
    const { model, options } = climbing();
    const { epochs } = await nn.fit(model, {
      ...options,
      earlyStopping: { patience: 0, metric: 'size', mode: 'max', minDelta: 0.5 },
    });
    expect(epochs.map(({ metrics, best }) => [metrics['size'], best])).toEqual([
      [2.5, true],
      [1.5, false],
    ]);
  });
});

describe('a loss that is no number', () => {
  it('stops with step and layer, everything as before that step', async () => {
    const { model, optimizer, options } = setting();
    const { schedule: _, ...rest } = options;
    const seen: number[] = [];
    const error = await nn
      .fit(model, {
        ...rest,
        onStep: ({ step }) => {
          seen.push(step);
          if (step === 2) optimizer.lr = 1e30;
        },
      })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(t.TesseraError);
    expect((error as Error).message).toMatch(
      /^fit: the loss is (NaN|-?Infinity) at step 4, first seen in the output of layer \d \(\w+\); lower/,
    );
    expect(seen).toEqual([1, 2, 3]);
    expect(options.data.position).toEqual({ epoch: 0, row: 12 });
    expect(await optimizer.stateDict().get('step')?.item()).toBe(3);
    const values = (await bits(model, optimizer)).flatMap((each) => Array.from(each));
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it('says what to look at where no rate is to blame: a class that there is not, an input that is no number', async () => {
    const model = new nn.Linear(2, 3);
    const run = (x: number, y: number) =>
      nn.fit(model, {
        data: {
          async *[Symbol.asyncIterator]() {
            yield { x: t.full([1, 2], x), y: t.tensor(Int32Array.of(y)) };
          },
        },
        loss: t.crossEntropy,
        optimizer: new nn.SGD(model.parameters()),
        epochs: 1,
      });
    await expect(run(1, 3)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TesseraError: fit: the loss is NaN at step 1, first seen in the loss function; is each target one that it takes, a class number below the count of classes, say?]`,
    );
    await expect(run(Number.NaN, 2)).rejects.toThrow(/first seen in the input; look at the data$/);
  });

  it.each([
    ['a weight', '0.weight', Number.NaN, 'weight of layer 0 (Linear)'],
    ['an output that overflows', '0.weight', 3e38, 'the output of layer 0 (Linear)'],
    ['nothing before the loss', '0.bias', 0, 'the loss function'],
  ])('finds %s, in a model that branches, too', async (_, key, value, where) => {
    const { model } = setting();
    const state = model.stateDict().get(key);
    state?.assign(t.full(state.shape, value));
    const before = await bits(model);
    const x = t.full([4, 3], 2);
    expect(await nn.firstNonFinite(model, x)).toBe(where);
    const branched = new nn.Parallel([new nn.Identity(), new nn.Sequential(new nn.ReLU(), model)]);
    expect(await nn.firstNonFinite(branched, x)).toBe(where.replace('layer 0', 'layer 1.1.0'));
    expect(await bits(model)).toEqual(before);
  });

  it('finds it in the input, and leaves statistics and random numbers as they were', async () => {
    const { model } = setting();
    const before = [await bits(model), await t.randomState().data()];
    expect(await nn.firstNonFinite(model, t.full([4, 3], Number.NaN))).toBe('the input');
    expect([await bits(model), await t.randomState().data()]).toEqual(before);
  });
});

describe('evaluate', () => {
  it('refuses data that give no batch, as a generator does that is gone through a second time', async () => {
    const { model, options } = setting();
    const once = (async function* () {
      yield* options.data;
    })();
    await nn.evaluate(model, once, { loss: t.crossEntropy });
    await expect(nn.evaluate(model, once, { loss: t.crossEntropy })).rejects.toThrow(
      'evaluate: the data gave no batch; is it used up?',
    );
  });

  it('stops between two batches where its signal says, with the reason', async () => {
    const { model, options } = setting();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(nn.evaluate(model, options.data, { loss: t.crossEntropy, signal })).rejects.toThrow('enough');
  });

  it('gives means over all samples, the model evaluating and then as before', async () => {
    const { model } = setting();
    const data = batches(points(), { size: 8 });
    const task = { loss: t.crossEntropy, metrics: { accuracy: nn.accuracy, first: nn.topKAccuracy(1) } };
    const { loss, metrics, samples } = await nn.evaluate(model, data, task);
    expect([samples, model.training, model[3]?.training]).toEqual([rows, true, true]);
    expect(metrics['first']).toBe(metrics['accuracy']);
    const { point, label } = points();
    const scores = model.eval().forward(t.tensor(point.data, { shape: point.shape }));
    expect(loss).toBeCloseTo(await t.crossEntropy(scores, t.tensor(label.data)).item(), 5);
  });

  it('counts a target among the k highest', async () => {
    const scores = t.tensor([
      [3, 2, 1, 0],
      [0, 1, 2, 3],
      [1, 3, 2, 0],
    ]);
    const target = t.tensor(Int32Array.of(1, 0, 1));
    expect(await nn.accuracy(scores, target).item()).toBeCloseTo(1 / 3, 6);
    expect(await nn.topKAccuracy(2)(scores, target).item()).toBeCloseTo(2 / 3, 6);
    expect(() => nn.accuracy(scores, scores)).toThrow(t.ShapeError);
    expect(() => nn.topKAccuracy(0)).toThrow(t.ArgumentError);
  });

  it('refuses a loss that is no mean', async () => {
    const { model } = setting();
    const loss = (y: t.Tensor) => t.sum(y, 1);
    await expect(nn.evaluate(model, loader(), { loss })).rejects.toThrow(/loss: a batch gives \[4\]/);
  });
});
