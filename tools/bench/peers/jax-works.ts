/** The works of the bench in jax-js, on the device that is its default. */
import type * as Jax from '@jax-js/jax';
import { inputsOf, numbers, product, type Work } from '../work.ts';
import { networkOf } from './jax-network.ts';
import { cannot, type Ready } from './ready.ts';

type Array1 = Jax.Array;
type Step = (...inputs: Array1[]) => Array1 | readonly Array1[];

/** Makes works ready. */
export function worksOf(jax: typeof Jax): (work: Work) => Promise<Ready> {
  const { numpy: np, lax, nn, grad, jit, valueAndGrad, blockUntilReady } = jax;
  /** A function takes over what it is handed: `.ref` is handed in where a value is used again. */
  function stepOf(work: Work): Step {
    switch (work.op) {
      case 'matmul':
        if (work.form === 'nt') return (a, b) => np.matmul(a as Array1, np.matrixTranspose(b as Array1));
        if (work.form === 'tn') return (a, b) => np.matmul(np.matrixTranspose(a as Array1), b as Array1);
        return (a, b) => np.matmul(a as Array1, b as Array1);
      case 'conv': {
        const { direction, x: xShape, w: wShape, stride, padding, groups } = work;
        const conv = (x: Array1, w: Array1) => convolve(x, w, stride, padding, groups);
        if (direction === 'forward') return (x, w) => conv(x as Array1, w as Array1);
        // Linear in the operand: the gradient does not depend on it, and jit leaves the forward pass out.
        if (direction === 'inputGrad')
          return (g, w) =>
            grad((x) =>
              conv(x, (w as Array1).ref)
                .mul((g as Array1).ref)
                .sum(),
            )(np.zeros(xShape));
        return (x, g) =>
          grad((w) =>
            conv((x as Array1).ref, w)
              .mul((g as Array1).ref)
              .sum(),
          )(np.zeros(wShape));
      }
      case 'softmax':
        return (x) => nn.softmax(x as Array1, -1);
      case 'layerNorm':
        return (x, weight, bias) =>
          nn
            .standardize(x as Array1, -1, { epsilon: 1e-5 })
            .mul(weight as Array1)
            .add(bias as Array1);
      case 'batchNorm':
        return (x, weight, bias) => batchNorm(x as Array1, weight as Array1, bias as Array1);
      case 'sum':
        return (x) => (x as Array1).sum();
      case 'transpose':
        return (x) => np.transpose(x as Array1);
      case 'chain':
        return (x) => {
          const a = x as Array1;
          return np.abs(nn.relu(a.ref.mul(1.5).add(0.25)).mul(a).sub(0.75));
        };
      case 'network':
      case 'mnist':
        return cannot('handled apart');
      default:
        return cannot(`${work.op} is no work of a peer`);
    }
  }

  function convolve(x: Array1, w: Array1, stride: number, padding: number, groups: number): Array1 {
    const around = [padding, padding];
    return lax.convGeneralDilated(x, w, [stride, stride], [around, around], { featureGroupCount: groups });
  }
  function batchNorm(x: Array1, weight: Array1, bias: Array1): Array1 {
    const shape = [1, weight.shape[0] as number, 1, 1];
    return nn.standardize(x, [0, 2, 3], { epsilon: 1e-5 }).mul(weight.reshape(shape)).add(bias.reshape(shape));
  }

  /** The main job's network; its parameters, then AdamW's two moments of each, go in and come out. */
  const parameters = [
    ...[[16, 1, 5, 5], [16], [16], [16]],
    ...[[32, 16, 3, 3], [32], [32], [32]],
    ...[[64, 32, 3, 3], [64], [64], [64]],
    ...[[3136, 10], [10]],
  ];
  function network(p: Array1[], x: Array1): Array1 {
    const at = (i: number) => (p[i] as Array1).ref;
    const bias = (i: number) => at(i).reshape([1, parameters[i]?.[0] as number, 1, 1]);
    const block = (h: Array1, i: number, padding: number) =>
      nn.relu(batchNorm(convolve(h, at(i), 1, padding, 1).add(bias(i + 1)), at(i + 2), at(i + 3)));
    const pool = (h: Array1) => lax.reduceWindow(h, np.max, [1, 1, 2, 2], [1, 1, 2, 2]);
    const h = block(pool(block(pool(block(x, 0, 2)), 4, 1)), 8, 1);
    return np.matmul(h.reshape([x.shape[0] as number, 3136]), at(12)).add(at(13));
  }
  function mnist(batch: number): Step {
    const [lr, decay, b1, b2] = [0.001, 0.01, 0.9, 0.999];
    return (...inputs) => {
      const [x, labels, ...state] = inputs as [Array1, Array1, ...Array1[]];
      const count = parameters.length;
      const [p, m, v] = [state.slice(0, count), state.slice(count, 2 * count), state.slice(2 * count)];
      const loss = (q: Array1[]) => {
        const logits = network(q, x);
        free(q);
        const picked = nn.logSoftmax(logits, -1).mul(nn.oneHot(labels, 10));
        return picked.sum().mul(-1 / batch);
      };
      const [value, g] = valueAndGrad(loss)(p.map((each) => each.ref));
      const m2 = g.map((each, i) => (m[i] as Array1).mul(b1).add(each.ref.mul(1 - b1)));
      const v2 = g.map((each, i) => (v[i] as Array1).mul(b2).add(np.square(each).mul(1 - b2)));
      const p2 = p.map((each, i) => {
        const step = (m2[i] as Array1).ref.div(np.sqrt((v2[i] as Array1).ref).add(1e-8));
        return each.mul(1 - lr * decay).sub(step.mul(lr));
      });
      return [value, ...p2, ...m2, ...v2];
    };
  }

  const refs = (arrays: readonly Array1[]) => arrays.map((each) => each.ref);
  const free = (arrays: readonly Array1[]) => {
    for (const each of arrays) each.dispose();
  };
  /** Without `jit` these would be left as a view, or made in six passes. */
  const lazy: readonly Work['op'][] = ['transpose', 'sum', 'chain'];

  /** The step as it is or under `jit`: the one whose second run took less. */
  async function faster(step: Step, inputs: readonly Array1[]): Promise<Step> {
    let best = { step, ms: Number.POSITIVE_INFINITY };
    for (const candidate of [step, jit(step as (...all: Array1[]) => readonly Array1[])]) {
      let ms = 0;
      for (let run = 0; run < 2; run++) {
        const start = performance.now();
        free([await blockUntilReady(candidate(...refs(inputs)))].flat() as Array1[]);
        ms = performance.now() - start;
      }
      if (ms < best.ms) best = { step: candidate, ms };
    }
    return best.step;
  }

  const input = (shape: readonly number[], seed: number) => np.array(numbers(product(shape), seed)).reshape(shape);

  return async (work) => {
    if (work.op === 'network' && work.network) return networkOf(jax, work.network, work.pass);
    const inputs = inputsOf(work).map(input);
    if (work.op === 'mnist') {
      const labels = np.array(Int32Array.from({ length: work.batch }, (_, i) => i % 10));
      let state = [...parameters.map(input), ...[...parameters, ...parameters].map((shape) => np.zeros(shape))];
      const step = await faster(mnist(work.batch), [...inputs, labels, ...state]);
      const run = async () => {
        const [loss, ...next] = step(...refs([...inputs, labels]), ...state) as Array1[];
        state = await blockUntilReady(next);
        loss?.dispose();
      };
      return { first: null, run, dispose: () => free([...inputs, labels, ...state]) };
    }
    const step = lazy.includes(work.op) ? jit(stepOf(work)) : await faster(stepOf(work), inputs);
    const once = () => step(...refs(inputs)) as Array1;
    return {
      first: (await once().data())[0] ?? null,
      run: async () => (await blockUntilReady(once())).dispose(),
      dispose: () => free(inputs),
    };
  };
}
