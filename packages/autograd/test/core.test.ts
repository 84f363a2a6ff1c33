import {
  add,
  argmax,
  cast,
  compile,
  cos,
  DTypeError,
  defineOp,
  exp,
  GradientError,
  gt,
  matmul,
  meta,
  mul,
  ones,
  relu,
  runtime,
  State,
  setBackend,
  sin,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkGradients,
  defineGradient,
  grad,
  hessianVectorProduct,
  install,
  jvp,
  stopGradient,
  valueAndGrad,
  vjp,
} from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const cube = (x: Tensor): Tensor => mul(x, mul(x, x));

/** y = x, of a name that has no rule. */
const plain = (name: string, notDifferentiable?: string) =>
  defineOp({
    name,
    args: (x: Tensor) => [[x], {}],
    shape: ([x]) => x as Tensor,
    lower: () => ({ kind: 'view', moves: [] }),
    ...(notDifferentiable ? { notDifferentiable } : {}),
  });

describe('grad', () => {
  it('gives the derivative by the first argument', async () => {
    expect(await grad(cube)(tensor(2)).item()).toBe(12);
  });
  it('gives derivatives of derivatives', async () => {
    expect(await grad(grad(cube))(tensor(2)).item()).toBe(12);
    expect(await grad(grad(grad(cube)))(tensor(2)).item()).toBe(6);
    expect(await grad(grad(grad(grad(cube))))(tensor(2)).item()).toBe(0);
  });
  it('by chosen arguments gives a list', async () => {
    const gradients = grad((a: Tensor, b: Tensor) => mul(a, square(b)), { wrt: [1, 0] })(tensor(3), tensor(5));
    expect(await Promise.all(gradients.map((g) => g.item()))).toEqual([30, 25]);
  });
  it('takes a tensor handed in twice for two variables', async () => {
    const x = tensor(3);
    expect(await grad((a: Tensor, b: Tensor) => mul(a, square(b)))(x, x).item()).toBe(9);
  });
  it('works on shapes alone', () => {
    const g = grad((x: Tensor) => sum(relu(x)))(meta([2, 3]));
    expect(g.shape).toEqual([2, 3]);
  });
});

