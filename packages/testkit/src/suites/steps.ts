/**
 * Random training steps: a random program's loss, its gradients by two parameters, and updates that are written in place, cross over
 * between cells, read their neighbours, or happen twice. A few batches one after the other; every result is kept to the end. The
 * oracle takes each step eagerly, and chooses what to commit by an op.
 */
import { valueAndGrad } from '@tessera/autograd';
import type { Tensor } from '@tessera/tensor';
import * as t from '@tessera/tensor';
import fc from 'fast-check';
import { describe } from 'vitest';
import { type Filled, filled, ordinary, programs, run, type Step } from './arbitrary';
import { tools } from './property';
import type { Subject } from './subject';

interface Lesson {
  readonly program: readonly Step[];
  /** How parameters follow their gradients; of each of the two. */
  readonly rules: readonly [number, number];
  /** What the running statistic is of: a value of the program. */
  readonly watched: number;
  /** Is it compiled, and does it commit only what is finite? */
  readonly form: 'eager' | 'compiled' | 'finite';
  /** The batch that has a NaN, where only what is finite is committed. */
  readonly spoiled: number;
}

const batches = 4;
/** Eagerly all batches are one program, and the shaders of its kernels may be thousands of lines: an emulated GPU compiles none such. */
const lessons = (emulated: boolean): fc.Arbitrary<{ lesson: Lesson; inputs: Filled[] }> =>
  fc
    .record({
      shape: fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9 })),
      lesson: fc.record({
        program: programs(),
        rules: fc.tuple(fc.nat(4), fc.nat(4)),
        watched: fc.nat(1000),
        form: fc.constantFrom(...(emulated ? [] : (['eager'] as const)), 'compiled', 'finite', 'finite'),
        spoiled: fc.nat(batches - 1),
      }),
    })
    .chain(({ shape, lesson }) =>
      fc.record({
        lesson: fc.constant(lesson),
        inputs: fc.tuple(...Array(batches + 2).fill(filled(shape, ordinary()))),
      }),
    ) as fc.Arbitrary<{ lesson: Lesson; inputs: Filled[] }>;

/** The next values of a parameter and of what is kept beside it; `other` is the other parameter before the step. */
function follow(rule: number, w: t.State, kept: t.State, other: Tensor, gradient: Tensor): void {
  const g = t.tanh(gradient); // so that values stay a few units large
  switch (rule) {
    case 0: // momentum
      kept.assign(t.add(t.mul(kept.read(), 0.9), g));
      w.assign(t.sub(w.read(), t.mul(kept.read(), 0.1)));
      break;
    case 1: // by the size of past gradients
      kept.assign(t.lerp(kept.read(), t.square(g), 0.5));
      w.assign(t.sub(w.read(), t.div(t.mul(g, 0.1), t.add(t.sqrt(kept.read()), 0.25))));
      break;
    case 2: // over to the other cell
      kept.assign(w.read());
      w.assign(t.sub(t.mul(other, 0.75), t.mul(g, 0.1)));
      break;
    case 3: // what lies beside it
      w.assign(t.sub(t.roll(w.read(), 1, 1), t.mul(t.mean(g, 0, { keepdim: true }), 0.1)));
      kept.assign(t.mul(t.cumsum(g, 0), 0.1));
      break;
    default: // twice in a step
      w.assign(t.mul(w.read(), 0.9));
      kept.assign(t.add(w.read(), g));
      w.assign(t.sub(w.read(), t.mul(t.sin(kept.read()), 0.1)));
  }
}

type StepOf = (x: Tensor) => readonly [loss: Tensor, last: Tensor];

/** What a step that commits what is finite does, spelled out. */
const committing =
  (step: StepOf, states: readonly t.State[]): StepOf =>
  (x) => {
    const before = states.map((each) => each.read());
    const [loss, last] = step(x);
    const finite = t.logicalAnd(t.isFinite(loss), t.all(t.isFinite(last)));
    for (const [i, each] of states.entries()) each.assign(t.where(finite, each.read(), before[i] as Tensor));
    return [loss, last];
  };

/** Losses and last values of all steps, then what the states hold. */
function train(
  { program, rules, watched, form }: Lesson,
  [a, b, ...images]: readonly Tensor[],
  eagerly: boolean,
): Tensor[] {
  const w = [a, b].map((each) => new t.State(each as Tensor)) as [t.State, t.State];
  const kept = w.map((each) => new t.State(t.zeros(each.shape)));
  const mean = new t.State(t.zeros([1, w[0].shape[1] as number]));
  const count = new t.State(t.tensor(0, { dtype: 'int32' }));
  const states = [...w, ...kept, mean, count];
  const step: StepOf = (x) => {
    const before = w.map((each) => each.read()) as [Tensor, Tensor];
    let seen = x;
    const { value, grads, aux } = valueAndGrad((): [Tensor, Tensor] => {
      const made = run(program, [t.sub(x, mean.read()), ...before]);
      const last = made.at(-1) as Tensor;
      seen = made[watched % made.length] as Tensor;
      const decay = t.add(t.mean(t.square(before[0])), t.mean(t.square(before[1])));
      return [t.add(t.mean(t.square(last)), t.mul(decay, 0.05)), last];
    }, w);
    w.forEach((each, i) => {
      follow(rules[i] as number, each, kept[i] as t.State, before[1 - i] as Tensor, grads[i] as Tensor);
    });
    mean.assign(t.lerp(mean.read(), t.mean(seen, 0, { keepdim: true }), 0.25));
    count.assign(t.add(count.read(), 1));
    return [value, aux];
  };
  const finite = form === 'finite';
  const compiled = () => t.compile(step, { commit: finite ? 'finite' : 'always' });
  const whole = form === 'eager' ? step : !eagerly ? compiled() : finite ? committing(step, states) : step;
  return [...images.flatMap((x) => whole(x)), ...states.map((each) => each.read())];
}

const spoil = (inputs: readonly Filled[], { form, spoiled }: Lesson): Filled[] =>
  inputs.map((each, i) =>
    form === 'finite' && i === spoiled + 2 ? { ...each, data: each.data.with(-1, Number.NaN) } : each,
  );

export function describeSteps(of: Subject, runs: number, emulated: boolean): void {
  const { check, compare } = tools(of, runs);
  describe(`random steps of ${of.name}`, () => {
    check<[{ lesson: Lesson; inputs: Filled[] }]>(
      'train parameters, moments and statistics as the reference does, in place, compiled, committed where all is finite',
      [lessons(emulated)],
      ({ lesson, inputs }) =>
        compare(
          (...xs) => train(lesson, xs, t.getBackend() === of.oracle),
          spoil(inputs, lesson),
          (_, __, wanted) => 1e-3 * (1 + Math.abs(wanted)),
        ),
    );
  });
}
