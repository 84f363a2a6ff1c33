/** Random kernels of every kind. */
import {
  type Accumulate,
  type Combine,
  type Compute,
  type ConvSizes,
  contiguous,
  type Expr,
  expr as e,
  type Kernel,
  type MapPart,
  nodesOf,
  type PoolSizes,
  type RowStore,
  rowMajor,
  type Store,
  sizeOf,
  type TypedArray,
} from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { Generator, int, isExact, sizes, type Term } from './generator';
import { Pool, product, rounded } from './terms';

/** One to three stores over a shape, of terms grown from what is given. */
function epilogue(g: Generator, shape: readonly number[], given: readonly Term[], inputs = 1): Store[] {
  const pool = new Pool(g, shape, inputs, given);
  const terms = g.chance(0.25)
    ? given.slice(0, 2)
    : Array.from({ length: g.between(1, 2) }, () => pool.grow(g.below(6)));
  return stores(g, shape, [...terms, ...(g.chance(0.5) ? given.slice(0, 1) : [])]);
}

function stores(g: Generator, shape: readonly number[], terms: readonly Term[]): Store[] {
  const unique = [...new Set(terms.map(({ expr }) => expr))];
  const used = nodesOf(unique);
  return unique.map((expr) => g.store(shape, expr, used));
}

/** The accumulator of a sum of `terms` values like `term`. */
const sumOf = (index: number, term: Term, terms: number): Term => {
  const [low, high] = [Math.min(0, term.low * terms), Math.max(0, term.high * terms)];
  if (term.expr.dtype === 'int32') return { expr: e.acc(index, 'int32'), ...int };
  const exact = isExact({ ...term, low, high });
  return { expr: e.acc(index), low, high, fraction: exact ? term.fraction : Infinity };
};

/** An operand of a product: a plain load, or an expression. Products of special values would meet zeros that pad tiles. */
function operand(g: Generator, shape: readonly number[], plain: boolean): Term {
  if (plain) return g.load(shape, 'float32');
  const pool = new Pool(g, shape, 2);
  const grown = pool.grow(g.between(1, 4));
  const float = grown.expr.dtype === 'float32' ? grown : pool.of('float32');
  return pool.clamp(float, -8, 8);
}

/** The kinds that every backend has. */
type Kind = Exclude<Kernel['kind'], 'custom'>;