describe('valueAndGrad', () => {
  it('gives the value and a gradient for each wanted tensor, in their structure', async () => {
    const [a, b] = [tensor([1, 2]), tensor([3, 4])];
    const both = valueAndGrad(() => sum(mul(a, b)), [a, b]);
    expect(await both.value.item()).toBe(11);
    expect(await Promise.all(both.grads.map((g) => g.toArray()))).toEqual([
      [3, 4],
      [1, 2],
    ]);
    const one = valueAndGrad(() => sum(mul(a, b)), a);
    expect(await one.grads.toArray()).toEqual([3, 4]);
  });
  it('stands a state cell for its present value', async () => {
    const w = new State(tensor([1, 2]));
    expect(await valueAndGrad(() => sum(square(w.read())), w).grads.toArray()).toEqual([2, 4]);
    w.assign(tensor([5, 6]));
    expect(await valueAndGrad(() => sum(square(w.read())), [w]).grads[0]?.toArray()).toEqual([10, 12]);
  });
  it('tells states apart that were given the same values', async () => {
    const online = new State(tensor([1, 2]));
    const target = new State(online);
    const loss = (): Tensor => sum(mul(online.read(), target.read()));
    expect(await valueAndGrad(loss, online).grads.toArray()).toEqual([1, 2]);
    target.assign(online.read());
    expect(await valueAndGrad(loss, online).grads.toArray()).toEqual([1, 2]);
    const same = mul(online.read(), 3);
    online.assign(same);
    target.assign(same);
    const { grads } = valueAndGrad(loss, [online, target]);
    expect(await Promise.all(grads.map((g) => g.toArray()))).toEqual([
      [3, 6],
      [3, 6],
    ]);
  });
  it('takes a value computed outside of f for a constant, realised or not', async () => {
    const x = tensor(3);
    const outside = square(x);
    const realised = square(x);
    await realised.data();
    expect(await valueAndGrad(() => mul(x, outside), x).grads.item()).toBe(9);
    expect(await valueAndGrad(() => mul(x, realised), x).grads.item()).toBe(9);
  });
  it('is a gradient by a tensor computed before f, however it came about', async () => {
    const hidden = square(tensor(3));
    expect(await valueAndGrad(() => square(hidden), hidden).grads.item()).toBe(18);
  });
  it('walks through what was realised inside f', async () => {
    const x = tensor(3);
    let inner: Tensor | undefined;
    const reads: Promise<unknown>[] = [];
    const { grads } = valueAndGrad(() => {
      inner = square(x);
      reads.push(inner.data());
      return mul(inner, x);
    }, x);
    await Promise.all(reads);
    expect(await grads.item()).toBe(27);
    expect(inner?.node.inputs).toEqual([]);
  });
  it('hands out what f gives beside its value', async () => {
    const x = tensor([1, 2]);
    const { value, aux } = valueAndGrad(() => [sum(x), { twice: mul(x, 2) }] as const, x);
    expect(await value.item()).toBe(3);
    expect(await aux.twice.toArray()).toEqual([2, 4]);
  });
  it('gives zeros for what f does not use, or null where asked', async () => {
    const [x, unused] = [tensor(3), tensor([1, 2])];
    expect(await valueAndGrad(() => square(x), [x, unused]).grads[1]?.toArray()).toEqual([0, 0]);
    expect(valueAndGrad(() => square(x), [x, unused], { unused: 'null' }).grads[1]).toBeNull();
  });
  it('adds up a gradient that arrives on several ways', async () => {
    const x = tensor(2);
    expect(await valueAndGrad(() => add(add(mul(x, 3), square(x)), x), x).grads.item()).toBe(8);
  });
  it('keeps nothing alive afterwards', async () => {
    const x = tensor(2);
    let side: Tensor | undefined;
    const { value, grads } = valueAndGrad(() => {
      side = exp(mul(x, 2));
      return square(x);
    }, x);
    expect([runtime.recording, runtime.recorded.length]).toEqual([0, 0]);
    await Promise.all([value, grads, side as Tensor].map((t) => t.data()));
    for (const { node } of [value, grads, side as Tensor]) expect([node.recorded, node.inputs]).toEqual([false, []]);
  });
  it('leaves recording as it was when f throws', () => {
    const x = tensor(2);
    expect(() => valueAndGrad(() => matmul(x, tensor([1, 2])), x)).toThrow();
    expect([runtime.recording, runtime.recorded.length]).toEqual([0, 0]);
  });
  it('works inside a compiled function, step after step', async () => {
    const w = new State(tensor(1));
    const step = compile((x: Tensor) => {
      const { value, grads } = valueAndGrad(() => square(sub(mul(w.read(), x), 6)), w);
      w.assign(sub(w.read(), mul(grads, 0.05)));
      return value;
    });
    const losses: number[] = [];
    for (let i = 0; i < 3; i++) losses.push(await step(tensor(2)).item());
    expect(losses[0]).toBe(16);
    expect(losses[1]).toBeCloseTo(5.76, 10);
    expect(losses[2]).toBeCloseTo(2.0736, 10);
    expect(await w.item()).toBeCloseTo(3 - 2 * 0.6 ** 3, 10);
  });
  it('goes through a compiled function', async () => {
    const x = tensor(3);
    const squared = compile((v: Tensor) => square(v));
    await squared(x).data();
    expect(await valueAndGrad(() => squared(x), x).grads.item()).toBe(6);
  });
  it('refuses a value with more than one element, and one that is no float', () => {
    const x = tensor([1, 2]);
    expect(() => valueAndGrad(() => square(x), x)).toThrowErrorMatchingInlineSnapshot(
      `[GradientError: valueAndGrad: f gave float32 [2], wants one element; take its mean or sum, or use vjp]`,
    );
    expect(() => valueAndGrad(() => sum(cast(x, 'int32')), x)).toThrow(GradientError);
    expect(() => valueAndGrad((async () => sum(x)) as never, x)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: valueAndGrad: f gave a promise (values cannot be read inside f), wants a tensor; return the op's result]`,
    );
  });
});

