import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cpu, cpu } from '@tessera/backend-cpu';
import { firstNonFinite } from '@tessera/nn';
import { full, ones, setBackend, TesseraError } from '@tessera/tensor';
import { explain } from '@tessera/tensor/inspect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, readCheckpoint, restore, saveCheckpoint } from '../src/checkpoint';
import { type Digits, loadDigits } from '../src/data';
import { evaluate, predictor } from '../src/evaluate';
import { emptyHistory } from '../src/history';
import { type Machine, machineOf } from '../src/machine';
import { kernelTimes } from '../src/timings';
import { defaults, type StepResult, Training } from '../src/training';

let digits: Digits;
let backend: Cpu;
let folder: string;
beforeAll(async () => {
  digits = await loadDigits('train', 100);
  backend = await cpu({ threads: 2 });
  setBackend(backend);
  folder = await mkdtemp(join(tmpdir(), 'tessera-mnist-'));
});
afterAll(async () => {
  backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Three steps an epoch, two epochs, on a hundred digits. */
const tiny = { ...defaults, batch: 32, epochs: 2 };
const bits = async (training: Training) =>
  Promise.all(
    [...training.model.stateDict().values(), ...training.optimizer.stateDict().values()].map((s) => s.data()),
  );

/** Trains until the signal or the end; gives what each step came to. */
async function trained(training: Training, stopAfter = Infinity): Promise<StepResult[]> {
  const stop = new AbortController();
  const seen: StepResult[] = [];
  await training.train({
    signal: stop.signal,
    onStep: (result) => {
      if (seen.push(result) === stopAfter) stop.abort();
    },
  });
  return seen;
}

describe('training', () => {
  it('gives the same bits for the same seed, whatever the number of threads, and others for another', async () => {
    const runs = [];
    for (const [threads, seed] of [
      [1, 0],
      [2, 0],
      [3, 0],
      [2, 1],
    ] as const) {
      const own = await cpu({ threads });
      setBackend(own);
      const training = new Training(digits, { ...tiny, seed });
      runs.push({ steps: await trained(training), bits: await bits(training) });
      own.dispose();
    }
    setBackend(backend);
    const [one, two, three, other] = runs;
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    expect(other?.steps).not.toEqual(one?.steps);
  });

  it.each([1, 3, 4])('goes on from a checkpoint after step %s as if it had never stopped', async (stopAfter) => {
    const whole = new Training(digits, tiny);
    const unbroken = await trained(whole);
    expect(unbroken.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);

    const path = join(folder, `${stopAfter}.safetensors`);
    const first = new Training(digits, tiny);
    const before = await trained(first, stopAfter);
    await saveCheckpoint(path, first, { limit: null, history: emptyHistory(), machine: machineOf(backend) });
    const checkpoint = await readCheckpoint(path);
    // Another seed would show in what a checkpoint forgot.
    const second = new Training(digits, { ...checkpoint.progress.settings });
    restore(second, checkpoint);
    const after = await trained(second);
    expect([...before, ...after]).toEqual(unbroken);
    expect(await bits(second)).toEqual(await bits(whole));
  });

  it('stops between steps on an AbortSignal', async () => {
    const training = new Training(digits, tiny);
    expect((await trained(training, 1)).length).toBe(1);
    expect(training.schedule.position).toBe(1);
    expect(training.position).toEqual({ epoch: 0, row: 32 });
    expect(await training.optimizer.stateDict().get('step')?.item()).toBe(1);
    const aborted = AbortSignal.abort();
    await training.train({ signal: aborted, onStep: () => expect.fail('no step') });
  });

  it('stops at a loss that is no number, naming step and layer, with the parameters of before', async () => {
    const training = new Training(digits, { ...tiny, maxLr: 1e30 });
    const seen: StepResult[] = [];
    const error = await training.train({ onStep: (result) => seen.push(result) }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TesseraError);
    expect((error as Error).message).toMatch(
      /^training: the loss is (NaN|Infinity) at step 2, first seen in the output of layer \d+ \(\w+\); lower/,
    );
    expect(seen.map(({ step }) => step)).toEqual([1]);
    expect(await training.optimizer.stateDict().get('step')?.item()).toBe(1);
    // Running statistics too: nothing of that step is left anywhere.
    expect((await bits(training)).flatMap((values) => Array.from(values)).every(Number.isFinite)).toBe(true);
  });

  it.each([
    ['a weight that is NaN', '4.weight', Number.NaN, 'weight of layer 4 (Conv2d)'],
    ['a weight that makes outputs overflow', '8.weight', 3e38, 'the output of layer 8 (Conv2d)'],
    ['nothing before the loss', '0.bias', 0, 'the loss function'],
  ])('finds %s', async (_, key, value, where) => {
    const { model } = new Training(digits, tiny);
    const state = model.stateDict().get(key);
    state?.assign(full(state.shape, value));
    expect(await firstNonFinite(model, ones([2, 1, 28, 28]))).toBe(where);
  });
});

describe('evaluate', () => {
  it('counts right answers, confusions and mistakes, and leaves the model training', async () => {
    const training = new Training(digits, tiny);
    const { accuracy, confusion, mistakes, loss } = await evaluate(training.model, predictor(training.model), digits);
    const total = confusion.flat().reduce((a, b) => a + b, 0);
    const right = confusion.reduce((sum, row, i) => sum + (row[i] as number), 0);
    expect(total).toBe(100);
    expect(accuracy).toBeCloseTo(right / 100, 12);
    expect(mistakes.length).toBe(100 - right);
    expect(loss).toBeGreaterThan(0);
    expect(training.model.training).toBe(true);
    for (const { index, label } of mistakes) expect(digits.label.data[index]).toBe(label);
  });
});

describe('kernelTimes', () => {
  it('names every kernel of a step with its time', async () => {
    const times = await kernelTimes(new Training(digits, tiny), backend, 2);
    const total = times.reduce((sum, { count }) => sum + count, 0);
    expect(total).toBeGreaterThan(10);
    expect(total).toBeLessThanOrEqual(32);
    expect(times.some(({ name }) => name.startsWith('conv weightGrad'))).toBe(true);
    for (const { milliseconds } of times) expect(milliseconds).toBeGreaterThanOrEqual(0);
  });
});

describe('the step in ARCHITECTURE.md', () => {
  // A change of the plan changes the page: what this received goes between its fences.
  it('is what explain prints of it', async () => {
    const training = new Training(await loadDigits('train', 128));
    for await (const { image, label } of training.loader) await training.step(image, label).loss.item();
    const lines = explain(training.step).split('\n');
    const buffers = / · #[\d #]* → #[\d #]*\d/; // which buffer is which says nothing to a reader
    const kernels = lines.slice(lines.findIndex((line) => line.startsWith('kernels:')));
    const told = kernels.filter((line) => line !== '' && !line.startsWith('  slot'));
    const page = await readFile(new URL('../../../ARCHITECTURE.md', import.meta.url), 'utf8');
    expect(/```text\n(kernels: [\s\S]*?)\n```/.exec(page)?.[1]).toBe(
      told.map((line) => line.replace(buffers, '')).join('\n'),
    );
  });
});

describe('a checkpoint', () => {
  it('says what keeps a resumed run from the same bits', () => {
    const then: Machine = { backend: 'cpu', table: 1, features: 'simd relaxed-simd' };
    expect(difference(then, then)).toBe(null);
    expect(difference(then, { backend: 'cpu', table: 2, features: 'simd' })).toMatchInlineSnapshot(
      `"the table of algorithms was version 1, it is 2; the processor's features were 'simd relaxed-simd', now 'simd'"`,
    );
    expect(difference(then, { backend: 'webgpu', table: 1, features: 'a GPU' })).toBe(
      'it was computed by backend cpu, it is webgpu',
    );
  });
});