const generators: Record<Kind, (g: Generator) => Kernel> = {
  map(g) {
    const parts = Array.from({ length: g.chance(0.2) ? g.between(2, 3) : 1 }, (_, i): MapPart => {
      const shape = g.shape();
      const pool = new Pool(g, shape, i === 0 ? 3 : 1);
      if (g.chance(0.3)) pool.terms.push(g.gather(pool));
      const terms = Array.from({ length: i === 0 ? g.between(1, 3) : 1 }, () => pool.grow(g.between(0, 10)));
      return { shape, stores: stores(g, shape, terms) };
    });
    return { kind: 'map', parts, ...g.base() };
  },

  reduce(g) {
    const shape = g.shape(1, 4);
    const all = shape.map((_, axis) => axis);
    const axes = g
      .shuffle(all)
      .slice(0, g.between(1, all.length))
      .sort((a, b) => a - b);
    const terms = axes.reduce((size, axis) => size * (shape[axis] as number), 1);
    const known: Term[] = [];
    const stages = Array.from({ length: g.between(1, 3) }, (_, stage) => {
      const before = [...known];
      return Array.from({ length: g.between(1, 2) }, (): Accumulate => {
        const pool = new Pool(g, shape, stage === 0 ? 1 : 0, before);
        let term = pool.grow(g.below(5));
        while (term.expr.dtype === 'bool') term = pool.of(g.pick(['float32', 'int32']));
        const index = known.length;
        const type = term.expr.dtype;
        const combine = g.pick<Combine>(
          terms === 0 ? ['sum', 'prod', 'max'] : ['sum', 'sum', 'prod', 'max', 'min', 'argmax', 'argmin'],
        );
        if (combine === 'argmax' || combine === 'argmin') {
          const exact = type === 'int32' ? term : pool.exact();
          known.push({ expr: e.acc(index, 'int32'), low: 0, high: terms, fraction: 0 });
          return { combine, expr: exact.expr, dtype: 'int32' };
        }
        if (combine === 'sum') known.push(sumOf(index, term, terms));
        else if (type === 'int32') known.push({ expr: e.acc(index, 'int32'), ...int });
        else if (combine === 'prod') {
          // Factors near 1, so that the product stays in range.
          const near = e.mul(pool.clamp(term, -1, 1).expr, e.constant(Math.fround(0.5 / Math.max(1, terms))));
          known.push(rounded(e.acc(index), 0.5, 2));
          return { combine, expr: e.add(near, e.constant(1)), dtype: type };
        } else known.push({ ...term, expr: e.acc(index) });
        return { combine, expr: term.expr, dtype: type };
      });
    });
    // Of an empty row max is −∞, which has no range: such rows are stored as they are.
    const empty = sizeOf(shape) === 0;
    const rowShape = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const make = (per: RowStore['per']): RowStore[] => {
      const over = per === 'row' ? rowShape : shape;
      const list = empty ? stores(g, over, known.slice(-1)) : epilogue(g, over, known);
      return list.map((store) => ({ ...store, per }));
    };
    const perRow = g.chance(0.7) ? make('row') : [];
    const perElement = perRow.length === 0 || g.chance(0.4) ? make('element') : [];
    return { kind: 'reduce', shape, axes, stages, stores: [...perRow, ...perElement], ...g.base() };
  },

  matmul(g) {
    const batch = Array.from({ length: g.pick([0, 0, 1, 2]) }, () => g.between(1, 3));
    const [m, n, k] = [g.pick(sizes), g.pick(sizes), g.chance(0.05) ? 0 : g.pick([...sizes, 33, 64])];
    const [a, b] = [operand(g, [...batch, m, k], g.chance(0.6)), operand(g, [...batch, k, n], g.chance(0.6))];
    const acc = sumOf(0, { expr: a.expr, ...product(a, b) }, k);
    return {
      kind: 'matmul',
      batch,
      m,
      n,
      k,
      a: a.expr,
      b: b.expr,
      stores: epilogue(g, [...batch, m, n], [acc]),
      ...g.base(),
    };
  },

  conv(g) {
    g.special = false; // 0 · ∞: whether zero padding is multiplied or left out is the backend's affair
    const rank = g.between(1, 3);
    const axes = Array.from({ length: rank }, () => {
      const [kernel, stride, dilation, padding] = [g.between(1, 3), g.between(1, 3), g.between(1, 2), g.below(3)];
      const input = g.between(dilation * (kernel - 1) + 1, [20, 9, 5][rank - 1] as number);
      // Zeros behind: from none to two, or fewer outputs than would fit.
      const fits = Math.floor((input + padding + g.below(3) - dilation * (kernel - 1) - 1) / stride) + 1;
      return { kernel, stride, dilation, padding, input, output: g.chance(0.8) ? fits : Math.max(1, fits - 1) };
    });
    const groups = g.pick([1, 1, 1, 2, 3]);
    const sizes: ConvSizes = {
      n: g.between(1, 2),
      c: groups * g.between(1, 4),
      o: groups * g.between(1, 4),
      groups,
      input: axes.map((axis) => axis.input),
      kernel: axes.map((axis) => axis.kernel),
      output: axes.map((axis) => axis.output),
      stride: axes.map((axis) => axis.stride),
      dilation: axes.map((axis) => axis.dilation),
      padding: axes.map((axis) => axis.padding),
    };
    const direction = g.pick(['forward', 'inputGrad', 'weightGrad'] as const);
    const x = [sizes.n, sizes.c, ...sizes.input];
    const w = [sizes.o, sizes.c / groups, ...sizes.kernel];
    const y = [sizes.n, sizes.o, ...sizes.output];
    const [shapeA, shapeB, shape] = ({ forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] } as const)[
      direction
    ];
    const [a, b] = [operand(g, shapeA, g.chance(0.6)), operand(g, shapeB, g.chance(0.6))];
    const acc = sumOf(0, { expr: a.expr, ...product(a, b) }, sizeOf(shapeA));
    return { kind: 'conv', direction, sizes, a: a.expr, b: b.expr, stores: epilogue(g, shape, [acc]), ...g.base() };
  },

  pool(g) {
    const rank = g.between(1, 3);
    const axes = Array.from({ length: rank }, () => {
      for (;;) {
        const [kernel, stride, dilation] = [g.between(1, 3), g.between(1, 3), g.between(1, 2)];
        const [padding, input] = [g.below(kernel), g.between(1, [20, 9, 5][rank - 1] as number)];
        const output = Math.floor((input + padding + g.below(kernel) - dilation * (kernel - 1) - 1) / stride) + 1;
        const inside = (p: number, r: number) =>
          p * stride + r * dilation - padding >= 0 && p * stride + r * dilation - padding < input;
        const taken = (p: number) => Array.from({ length: kernel }, (_, r) => r).filter((r) => inside(p, r));
        // Every window holds an element: the largest of none has no place.
        if (output < 1 || Array.from({ length: output }, (_, p) => p).some((p) => taken(p).length === 0)) continue;
        return { kernel, stride, dilation, padding, input, output, taken };
      }
    });
    const sizes: PoolSizes = {
      batch: g.between(1, 4),
      input: axes.map((axis) => axis.input),
      kernel: axes.map((axis) => axis.kernel),
      output: axes.map((axis) => axis.output),
      stride: axes.map((axis) => axis.stride),
      dilation: axes.map((axis) => axis.dilation),
      padding: axes.map((axis) => axis.padding),
    };
    const [direction, combine] = [g.pick(['forward', 'backward'] as const), g.pick(['max', 'sum'] as const)];
    const [inputShape, outputShape] = [
      [sizes.batch, ...sizes.input],
      [sizes.batch, ...sizes.output],
    ];
    const forward = direction === 'forward';
    const domain = new Pool(g, forward ? inputShape : outputShape, 2);
    const grown = domain.grow(g.below(3));
    const a =
      combine === 'max' && forward ? domain.exact() : grown.expr.dtype === 'float32' ? grown : domain.of('float32');
    let b: Expr | null = null;
    if (!forward && combine === 'max') {
      const input = g.input('int32', sizeOf(outputShape), 'grid');
      const places = g.data[input] as TypedArray;
      const outputStrides = rowMajor(sizes.output);
      const inputStrides = rowMajor(sizes.input);
      for (let i = 0; i < places.length; i++) {
        places[i] = axes.reduce((place, { taken, stride, dilation, padding, output }, axis) => {
          const p = Math.floor(i / (outputStrides[axis] as number)) % output;
          return place + (p * stride + g.pick(taken(p)) * dilation - padding) * (inputStrides[axis] as number);
        }, 0);
      }
      b = { op: 'load', dtype: 'int32', input, view: contiguous(outputShape), at: null };
    }
    const sum = sumOf(0, a, sizeOf(sizes.kernel));
    const given: Term[] =
      forward && combine === 'max'
        ? [
            { ...a, expr: e.acc(0) },
            { expr: e.acc(1, 'int32'), low: 0, high: sizeOf(sizes.input), fraction: 0 },
          ]
        : [sum];
    const list = epilogue(g, forward ? outputShape : inputShape, given);
    return { kind: 'pool', direction, combine, sizes, a: a.expr, b, stores: list, ...g.base() };
  },

  scatter(g) {
    const [shape, updates] = [g.shape(1, 3), g.shape(0, 3)];
    const type = g.pick<Compute>(['float32', 'float32', 'int32']);
    const combine = g.pick(['assign', 'add', 'mul', 'max', 'min'] as const);
    const over = new Pool(g, updates, 2);
    const at = shape.map((size) => {
      const wide = e.apply('mod', [over.of('int32').expr, e.constant(size + 2, 'int32')]);
      return e.sub(wide, e.constant(1, 'int32'));
    });
    over.grow(g.below(3));
    const from = new Pool(g, shape, 1);
    const init = type === 'float32' && combine === 'mul' ? from.exact() : from.of(type);
    // Powers of two multiply exactly, and cancel on the way.
    const powers = e.select(
      over.of('bool').expr,
      e.constant(-2),
      e.select(over.of('bool').expr, e.constant(0.5), e.constant(1)),
    );
    const value = type === 'float32' && combine === 'mul' ? rounded(powers, -2, 1) : over.of(type);
    // How far a long product runs is not known, so only its clamp goes on.
    const acc = type === 'int32' ? { expr: e.acc(0, 'int32'), ...int } : rounded(e.acc(0), -1e4, 1e4);
    const list = combine === 'mul' ? stores(g, shape, [acc]) : epilogue(g, shape, [acc]);
    return {
      kind: 'scatter',
      shape,
      updates,
      combine,
      init: init.expr,
      at,
      value: value.expr,
      stores: list,
      ...g.base(),
    };
  },

  sort(g) {
    const shape = g.shape(1, 3);
    const axis = g.below(shape.length);
    const size = shape[axis] as number;
    const k = g.chance(0.5) ? size : g.between(Math.min(1, size), size);
    const pool = new Pool(g, shape, 2);
    pool.grow(g.below(3));
    const a = g.chance(0.6) ? pool.exact() : pool.of('int32');
    const kept = shape.map((length, i) => (i === axis ? k : length));
    const place: Term = { expr: e.acc(1, 'int32'), low: 0, high: size, fraction: 0 };
    const list = epilogue(g, kept, [{ ...a, expr: e.acc(0, a.expr.dtype) }, place]);
    return { kind: 'sort', shape, axis, descending: g.chance(0.5), k, a: a.expr, stores: list, ...g.base() };
  },

  scan(g) {
    const shape = g.shape(1, 3);
    const axis = g.below(shape.length);
    const size = shape[axis] as number;
    const pool = new Pool(g, shape, 2);
    pool.grow(g.below(3));
    const combine = g.pick(['sum', 'prod', 'max', 'min'] as const);
    const whole = g.chance(0.3);
    const place: Term = { expr: e.acc(1, 'int32'), low: 0, high: size, fraction: 0 };
    let [a, given]: [Term, Term[]] = [pool.of('int32'), [{ expr: e.acc(0, 'int32'), ...int }, place]];
    if (!whole && combine === 'sum') {
      a = pool.of('float32');
      given = [sumOf(0, a, size)];
    } else if (!whole && combine === 'prod') {
      const near = e.mul(pool.clamp(pool.exact(), -1, 1).expr, e.constant(Math.fround(0.5 / Math.max(1, size))));
      a = rounded(e.add(near, e.constant(1)), 0.5, 1.5);
      given = [rounded(e.acc(0), 0.5, 2)];
    } else if (!whole) {
      a = pool.exact();
      given = [{ ...a, expr: e.acc(0) }, place];
    }
    if (whole && (combine === 'sum' || combine === 'prod')) given = given.slice(0, 1);
    const list = epilogue(g, shape, given);
    return { kind: 'scan', shape, axis, combine, reverse: g.chance(0.5), a: a.expr, stores: list, ...g.base() };
  },
};
const kinds = /* @__PURE__ */ Object.keys(generators) as Kind[];

/** The kernel that a seed names, with inputs; kinds take turns. */
export function randomKernel(seed: number): KernelCase {
  const g = new Generator(seed);
  const kind = g.chance(0.25) ? 'map' : (kinds[seed % kinds.length] as Kind);
  const kernel = generators[kind](g);
  return { title: `random ${kind} ${seed}`, kernel, inputs: g.data, uniforms: g.uniforms };
}
