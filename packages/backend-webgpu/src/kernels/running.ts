/**
 * What a reduction has so far, in variables of the shader: how it takes elements, and how two of them become one. Two stages,
 * Σx and then Σ(x − mean)², are one where the row is read from memory: parts of a row have sums, squares about their own mean,
 * and counts, and join by Q = Q₁ + Q₂ + (m₂ − m₁)²·n₁n₂/(n₁ + n₂) (Chan, Golub and LeVeque 1979), in which nothing cancels.
 */
import { type Accumulate, type Compute, type Expr, expr as e } from '@tessera/tensor/backend';
import { beats, type Carried, carriedAs, fromCarried, join, start, toCarried } from '../accumulate';
import type { Block } from '../shader';

/** A variable. */
export interface Part {
  readonly name: string;
  readonly type: Carried;
}
export interface Running {
  readonly parts: readonly Part[];
  /** Over the elements of a row; in the order in which `take` gets their values. */
  readonly exprs: readonly Expr[];
  declare(block: Block): void;
  /** Takes the elements that follow each other from `position` on, each at a block of its own. */
  take(elements: readonly Block[], exprs: readonly Expr[], position: string): void;
  /** Joins what other elements gave. */
  merge(block: Block, other: (part: Part) => string): void;
}

/** Accumulator `index`, as expressions read it. */
export const reading = (index: number, { combine, dtype }: Accumulate): string =>
  combine.startsWith('arg') ? `max(position${index}, 0i)` : fromCarried(`acc${index}`, dtype);

export const runningOf = (index: number, accumulate: Accumulate): Running =>
  accumulate.combine === 'argmax' || accumulate.combine === 'argmin'
    ? place(index, accumulate, accumulate.combine === 'argmax' ? 'max' : 'min')
    : plain(index, accumulate);

const pairwise = (values: readonly string[], two: (a: string, b: string) => string): string => {
  const [first = '', ...rest] = values;
  if (rest.length === 0) return first;
  const half = values.length / 2;
  return two(`(${pairwise(values.slice(0, half), two)})`, `(${pairwise(values.slice(half), two)})`);
};

function plain(index: number, { combine, dtype, expr }: Accumulate): Running {
  const [name, type] = [`acc${index}`, carriedAs(dtype)];
  const joined = (block: Block) => join(combine as 'sum' | 'prod' | 'max' | 'min', type, block.shader);
  return {
    parts: [{ name, type }],
    exprs: [e.cast(expr, dtype)],
    declare: (block) => block.line(`var ${name}: ${type} = ${start(combine, dtype, block.shader)};`),
    take(elements, [expr], _position) {
      const block = elements[0] as Block;
      const values = elements.map((element) => toCarried(element.value(expr as Expr), dtype));
      block.line(`${name} = ${joined(block)(name, pairwise(values, joined(block)))};`);
    },
    merge: (block, other) => block.line(`${name} = ${joined(block)(name, other({ name, type }))};`),
  };
}

/** The best value, and its position: −1 while there is none. */
function place(index: number, { expr }: Accumulate, combine: 'max' | 'min'): Running {
  const type = carriedAs(expr.dtype);
  const [best, where] = [
    { name: `acc${index}`, type },
    { name: `position${index}`, type: 'i32' as const },
  ];
  return {
    parts: [best, where],
    exprs: [expr],
    declare(block) {
      block.line(`var ${best.name}: ${type} = ${start(combine, expr.dtype, block.shader)};`);
      block.line(`var ${where.name} = -1i;`);
    },
    take(elements, [expr], position) {
      elements.forEach((element, k) => {
        const value = element.bind(toCarried(element.value(expr as Expr), (expr as Expr).dtype));
        const better = beats(combine, type, element.shader)(value, best.name);
        const at = `i32(${position}${k ? ` + ${k}u` : ''})`;
        element.line(`if (${where.name} < 0i || ${better}) { ${best.name} = ${value}; ${where.name} = ${at}; }`);
      });
    },
    merge(block, other) {
      const better = beats(combine, type, block.shader);
      const [value, position] = [block.bind(other(best)), block.bind(other(where))];
      const [mine, its] = [best.name, where.name];
      const tie = `(${position} < ${its} && !${better(mine, value)})`;
      block.line(
        `if (${position} >= 0i && (${its} < 0i || ${better(value, mine)} || ${tie})) { ${mine} = ${value}; ${its} = ${position}; }`,
      );
    },
  };
}

