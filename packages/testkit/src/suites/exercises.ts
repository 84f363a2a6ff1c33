/** Each op on a backend against the float64 reference: forward, first and second gradient, on tensors and on views of larger ones. */
import { vjp } from '@tessera/autograd';
import { type Tensor, type TypedArray, tensor } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import { exercises, type Family } from '../exercises';
import { type Exercise, type Layout, type Sample, toTensor } from '../exercises/exercise';
import { describeMiss, firstMiss, opBound } from '../tolerance';
import { on, type Subject } from './subject';

interface Answer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: TypedArray;
}

/** Every number a case has to give: outputs, cotangents, cotangents of cotangents. */
async function answers({ f, orders = 2 }: Exercise, samples: readonly Sample[], layout: Layout): Promise<Answer[]> {
  const inputs = samples.map((sample) => toTensor(sample, layout));
  const read = (prefix: string, tensors: readonly Tensor[]): Promise<Answer[]> =>
    Promise.all(
      tensors.map(async (t, i) => ({
        name: `${prefix} ${i}`,
        shape: t.shape as readonly number[],
        dtype: t.dtype,
        data: await t.data(),
      })),
    );
  const list = (value: Tensor | readonly Tensor[]): readonly Tensor[] =>
    Array.isArray(value) ? value : [value as Tensor];
  const found = await read('output', list(f(...inputs)));
  if (orders === 0) return found;

  const varied = inputs.filter(isFloat);
  const smooth = (...xs: Tensor[]): Tensor[] => {
    let next = 0;
    return list(f(...inputs.map((input) => (isFloat(input) ? (xs[next++] as Tensor) : input)))).filter(isFloat);
  };
  const first = vjp(smooth, varied);
  const g = first.value.map(weights);
  found.push(...(await read('gradient of input', first.pullback(g))));
  if (orders === 1) return found;
  const second = vjp(
    (...all) => vjp(smooth, all.slice(0, varied.length)).pullback(all.slice(varied.length)),
    [...varied, ...g],
  );
  found.push(...(await read('second gradient of', second.pullback(second.value.map(weights)))));
  return found;
}

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'float16';
/** Cotangents, unlike each other. */
const weights = ({ shape }: Tensor, k: number): Tensor =>
  tensor(
    Float64Array.from({ length: (shape as number[]).reduce((a, b) => a * b, 1) }, (_, i) => 1 + Math.sin(3 * i + k)),
    { shape: shape as number[], dtype: 'float32' },
  );

/** Where the answers differ by more than rounding, in words. */
function compare(saw: readonly Answer[], wanted: readonly Answer[], within: Exercise['within']): string[] {
  return wanted.flatMap((want, i) => {
    const got = saw[i];
    if (!got || got.dtype !== want.dtype || String(got.shape) !== String(want.shape))
      return [`${want.name} is ${got?.dtype} [${got?.shape}], wanted ${want.dtype} [${want.shape}]`];
    const exact = want.dtype !== 'float32' && want.dtype !== 'float16';
    const whole = opBound(want.data);
    const bound = (at: number): number => {
      const value = Math.abs(want.data[at] as number);
      // what float32 cannot hold may be infinite there
      if (value > 3.4e38)
        return Number.isFinite(value) && Math.abs(got.data[at] as number) === Number.POSITIVE_INFINITY ? Infinity : 0;
      return exact ? 0 : within === 'each' ? 2e-5 * value + 2e-6 : whole;
    };
    const miss = firstMiss(want.name, want.shape, got.data, want.data, bound);
    return miss ? [describeMiss(miss)] : [];
  });
}

/** What is left out on an emulated GPU. */
const tooLarge = 'second derivatives whose shaders an emulated GPU takes minutes to compile';

export function describeExercises(of: Subject, family: Family, emulated: boolean): void {
  describe(`ops of ${of.name}: ${family}`, () => {
    it.each(exercises()[family].map((exercise) => [exercise.name, exercise] as const))('%s', async (_, whole) => {
      const backend = await of.backend();
      const cut = emulated && whole.largeSecond;
      if (cut) of.skip(tooLarge);
      const exercise: Exercise = cut ? { ...whole, orders: 1 } : whole;
      for (const samples of exercise.cases) {
        const wanted = await on(of.oracle, () => answers(exercise, samples, 'plain'));
        for (const layout of ['plain', 'view'] as const) {
          const saw = await on(backend, () => answers(exercise, samples, layout));
          const shown = samples.map(({ shape }) => `[${shape}]`).join(' ');
          expect(compare(saw, wanted, exercise.within), `inputs ${shown}, ${layout}`).toEqual([]);
        }
      }
    });
  });
}
