/** Tables: what an expression, or a loop, leaves over a shape for the draws that come after, and how stores read it. */
import { type Compute, type Expr, rowMajor, sizeOf, type View } from '@tessera/tensor/backend';
import { Block } from './block';
import { texelsOf } from './layout';
import { atElement, atTexel, type Cursor } from './place';
import type { Ref, Shader } from './shader';
import { type Build, type Core, lanesOf, sideBySide } from './stores';

/** Tables over a shape: `body` writes what is computed at the cursor, and gives one text a table. */
export function tablePass(
  build: Build,
  title: string,
  shape: readonly number[],
  tables: readonly Ref[],
  body: (shader: Shader, at: Cursor & { readonly linear?: string }) => readonly string[],
): void {
  if (sizeOf(shape) === 0) return;
  const shader = build.shader(title);
  lanesOf(shader, tables.length, (put) => {
    const at = atElement(shader, shape);
    shader.line(`${at.name}(first() + lane);`);
    for (const [k, text] of body(shader, at).entries()) put(k, text);
  });
  build.steps.push(shader.pass(tables, texelsOf(sizeOf(shape))));
}

/** An expression over a domain, as a row-major table: floats, words, or bools as 0 and 1. */
export function tabulate(build: Build, title: string, expr: Expr, shape: readonly number[]): Ref {
  const table = build.temporary(sizeOf(shape));
  if (!sideBySide([expr], sizeOf(shape))) {
    tablePass(build, title, shape, [table], (shader, at) =>
      new Block(shader, build.kernel, at).stored(expr, expr.dtype),
    );
  } else if (sizeOf(shape) > 0) {
    const shader = build.shader(title);
    const texts = new Block(shader, build.kernel, atTexel(shader, shape)).stored(expr, expr.dtype);
    shader.line(`return [${texts.join(', ')}];`);
    build.steps.push(shader.pass([table], texelsOf(sizeOf(shape))));
  }
  return table;
}

/** How stores read results that lie in tables over `shape`, of which a domain may be larger along axes where shape has 1. */
export const fromTables =
  (build: Build, shape: readonly number[], tables: readonly { readonly ref: Ref; readonly dtype: Compute }[]): Core =>
  (shader, place, domain) => {
    const block = new Block(shader, build.kernel, place);
    const known = new Map<number, readonly string[]>();
    const view: View = {
      shape: domain,
      strides: rowMajor(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride)),
      offset: 0,
      valid: null,
    };
    return (index) => {
      const { ref, dtype } = tables[index] as (typeof tables)[number];
      const texts =
        known.get(index) ??
        block.table(ref, dtype, view).map((text) => (dtype === 'bool' ? shader.bind(`${text} > 0.5`) : text));
      known.set(index, texts);
      return texts;
    };
  };