/** Σx as accumulator `sum` and Σ(x − mean)² as accumulator `squares`. */
export function moments(sum: number, squares: number, expr: Expr): Running {
  const [total, about, count] = [`acc${sum}`, `acc${squares}`, `count${sum}`];
  const parts = [total, about, count].map((name): Part => ({ name, type: 'f32' }));
  const joining = (block: Block, s: string, q: string, n: string) => {
    const apart = block.bind(`${s} / max(${n}, 1.0f) - ${total} / max(${count}, 1.0f)`);
    block.line(
      `${about} += ${q} + ${apart} * ${apart} * (${count} * ${n} / max(${count} + ${n}, 1.0f));`,
      `${total} += ${s};`,
      `${count} += ${n};`,
    );
  };
  return {
    parts,
    exprs: [expr],
    declare: (block) => block.line(...parts.map(({ name }) => `var ${name} = 0.0f;`)),
    take(elements, [expr]) {
      const block = elements[0] as Block;
      const values = elements.map((element) => element.value(expr as Expr));
      if (values.length === 1) return joining(block, values[0] as string, '0.0f', '1.0f');
      const vector = block.bind(`vec4<f32>(${values.join(', ')})`);
      const s = block.bind(
        pairwise([`${vector}.x`, `${vector}.y`, `${vector}.z`, `${vector}.w`], (a, b) => `${a} + ${b}`),
      );
      const off = block.bind(`${vector} - vec4<f32>(${s} * 0.25f)`);
      joining(block, s, `dot(${off}, ${off})`, '4.0f');
    },
    merge(block, other) {
      const [s, q, n] = parts.map((part) => block.bind(other(part))) as [string, string, string];
      joining(block, s, q, n);
    },
  };
}

/** Stages in turn, as they are run over rows of so many elements. */
export function runningStages(
  stages: readonly (readonly Accumulate[])[],
  length: number,
  onePass: boolean,
): Running[][] {
  const all = stages.flat();
  let index = 0;
  const made = stages.map((stage) => stage.map((one) => ({ ...runningOf(index, one), index: index++, one })));
  for (let s = 1; onePass && s < made.length; s++) {
    const pairs = (made[s] ?? []).map(({ index, one }) => ({ squares: index, sum: meanUnder(one, all, length) }));
    const before = made[s - 1] as (typeof made)[number];
    const sums = new Set(pairs.map(({ sum }) => sum));
    if (sums.size < pairs.length || pairs.some(({ sum }) => !before.some((one) => one.index === sum))) continue;
    made[s - 1] = before.map((one) => {
      const pair = pairs.find(({ sum }) => sum === one.index);
      return pair ? { ...one, ...moments(one.index, pair.squares, one.one.expr) } : one;
    });
    made.splice(s, 1);
  }
  return made;
}

/** The sum Σx of which the accumulator is Σ(x − Σx/length)²; −1 where it is something else. */
export function meanUnder({ combine, expr }: Accumulate, all: readonly Accumulate[], length: number): number {
  const [a, b] = partsOf(expr, 'mul');
  const [x, mean] = a === b ? partsOf(a, 'sub') : [];
  const scaled = mean?.op === 'apply' && (mean.fn === 'div' || mean.fn === 'mul') ? mean : null;
  const [acc, scale] = scaled?.args ?? [];
  if (combine !== 'sum' || acc?.op !== 'acc' || scale?.op !== 'const') return -1;
  const count = scaled?.fn === 'div' ? scale.value : 1 / scale.value;
  const sum = all[acc.index] as Accumulate;
  const same = sum.combine === 'sum' && sum.expr === x && isFloat(sum.dtype) && isFloat(sum.expr.dtype);
  return same && Math.abs(count / length - 1) < 1e-6 ? acc.index : -1;
}
const isFloat = (dtype: Compute) => dtype === 'float32';
const partsOf = (expr: Expr | undefined, fn: 'mul' | 'sub'): readonly Expr[] =>
  expr?.op === 'apply' && expr.fn === fn ? expr.args : [];
