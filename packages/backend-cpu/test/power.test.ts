/** pow by vectors and lane by lane: an element has the same bits, whatever lies beside it. */
import { pow, setBackend, tensor } from '@tessera/tensor';
import { expect, it } from 'vitest';
import { cpu } from '../src/index';

const bases = [1, -1, 0.5, -2, 1e-42, 3e38, -1.17549435e-38, 10, 0.99999994, -7.25, 1.0000001, 123.456];
const exponents = [0, 1, -1, 2, 3, 0.5, -0.5, 127, -149, 38, 1 / 3, 16777217, 1e9, -2.5];

it('has the same bits both ways, those of the rounded float64', async () => {
  const backend = await cpu({ threads: 1 });
  setBackend(backend);
  const x = Float32Array.from(exponents.flatMap(() => bases));
  const y = Float32Array.from(exponents.flatMap((exponent) => bases.map(() => exponent)));
  const computed = async (x: Float32Array) => (await pow(tensor(x), tensor(y)).data()) as Float32Array;
  const vectors = await computed(x);
  const mixed = await computed(x.map((base, i) => (i % 4 === 0 ? 0 : base))); // a zero sends its vector lane by lane
  const kept = (values: Float32Array) => new Uint32Array(values.filter((_, i) => i % 4 !== 0).buffer);
  expect(kept(mixed)).toEqual(kept(vectors));
  expect(vectors).toEqual(x.map((base, i) => base ** (y[i] as number)));
  backend.dispose();
});
