/** The text of an expression's function in a shading language, from the tables that a backend brings. */
import { type Apply, type Compute, type ExprOp, exprOps } from '../ir';
import { type FormulaOp, formulaOf } from './formulas';

/** How a function is said: from the texts of its arguments, or by a call to a function that the shader then carries. */
export type Row<Name extends string> = ((...args: string[]) => string) | { readonly call: Name };

type Casts<Name extends string> = Readonly<Record<Compute, Readonly<Record<Compute, Row<Name>>>>>;

/** What a language says of itself; an operation with a formula (`formulas.ts`) needs no row. */
export interface Language<Name extends string> {
  /** On floats, or on whatever the function takes. */
  readonly floats: Readonly<
    Record<Exclude<ExprOp, FormulaOp | 'cast' | 'bits'>, Row<Name>> & Partial<Record<FormulaOp, Row<Name>>>
  >;
  /** What differs on int32. */
  readonly integers: Readonly<Partial<Record<ExprOp, Row<Name>>>>;
  /** What differs on bool; all other functions take it as 0 and 1 of int32. */
  readonly bools: Readonly<Partial<Record<ExprOp, Row<Name>>>>;
  /** From, to. */
  readonly casts: Casts<Name>;
  readonly bits: Casts<Name>;
}

/** The text of `expr` over the texts of its arguments; `use` is told which functions it calls. */
export function printApply<Name extends string>(
  { floats, integers, bools, casts, bits }: Language<Name>,
  {
    fn,
    dtype,
    args: operands,
  }: Pick<Apply, 'fn' | 'dtype'> & { readonly args: readonly { readonly dtype: Compute }[] },
  args: readonly string[],
  use: (name: Name) => string,
): string {
  const from = operands[operands.length - 1]?.dtype ?? dtype;
  const show = (row: Row<Name>, texts = args): string =>
    typeof row === 'function' ? row(...texts) : `${use(row.call)}(${texts.join(', ')})`;
  const general = (floats as Partial<Record<ExprOp, Row<Name>>>)[fn] ?? { call: formulaOf(fn) as string as Name };
  if (fn === 'cast') return show(casts[from][dtype]);
  if (fn === 'bits') return show(bits[from][dtype]);
  if (from === 'float32') return show(general);
  const whole = integers[fn] ?? general;
  if (from === 'int32') return show(whole);
  const row = bools[fn];
  if (row) return show(row);
  const text = show(
    whole,
    args.map((arg) => show(casts.bool.int32, [arg])),
  );
  return exprOps[fn][1] === 'same' ? show(casts.int32.bool, [`(${text})`]) : text;
}
