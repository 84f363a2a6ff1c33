/** Expressions as JavaScript text. A coordinate is the variable c0, c1, …; a node that is shared becomes one constant. */
import type * as ir from '@tessera/tensor/backend';
import { functionOf } from '@tessera/tensor/backend';

/** What JavaScript writes between two numbers. On int32 only comparisons and bits: the others wrap, and are functions. */
const infix: Partial<Record<ir.ExprOp, string>> = {
  ...{ add: '+', sub: '-', mul: '*', div: '/' },
  ...{ and: '&', or: '|', xor: '^', shl: '<<', shr: '>>' },
  ...{ eq: '===', ne: '!==', lt: '<', le: '<=', gt: '>', ge: '>=' },
};
const wraps: readonly ir.ExprOp[] = ['add', 'sub', 'mul', 'div'];

/** A value of dtype float32 is rounded after every function, a bool is 0 or 1. */
const narrow = (dtype: ir.Compute, text: string) =>
  ({ float32: `fround(${text})`, int32: `(${text} | 0)`, bool: `+(${text})` })[dtype];

export const axesOf = (shape: readonly number[]): number[] => shape.map((_, axis) => axis);

/** The lines of one kernel's function, as they are written. */
export class Writer {
  readonly lines: string[] = [];
  /** What the text calls as `f[i]`. */
  readonly functions: ir.Fn[] = [];
  readonly kernel: ir.Kernel;
  private names = 0;

  constructor(kernel: ir.Kernel) {
    this.kernel = kernel;
  }

  line(text: string): void {
    this.lines.push(text);
  }
  /** A constant, or a variable, with this value at first; its name. */
  bind(text: string, how: 'const' | 'let' = 'const'): string {
    const name = `v${this.names++}`;
    this.line(`${how} ${name} = ${text};`);
    return name;
  }
  /** Loops over these axes of a shape round the lines that `body` writes. */
  loops(shape: readonly number[], body: () => void, axes: readonly number[] = axesOf(shape), prefix = 'c'): void {
    for (const at of axes) this.line(`for (let ${prefix}${at} = 0; ${prefix}${at} < ${shape[at]}; ${prefix}${at}++) {`);
    body();
    this.line('}'.repeat(axes.length));
  }

  /** The values of expressions at the present coordinates, each node of them computed once. `accs` are the names of `acc`. */
  values(exprs: readonly ir.Expr[], accs: readonly string[] = []): string[] {
    const known = new Map<ir.Expr, string>();
    const value = (expr: ir.Expr): string => {
      let name = known.get(expr);
      if (name === undefined) {
        name = this.print(expr, accs, value);
        if (expr.op === 'load' || expr.op === 'apply') name = this.bind(name);
        known.set(expr, name);
      }
      return name;
    };
    return exprs.map(value);
  }

  private print(expr: ir.Expr, accs: readonly string[], value: (expr: ir.Expr) => string): string {
    switch (expr.op) {
      case 'const':
        return narrow(expr.dtype, Object.is(expr.value, -0) ? '-0' : String(expr.value));
      case 'uniform':
        return narrow(expr.dtype, `uniforms[${expr.index}]`);
      case 'index':
        return `c${expr.axis}`;
      case 'acc':
        return accs[expr.index] as string;
      case 'load':
        return this.load(expr, value);
      case 'apply': {
        const args = expr.args.map(value);
        const operand = expr.args.at(-1)?.dtype ?? 'float32';
        const between = operand === 'int32' && wraps.includes(expr.fn) ? undefined : infix[expr.fn];
        if (between) return narrow(expr.dtype, args.join(` ${between} `));
        const i = this.functions.push(functionOf(expr.fn, operand, expr.dtype)) - 1;
        return narrow(expr.dtype, `f[${i}](${args})`);
      }
      default:
        return expr satisfies never;
    }
  }

  private load({ input, view, at }: ir.Load, value: (expr: ir.Expr) => string): string {
    const coords = view.shape.map((_, axis) => (at ? value(at[axis] as ir.Expr) : `c${axis}`));
    const inside = coords.flatMap((c, axis) => {
      const size = view.shape[axis] as number;
      const [low, high] = view.valid?.[axis] ?? [0, size];
      return at || low > 0 || high < size ? [`${c} >= ${low} && ${c} < ${Math.min(high, size)}`] : [];
    });
    const element = `in${input}[${place(coords, view.strides, view.offset)}]`;
    return inside.length ? `${inside.join(' && ')} ? ${element} : 0` : element;
  }

  /** Writes the stores at the present coordinates: all values first, for an output may be the buffer of an input. */
  stores(stores: readonly ir.Store[], accs: readonly string[] = []): void {
    const exprs = stores.map(({ expr }) => expr);
    for (const [i, value] of this.values(exprs, accs).entries()) {
      const { output, view } = stores[i] as ir.Store;
      const coords = axesOf(view.shape).map((axis) => `c${axis}`);
      const half = this.kernel.outputs[output]?.dtype === 'float16'; // the typed array does the rest
      this.line(`out${output}[${place(coords, view.strides, view.offset)}] = ${half ? `half(${value})` : value};`);
    }
  }
}

const place = (coords: readonly string[], strides: readonly number[], offset: number): string =>
  [offset, ...coords.map((c, axis) => `${c} * ${strides[axis]}`)].join(' + ');