describe('what has no gradient', () => {
  it('names an op without a rule', () => {
    const roiAlign = plain('roiAlign');
    expect(() => grad((x: Tensor) => roiAlign(x))(tensor(1))).toThrowErrorMatchingInlineSnapshot(
      `[GradientError: grad: roiAlign has no gradient; define one with defineGradient(roiAlign, …), or install its family]`,
    );
  });
  it('does not ask for the rule of an op off the path', async () => {
    const roiAlign = plain('roiAlign');
    const constant = tensor(2);
    expect(await grad((x: Tensor) => mul(x, roiAlign(constant)))(tensor(1)).item()).toBe(2);
  });
  it('names the op that stops the walk, where the input is reached only through it', () => {
    expect(() => grad((x: Tensor) => sum(cast(argmax(x, 0), 'float32')))(tensor([1, 2]))).toThrow(
      /only through .*argmax|only through .*int32/,
    );
    const cliff = plain('cliff', 'a step has no slope');
    expect(() => grad((x: Tensor) => cliff(x))(tensor(1))).toThrowErrorMatchingInlineSnapshot(
      `[GradientError: grad: the output reaches wanted input 0, float32 [], only through cliff, which has no gradient (a step has no slope); say so with stopGradient, or use a differentiable op]`,
    );
  });
  it('goes round it where there is another way', async () => {
    const masked = (x: Tensor): Tensor => sum(mul(x, cast(gt(x, 0), 'float32')));
    expect(await grad(masked)(tensor([-1, 2])).toArray()).toEqual([0, 1]);
  });
  it('is a zero, not a mistake, where rules put it: masks of a second derivative', async () => {
    expect(await grad(grad(relu))(tensor(2)).item()).toBe(0);
    expect(await grad((x: Tensor) => mul(grad(relu)(x), 3))(tensor(2)).item()).toBe(0);
    const masked = (x: Tensor): Tensor => mul(x, cast(gt(x, 0), 'float32'));
    expect(await hessianVectorProduct(masked, [tensor(2)], [tensor(1)])[0]?.item()).toBe(0);
  });
  it('wants floats', () => {
    const x = tensor([1, 2], { dtype: 'int32' });
    expect(() => valueAndGrad(() => sum(cast(x, 'float32')), x)).toThrowErrorMatchingInlineSnapshot(
      `[GradientError: grad: wanted input 0 is int32 [2]; only float tensors have gradients, convert it with cast(x, 'float32')]`,
    );
  });
  it('stopGradient makes a constant', async () => {
    expect(await grad((x: Tensor) => mul(x, stopGradient(x)))(tensor(3)).item()).toBe(3);
    expect(await grad((x: Tensor) => stopGradient(square(x)))(tensor(3)).item()).toBe(0);
  });
});

