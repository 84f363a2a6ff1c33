/** The eight kinds of kernel as loops over arrays. Sums are carried in double precision, and rounded once. */
import type * as ir from '@tessera/tensor/backend';
import { BackendError, rowMajor, sizeOf, startOf } from '@tessera/tensor/backend';
import { axesOf, type Writer } from './print';

type Shape = readonly number[];
type Kind<K> = Extract<ir.Kernel, { kind: K }>;
const kinds: { [K in ir.Kernel['kind']]: (kernel: Kind<K>, w: Writer) => void } = {
  ...{ map, reduce, matmul, conv, pool, scatter, sort, scan },
  custom({ name, backend }) {
    throw new BackendError(`scribe: ${name} is code for ${backend}; choose that backend`);
  },
};
export const write = (kernel: ir.Kernel, w: Writer): void => kinds[kernel.kind](kernel as never, w);

const zeros = (w: Writer, shape: Shape): string => w.bind(`new Float64Array(${sizeOf(shape)})`);

/** An expression over a domain, as a row-major array. */
function table(w: Writer, expr: ir.Expr, shape: Shape): string {
  const [name, i] = [zeros(w, shape), w.bind('0', 'let')];
  w.loops(shape, () => w.line(`${name}[${i}++] = ${w.values([expr])[0]};`));
  return name;
}

type Ending = { readonly stores: readonly ir.Store[]; readonly a: ir.Expr };
/** The stores of a kernel whose results are row-major arrays: the first of the type of `a`, the second of places. */
function epilogue(w: Writer, shape: Shape, { stores, a }: Ending, ...results: string[]): void {
  const i = w.bind('0', 'let');
  w.loops(shape, () => {
    const accs = results.map((name) => w.bind(`${name}[${i}]`));
    accs[0] = w.bind(a.dtype === 'float32' ? `fround(${accs[0]})` : `${accs[0]} | 0`);
    w.line(`${i}++;`);
    w.stores(stores, accs);
  });
}

const combined = (how: string, dtype: ir.Compute, a: string, b: string): string => {
  if (how === 'assign') return b;
  if (how === 'max' || how === 'min') return `Math.${how}(${a}, ${b})`;
  if (how === 'sum' || how === 'add') return dtype === 'float32' ? `${a} + ${b}` : `(${a} + ${b}) | 0`;
  return dtype === 'float32' ? `${a} * ${b}` : `Math.imul(${a}, ${b})`;
};
/** NaN takes the place of every number, but not of another NaN. */
const beats = (a: string, b: string, sign: string) => `(${a} ${sign} ${b} || (${a} !== ${a} && ${b} === ${b}))`;

function map({ parts }: ir.MapKernel, w: Writer): void {
  for (const { shape, stores } of parts) w.loops(shape, () => w.stores(stores));
}

function reduce({ shape, axes, stages, stores }: ir.ReduceKernel, w: Writer): void {
  const others = axesOf(shape).filter((axis) => !axes.includes(axis));
  const first = shape.map(() => 1); // a row's own stores are at coordinate 0 of the reduced axes
  const [perElement, perRow] = (['element', 'row'] as const).map((wanted) =>
    stores.filter(({ per }) => per === wanted),
  );
  const accs: string[] = [];
  const row = () => {
    for (const stage of stages) {
      const at = w.bind('0', 'let');
      const made = stage.map(({ combine, dtype }) => {
        return { combine, dtype, acc: w.bind(`${startOf(combine, dtype)}`, 'let'), best: w.bind('0', 'let') };
      });
      const pass = () => {
        const exprs = stage.map(({ expr }) => expr);
        for (const [i, value] of w.values(exprs, accs).entries()) {
          const { combine, dtype, acc, best } = made[i] as (typeof made)[number];
          const better = `${at} === 0 || ${beats(value, best, combine === 'argmax' ? '>' : '<')}`;
          if (combine.startsWith('arg')) w.line(`if (${better}) { ${best} = ${value}; ${acc} = ${at}; }`);
          else w.line(`${acc} = ${combined(combine, dtype, acc, value)};`);
        }
        w.line(`${at}++;`);
      };
      w.loops(shape, pass, axes);
      accs.push(...made.map(({ dtype, acc }) => w.bind(dtype === 'float32' ? `fround(${acc})` : acc)));
    }
    w.loops(shape, () => w.stores(perElement ?? [], accs), axes);
    w.loops(first, () => w.stores(perRow ?? [], accs), axes);
  };
  w.loops(shape, row, others);
}

