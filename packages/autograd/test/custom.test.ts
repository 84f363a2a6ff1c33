import {
  add,
  compile,
  exp,
  matmul,
  meta,
  mul,
  ones,
  rand,
  runtime,
  State,
  setBackend,
  sin,
  square,
  stack,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, checkpoint, customGradient, grad, jvp, valueAndGrad, vjp } from '../src/index';

const backend = reference({ dtype: 'float64' });
beforeAll(() => setBackend(backend));

describe('customGradient', () => {
  const clipped = customGradient(
    (x: Tensor) => square(x),
    (g, [x], y) => [add(mul(g, 10), mul(0, add(x as Tensor, y)))],
  );
  it('has f’s values and the rule’s gradient', async () => {
    expect(await clipped(tensor(3)).item()).toBe(9);
    const { value, grads } = ((x: Tensor) => valueAndGrad(() => mul(clipped(x), 2), x))(tensor(3));
    expect([await value.item(), await grads.item()]).toEqual([18, 20]);
  });
  it('has a rule that differentiates again', async () => {
    const own = customGradient(exp, (g, _, y) => [mul(g, mul(y, 2))]);
    // y' = 2y, so y'' = 4y
    expect(await grad(grad((x: Tensor) => own(x)))(tensor(0)).item()).toBe(4);
    expect(await jvp((x) => own(x), [tensor(0)], [tensor(3)]).tangent.item()).toBe(6);
  });
  it('hands each of several outputs its cotangent, null where there is none', async () => {
    const seen: boolean[][] = [];
    const pair = customGradient(
      (x: Tensor): Tensor[] => [mul(x, 2), mul(x, 3)],
      (g) => {
        seen.push(g.map((cotangent) => cotangent !== null));
        return [add(g[0] ?? 0, g[1] ?? 0)];
      },
    );
    expect(await grad((x: Tensor) => pair(x)[1] as Tensor)(tensor(1)).item()).toBe(1);
    expect(await grad((x: Tensor) => pair(x).reduce((a, b) => add(a, b)))(tensor(1)).item()).toBe(2);
    expect(seen).toEqual([
      [false, true],
      [true, true],
    ]);
  });
});

describe('checkpoint', () => {
  const w = tensor([0.5, -0.3]);
  const body = (x: Tensor): Tensor => sin(mul(exp(sin(x)), w));

  it('has the values and the gradients of f, in what it is handed and in what it captures', async () => {
    const x = tensor([1, 2]);
    const plain = valueAndGrad(() => sum(square(body(x))), [x, w]);
    const again = valueAndGrad(() => sum(square(checkpoint(body)(x))), [x, w]);
    expect(await again.value.item()).toBe(await plain.value.item());
    for (const [i, g] of again.grads.entries()) expect(await g.data()).toEqual(await plain.grads[i]?.data());
  });
  it('computes its insides again: the gradient is not made of the first nodes', () => {
    const x = tensor([1, 2]);
    let made: Tensor | undefined;
    const { grads } = valueAndGrad(
      () =>
        sum(
          checkpoint((v: Tensor) => {
            made = exp(v);
            return sin(made);
          })(x),
        ),
      x,
    );
    const behind = new Set<unknown>();
    const stack = [grads];
    for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
      if (behind.has(tensor.node)) continue;
      behind.add(tensor.node);
      stack.push(...tensor.node.inputs);
    }
    expect(behind.has(made?.node)).toBe(false);
    const exps = [...behind].filter((node) => (node as Tensor['node']).op === exp) as Tensor['node'][];
    expect(exps.length).toBe(1);
    expect(exps[0]?.attributes.recomputed).toBe(1);
  });
  it('draws the same random numbers', async () => {
    const noisy = (x: Tensor): Tensor => mul(x, square(rand([2])));
    const x = tensor([1, 1]);
    const { value, grads } = valueAndGrad(() => sum(checkpoint(noisy)(x)), x);
    const [a, b] = await grads.data();
    expect((a as number) + (b as number)).toBeCloseTo(await value.item(), 12);
  });
  it('assigns state once', async () => {
    const mean = new State(tensor(0));
    const counting = (x: Tensor): Tensor => {
      mean.assign(add(mean.read(), 1));
      return square(x);
    };
    const x = tensor(3);
    expect(await valueAndGrad(() => checkpoint(counting)(x), x).grads.item()).toBe(6);
    expect(await mean.item()).toBe(1);
  });
  it('takes less memory than keeping everything, for the same bits', async () => {
    const use = async (wrap: (f: (x: Tensor) => Tensor) => (x: Tensor) => Tensor): Promise<[number, unknown]> => {
      const own = reference({ dtype: 'float32' });
      setBackend(own);
      const weights = Array.from({ length: 12 }, (_, i) => {
        const data = Float32Array.from({ length: 64 }, (_, j) => Math.sin(i + j) / 2);
        return new State(tensor(data, { shape: [8, 8] }));
      });
      const block = (i: number) => (x: Tensor) =>
        weights.slice(i, i + 4).reduce((y, weight) => sin(matmul(y, weight.read())), x);
      const step = compile((x: Tensor) => {
        const forward = (): Tensor => [0, 4, 8].reduce((y, i) => wrap(block(i))(y), x);
        const { grads } = valueAndGrad(() => sum(square(forward())), weights);
        return sum(stack(grads));
      });
      const total = await step(ones([256, 8])).data();
      setBackend(backend);
      return [own.memory().peak, total];
    };
    const [kept, plain] = await use((f) => f);
    const [again, recomputed] = await use(checkpoint);
    expect(recomputed).toEqual(plain);
    expect(again).toBeLessThan(0.7 * kept);
  });
  it('nests, and differentiates twice', async () => {
    const nested = (x: Tensor): Tensor => checkpoint((v: Tensor) => mul(checkpoint(sin)(v), v))(x);
    await checkGradients(nested, [tensor([0.5, 1.5])], { backend });
    await checkGradients((x) => checkpoint(body)(x), [tensor([0.5, 1.5])], { backend });
  });
  it('has a pullback that works after the values were read', async () => {
    const { value, pullback } = vjp((x: Tensor) => checkpoint(body)(x), [tensor([1, 2])]);
    await value.data();
    const [g] = pullback(tensor([1, 1])) as [Tensor];
    expect((await g.data()).every((v) => Number.isFinite(v) && v !== 0)).toBe(true);
    expect(runtime.recorded.length).toBe(0);
  });
  it('is f itself where nothing is differentiated, and keeps several outputs apart', async () => {
    const pair = checkpoint((x: Tensor): Tensor[] => [square(x), mul(x, 3)]);
    expect(await pair(tensor(2))[0]?.item()).toBe(4);
    expect(await grad((x: Tensor) => mul(pair(x)[0] as Tensor, pair(x)[1] as Tensor))(tensor(2)).item()).toBe(36);
  });
  it('carries unknown sizes through', () => {
    expect(grad((x: Tensor) => sum(checkpoint(square)(x)))(meta([2])).shape).toEqual([2]);
  });
});