describe('defineGradient', () => {
  it('returns the op, which then differentiates', async () => {
    const op = plain('triple');
    expect(defineGradient(op, (g) => [mul(g, 3)])).toBe(op);
    expect(await grad((x: Tensor) => op(x))(tensor(1)).item()).toBe(3);
  });
  it('keeps the first rule against families, and gives way only to override', async () => {
    const op = plain('choosy');
    defineGradient(op, (g) => [mul(g, 2)]);
    install([() => defineGradient(op, (g) => [mul(g, 7)])]);
    expect(await grad((x: Tensor) => op(x))(tensor(1)).item()).toBe(2);
    expect(() => defineGradient(op, (g) => [g])).toThrow(/choosy has a gradient; replace it with \{ override: true \}/);
    defineGradient(op, (g) => [mul(g, 5)], { override: true });
    expect(await grad((x: Tensor) => op(x))(tensor(1)).item()).toBe(5);
  });
  it('installs a family once', () => {
    let times = 0;
    const family = (): void => void times++;
    install([family, family]);
    install([family]);
    expect(times).toBe(1);
  });
  it('refuses cotangents of another shape or number', () => {
    const shapeless = defineGradient(plain('shapeless'), (g) => [sum(g)]);
    expect(() => grad((x: Tensor) => sum(shapeless(x)))(tensor([1, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[GradientError: grad: the rule of shapeless for input 0 is float32 [], wants float32 [2]; sum broadcast axes with sumTo(g, x.shape)]`,
    );
    const many = defineGradient(plain('many'), (g) => [g, g]);
    expect(() => grad((x: Tensor) => many(x))(tensor(1))).toThrow('gives 2 cotangents for 1 inputs');
  });
});

describe('vjp and jvp', () => {
  const f = (x: Tensor, y: Tensor): [Tensor, Tensor] => [mul(sin(x), y), add(x, square(y))];
  const [x, y] = [tensor([1, 2]), tensor([3, 4])];

  it('vjp pulls cotangents back, later and often', async () => {
    const { value, pullback } = vjp(f, [x, y]);
    await Promise.all(value.map((t) => t.data()));
    for (const scale of [1, 2]) {
      const back = pullback([tensor([scale, 0]), tensor([0, scale])]);
      const [dx, dy] = (await Promise.all(back.map((t) => t.data()))) as [Float64Array, Float64Array];
      expect(dx[0]).toBeCloseTo(scale * 3 * Math.cos(1), 10);
      expect(dx[1]).toBe(scale);
      expect(dy[0]).toBeCloseTo(scale * Math.sin(1), 10);
      expect(dy[1]).toBe(scale * 8);
    }
  });
  it('vjp wants a cotangent of the value’s shape for each output', () => {
    const { pullback } = vjp(f, [x, y]);
    expect(() => pullback([tensor(1), tensor(1)])).toThrow(
      'the cotangent of output 0 is float32 [], wants float32 [2]',
    );
    expect(() => pullback([tensor([1, 1])] as never)).toThrow('vjp: 1 cotangents for 2 outputs');
  });
  it('want their inputs in a list, as hessianVectorProduct does', () => {
    const one = tensor(1) as never;
    expect(() => vjp((a) => a, one)).toThrow('vjp: inputs is no list; wants tensors in one: vjp(f, [x], …)');
    expect(() => jvp((a) => a, one, one)).toThrow('jvp: inputs is no list');
    expect(() => hessianVectorProduct((a) => a as Tensor, one, one)).toThrow('hessianVectorProduct: inputs is no list');
  });
  it('jvp gives the derivative along tangents', async () => {
    const { value, tangent } = jvp(f, [x, y], [tensor([1, 0]), tensor([0, 1])]);
    expect(await value[1].toArray()).toEqual([10, 18]);
    const [a, b] = (await Promise.all(tangent.map((t) => t.data()))) as [Float64Array, Float64Array];
    expect(a[0]).toBeCloseTo(3 * Math.cos(1), 10);
    expect(a[1]).toBeCloseTo(Math.sin(2), 10);
    expect([...b]).toEqual([1, 8]);
  });
  it('jvp of a function that ignores its input is zero', async () => {
    expect(await jvp(() => ones([2]), [x], [ones([2])]).tangent.toArray()).toEqual([0, 0]);
  });
  it('compose in every order', async () => {
    const third = grad((v: Tensor) => jvp((u: Tensor) => grad(sin)(u), [v], [tensor(1)]).tangent)(tensor(0.5));
    expect(await third.item()).toBeCloseTo(-Math.cos(0.5), 10);
    const forwardTwice = jvp((v: Tensor) => jvp(sin, [v], [tensor(1)]).tangent, [tensor(0.5)], [tensor(1)]).tangent;
    expect(await forwardTwice.item()).toBeCloseTo(-Math.sin(0.5), 10);
  });
  it('hessianVectorProduct is H·v', async () => {
    // f = x²y: H = [[2y, 2x], [2x, 0]]
    const [dx, dy] = hessianVectorProduct(
      (a, b) => mul(square(a), b),
      [tensor(3), tensor(5)],
      [tensor(1), tensor(2)],
    ) as [Tensor, Tensor];
    expect([await dx.item(), await dy.item()]).toEqual([22, 6]);
  });
});

describe('checkGradients', () => {
  const backend = reference({ dtype: 'float64' });
  it('passes what is right, to second order', async () => {
    await checkGradients((a, b) => mul(sin(a), exp(b)), [tensor([0.3, 0.7]), tensor([0.1, -0.2])], { backend });
    await checkGradients(
      (a, b) => [matmul(a, b), cos(a)],
      [
        tensor([
          [1, 2],
          [3, 4],
        ]),
        tensor([[5], [6]]),
      ],
      { backend },
    );
  });
  it('holds inputs that are no floats', async () => {
    const mask = tensor([1, 0], { dtype: 'int32' });
    await checkGradients((a, m) => mul(square(a), cast(m, 'float32')), [tensor([1, 2]), mask], { backend });
  });
  it('names order, mode and numbers of the first wrong direction', async () => {
    const wrong = defineGradient(
      defineOp({
        name: 'wrong',
        args: (v: Tensor) => [[v], {}],
        shape: ([v]) => v as Tensor,
        lower: () => ({ kind: 'view', moves: [] }),
      }),
      (g) => [mul(g, 1.5)],
    );
    await expect(checkGradients((v) => wrong(v), [tensor([1, 2])], { backend })).rejects.toThrow(
      /^checkGradients: order 1, direction 0, forward mode: the derivative of element 0 is -?\d.*, the finite difference -?\d/,
    );
    // right at first order, wrong at second
    const second = defineGradient(
      defineOp({
        name: 'second',
        args: (v: Tensor) => [[v], {}],
        shape: ([v]) => v as Tensor,
        lower: ([v]) => ({
          kind: 'map',
          outs: [
            {
              op: 'apply',
              dtype: 'float32',
              fn: 'sin',
              args: [{ op: 'read', dtype: 'float32', input: v?.index ?? 0, moves: [], at: null }],
            },
          ],
        }),
      }),
      (g, [v]) => [mul(g, stopGradient(cos(v as Tensor)))],
    );
    await checkGradients((v) => second(v), [tensor([1, 2])], { backend, order: 1 });
    await expect(checkGradients((v) => second(v), [tensor([1, 2])], { backend })).rejects.toThrow('order 2');
  });
  it('asks for float64', async () => {
    const coarse = reference({ dtype: 'float32' });
    await expect(checkGradients(sin, [tensor(1)], { backend: coarse })).rejects.toThrow(
      "reference({ dtype: 'float64' })",
    );
    expect(runtime.backend).not.toBe(coarse);
  });
});

it('errors are of their classes', () => {
  expect(new GradientError('x').name).toBe('GradientError');
  expect(DTypeError.prototype).toBeInstanceOf(Error);
});