function matmul(kernel: ir.MatmulKernel, w: Writer): void {
  const { batch, m, n, k } = kernel;
  const [a, b] = [table(w, kernel.a, [...batch, m, k]), table(w, kernel.b, [...batch, k, n])];
  const sum = zeros(w, [...batch, m, n]);
  const step = `${sum}[(z0 * ${m} + z1) * ${n} + z3] += ${a}[(z0 * ${m} + z1) * ${k} + z2] * ${b}[(z0 * ${k} + z2) * ${n} + z3];`;
  w.loops([sizeOf(batch), m, k, n], () => w.line(step), [0, 1, 2, 3], 'z');
  epilogue(w, [...batch, m, n], kernel, sum);
}

/** Loops over windows (p0, p1, …) and places in them (r0, …) that meet an element; their row-major places are p, r, q. */
function windows(w: Writer, sizes: Omit<ir.PoolSizes, 'batch'>, body: () => void): void {
  const { input, kernel, output, stride, dilation, padding } = sizes;
  const linear = (shape: Shape, prefix: string) =>
    shape.reduce((sum, size, i) => `(${sum} * ${size} + ${prefix}${i})`, '0');
  const inner = () => {
    for (const i of axesOf(input)) {
      w.line(`const q${i} = p${i} * ${stride[i]} + r${i} * ${dilation[i]} - ${padding[i]};`);
      w.line(`if (q${i} < 0 || q${i} >= ${input[i]}) continue;`);
    }
    w.line(`const p = ${linear(output, 'p')}, r = ${linear(kernel, 'r')}, q = ${linear(input, 'q')};`);
    body();
  };
  w.loops(output, () => w.loops(kernel, inner, axesOf(kernel), 'r'), axesOf(output), 'p');
}

/** Every direction goes through the same elements of x, w and y that meet. */
function conv(kernel: ir.ConvKernel, w: Writer): void {
  const { n, c, o, groups, input, kernel: taps, output } = kernel.sizes;
  const channels = c / groups;
  const shapes = { x: [n, c, ...input], w: [o, channels, ...taps], y: [n, o, ...output] };
  const roles = { forward: ['x', 'w', 'y'], inputGrad: ['y', 'w', 'x'], weightGrad: ['x', 'y', 'w'] } as const;
  const [left, right, result] = roles[kernel.direction];
  const [l, r, sum] = [table(w, kernel.a, shapes[left]), table(w, kernel.b, shapes[right]), zeros(w, shapes[result])];
  const body = () => {
    w.line(`const w = (z1 * ${channels} + z2) * ${sizeOf(taps)};`);
    w.line(`const channel = Math.floor(z1 / ${o / groups}) * ${channels} + z2;`);
    w.line(`const x = (z0 * ${c} + channel) * ${sizeOf(input)}, y = (z0 * ${o} + z1) * ${sizeOf(output)};`);
    const at = { x: 'x + q', w: 'w + r', y: 'y + p' };
    windows(w, kernel.sizes, () => w.line(`${sum}[${at[result]}] += ${l}[${at[left]}] * ${r}[${at[right]}];`));
  };
  w.loops([n, o, channels], body, [0, 1, 2], 'z');
  epilogue(w, shapes[result], kernel, sum);
}

