/** What a training step computes again rather than store where arithmetic is cheap: its gradients are those of one that stores all. */
import { valueAndGrad } from '@tessera/autograd';
import { BatchNorm2d, Conv2d, compile, type Module, Sequential } from '@tessera/nn';
import { add, manualSeed, maxPool2d, mean, mul, relu, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { elementBytes, type Recompute, recomputeEagerly } from '@tessera/tensor/backend';
import { programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';

const [batch, size] = [2, 19];

/** A stem with pooling, a block that changes channels, one that does not. */
function makeModel(): { model: Module; forward(x: Tensor): Tensor } {
  const unit = (from: number, to: number, window: number) =>
    new Sequential(new Conv2d(from, to, window, { padding: window >> 1, bias: false }), new BatchNorm2d(to));
  type Unit = ReturnType<typeof unit>;
  const layers = [
    unit(2, 2, 3),
    unit(2, 3, 1),
    unit(3, 3, 3),
    unit(3, 4, 1),
    unit(2, 4, 1),
    unit(4, 2, 3),
    unit(2, 4, 1),
  ];
  const [stem, a, b, c, down, d, e] = layers as [Unit, Unit, Unit, Unit, Unit, Unit, Unit];
  const model = new Sequential(...layers);
  model.train();
  const forward = (x: Tensor): Tensor => {
    const first = maxPool2d(relu(stem.forward(x)), 3, { stride: 1, padding: 1 });
    const second = relu(add(c.forward(relu(b.forward(relu(a.forward(first))))), down.forward(first)));
    return relu(add(e.forward(relu(d.forward(second))), second));
  };
  return { model, forward };
}

/** A number of each element, by a generator of its own: both ways are to have the same. */
const noise = (count: number, salt: number): Float32Array =>
  Float32Array.from(
    { length: count },
    (_, i) => Math.sin(12.9898 * i + 78.233 * salt) * 1.3 + Math.cos(i * 0.37 + salt),
  );

/** In float64, so that the ways differ by rounding alone. */
async function gradients(policy: Recompute | undefined, precision: 'float32' | 'mixed' = 'float32') {
  setBackend(reference({ dtype: 'float64', limits: policy ? { recompute: policy } : {} }));
  manualSeed(7);
  const { model, forward } = makeModel();
  const parameters = model.parameters();
  for (const [i, parameter] of parameters.entries()) {
    const { shape } = parameter.read();
    const count = shape.reduce((product: number, one) => product * (one as number), 1);
    parameter.assign(tensor(noise(count, i), { shape: shape as number[] }));
  }
  const step = compile(
    (x: Tensor, weights: Tensor) => {
      const { value, grads } = valueAndGrad(() => mean(mul(forward(x), weights)), parameters);
      return [value, ...grads];
    },
    { precision },
  );
  const x = tensor(noise(batch * 2 * size * size, 100), { shape: [batch, 2, size, size] });
  const weights = tensor(noise(batch * 4 * size * size, 200), { shape: [batch, 4, size, size] });
  const values = await Promise.all((step(x, weights) as Tensor[]).map((one) => one.data()));
  const [program] = programsOf(step as never);
  return { values, steps: program?.program.steps ?? [] };
}

// as on a GPU; rows of more than 64 elements are read again by each pass
const policy = recomputeEagerly({ bytes: { ...elementBytes, bool: 4, uint8: 4 }, buffers: 16, row: 64 });

function expectSame(values: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]) {
  expect(values.length).toBe(expected.length);
  values.forEach((value, i) => {
    const wanted = expected[i] as ArrayLike<number>;
    const largest = Math.max(...Array.from(wanted, Math.abs));
    const off = Math.max(...Array.from(value, (one, k) => Math.abs((one as number) - (wanted[k] as number))));
    expect(off / largest, `gradient ${i}`).toBeLessThan(1e-9);
  });
}

describe('a training step with norms', () => {
  it('stores no masks, and normalised maps at the ends of blocks alone, and has the same gradients', async () => {
    const { values, steps } = await gradients(policy);
    const expected = await gradients(undefined);
    const stored = steps.flatMap(({ kernel }) => kernel.outputs);
    expect(stored.filter(({ dtype }) => dtype === 'bool')).toEqual([]);
    // maps in memory: the ends of the two blocks, and the gradients of the two norms before windows that overlap
    const maps = steps.flatMap(({ kernel }) =>
      kernel.kind === 'reduce' ? kernel.stores.filter(({ per }) => per === 'element') : [],
    );
    const products = steps.map(({ kernel }) => (kernel.kind === 'conv' ? [kernel.a.op, kernel.b.op] : []));
    expect(products.filter((operands) => operands.includes('apply')).length).toBeGreaterThan(5);
    expect(maps.length).toBe(4);
    expectSame(values, expected.values);
  });
  it('stores a map of mixed precision as float16 alone: what reads it widens it', async () => {
    const { values, steps } = await gradients(policy, 'mixed');
    const convs = steps.flatMap(({ kernel }) =>
      kernel.kind === 'conv' && kernel.direction === 'forward' ? kernel : [],
    );
    expect(convs.map(({ outputs }) => outputs.map(({ dtype }) => dtype))).toEqual(convs.map(() => ['float16']));
    expectSame(values, (await gradients(undefined, 'mixed')).values);
  });
});