function pool(kernel: ir.PoolKernel, w: Writer): void {
  const { direction, combine, sizes, a, b } = kernel;
  const over = { input: [sizes.batch, ...sizes.input], output: [sizes.batch, ...sizes.output] };
  const [from, to] = direction === 'forward' ? [over.input, over.output] : [over.output, over.input];
  const [values, saved] = [table(w, a, from), b && table(w, b, over.output)];
  const [result, places] = [zeros(w, to), zeros(w, to)];
  w.line(`${places}.fill(-1);`);
  if (direction === 'forward' && combine === 'max') w.line(`${result}.fill(${startOf('max', a.dtype)});`);
  const [x, y] = [`[z0 * ${sizeOf(sizes.input)} + q]`, `[z0 * ${sizeOf(sizes.output)} + p]`];
  const better = `${places}${y} === -1 || ${beats(values + x, result + y, '>')}`;
  const step = {
    'forward max': `if (${better}) { ${result}${y} = ${values}${x}; ${places}${y} = q; }`,
    'forward sum': `${result}${y} += ${values}${x};`,
    'backward max': `if (${saved}${y} === q) ${result}${x} += ${values}${y};`,
    'backward sum': `${result}${x} += ${values}${y};`,
  }[`${direction} ${combine}` as const];
  w.loops([sizes.batch], () => windows(w, sizes, () => w.line(step)), [0], 'z');
  epilogue(w, to, kernel, result, places);
}

function scatter({ shape, updates, combine, init, at, value, stores }: ir.ScatterKernel, w: Writer): void {
  const [result, strides] = [table(w, init, shape), rowMajor(shape)];
  w.loops(updates, () => {
    const [update, ...coords] = w.values([value, ...at]) as [string, ...string[]];
    const inside = coords.map((c, axis) => ` && ${c} >= 0 && ${c} < ${shape[axis]}`).join('');
    const element = `${result}[0${coords.map((c, axis) => ` + ${c} * ${strides[axis]}`).join('')}]`;
    w.line(`if (true${inside}) ${element} = ${combined(combine, init.dtype, element, update)};`);
  });
  epilogue(w, shape, { stores, a: init }, result);
}

/** Loops over the rows along an axis: `first` is where a row begins in a row-major array, its elements are `step` apart. */
function rows(w: Writer, shape: Shape, axis: number, body: (step: number) => void): void {
  const step = sizeOf(shape.slice(axis + 1));
  const inner = () => {
    w.line(`const first = z0 * ${(shape[axis] as number) * step} + z1;`);
    body(step);
  };
  w.loops([sizeOf(shape.slice(0, axis)), step], inner, [0, 1], 'z');
}

function sort(kernel: ir.SortKernel, w: Writer): void {
  const { shape, axis, descending, k } = kernel;
  const kept = shape.map((size, i) => (i === axis ? k : size));
  const [from, values, places] = [table(w, kernel.a, shape), zeros(w, kept), zeros(w, kept)];
  rows(w, shape, axis, (step) => {
    const at = (i: string) => `${from}[first + ${i} * ${step}]`;
    w.line(`const order = Array.from({ length: ${shape[axis]} }, (_, i) => i).sort((i, j) => {`);
    w.line(descending ? `const x = ${at('j')}, y = ${at('i')};` : `const x = ${at('i')}, y = ${at('j')};`);
    w.line('return (x !== x) - (y !== y) || (x > y) - (x < y) || i - j; });');
    w.line(`for (let i = 0; i < ${k}; i++) { const to = (z0 * ${k} + i) * ${step} + z1;`);
    w.line(`${values}[to] = ${at('order[i]')}; ${places}[to] = order[i]; }`);
  });
  epilogue(w, kept, kernel, values, places);
}

function scan(kernel: ir.ScanKernel, w: Writer): void {
  const { shape, axis, combine, reverse, a } = kernel;
  const [values, places, size] = [table(w, a, shape), zeros(w, shape), shape[axis] as number];
  rows(w, shape, axis, (step) => {
    w.line(`for (let i = 0, running = 0, from = 0; i < ${size}; i++) {`);
    w.line(`const position = ${reverse ? `${size - 1} - i` : 'i'}, place = first + position * ${step};`);
    w.line(`const value = ${values}[place];`);
    w.line(`running = i === 0 ? value : ${combined(combine, a.dtype, 'running', 'value')};`);
    w.line('if (value === running || value !== value) from = position;'); // the last of equals
    w.line(`${values}[place] = running; ${places}[place] = from; }`);
  });
  epilogue(w, shape, kernel, values, places);
}
