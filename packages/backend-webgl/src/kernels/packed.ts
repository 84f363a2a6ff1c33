/**
 * Products on packed texels. A fragment makes a block of 4 × 4 results and writes it to four textures, a row each:
 *
 *            ┌ j ┐        for each four terms k:  4 texels of A, 4 texels of B, 64 multiplications.
 *          k │ B │        A texel holds four neighbours along k or along i, one of B along k or along j,
 *            ├───┤        whichever lies together in memory already.
 *    ┌─k─┐   │▒▒▒│ → row0
 *  i │ A │   │▒▒▒│ → row1      The stores read the four textures as one table.
 *    └───┘   │▒▒▒│ → row2
 *            └───┘ → row3
 */
import { type Expr, isContiguous, rowMajor, sizeOf, type View } from '@tessera/tensor/backend';
import { Block } from '../block';
import { quotient, remainder } from '../division';
import { texelsOf } from '../layout';
import { atElement, atTexel, type Cursor, type Place } from '../place';
import type { Ref, Shader } from '../shader';
import { type Build, type Core, lanesOf, sideBySide } from '../stores';

/** Up to a multiple of four. */
export const four = (size: number): number => Math.ceil(size / 4) * 4;

/**
 * An operand with its axes in another order, the last of them padded with zeros to whole texels. No draw where it lies so
 * already.
 */
export function pack(build: Build, title: string, expr: Expr, shape: readonly number[], order: readonly number[]): Ref {
  const turned = order.map((axis) => shape[axis] as number);
  const last = turned.at(-1) as number;
  if (expr.op === 'load' && expr.at === null && last % 4 === 0 && isContiguous(reorder(expr.view, order))) {
    if (build.kernel.inputs[expr.input]?.dtype === 'float32') return { of: 'input', index: expr.input };
  }
  const padded = [...turned.slice(0, -1), four(last)];
  const table = build.temporary(sizeOf(padded));
  const shader = build.shader(`${title}, packed [${padded}]`);
  const own = (place: Place): Place => ({
    ...place,
    coord: (axis, lane) => place.coord(order.indexOf(axis), lane),
    shared: (axis) => place.shared(order.indexOf(axis)),
  });
  /** Behind the end there is nothing, whatever the expression makes of it. */
  const inside = (text: string, place: Place, lane: number): string => {
    if (last % 4 === 0) return text;
    const name = shader.name('real');
    shader.native(name, [], 'Boolean', `bool ${name}() { return ${place.coord(order.length - 1, lane)} < ${last}; }`);
    return shader.bind(`(${name}() ? ${text} : 0.0)`);
  };
  if (sideBySide([expr], sizeOf(padded))) {
    const { texel: _, linear: __, aligned: ___, ...place } = atTexel(shader, padded);
    const texts = new Block(shader, build.kernel, own(place)).stored(expr, 'float32');
    shader.line(`return [${texts.map((text, lane) => inside(text, place, lane)).join(', ')}];`);
  } else {
    lanesOf(shader, 1, (put) => {
      const { name, linear: _, ...place } = atElement(shader, padded) as Cursor & { name: string; linear?: string };
      shader.line(`${name}(first() + lane);`);
      const [text] = new Block(shader, build.kernel, own(place)).stored(expr, 'float32');
      put(0, inside(text as string, place, 0));
    });
  }
  build.steps.push(shader.pass([table], texelsOf(sizeOf(padded))));
  return table;
}

const reorder = (view: View, order: readonly number[]): View => ({
  shape: order.map((axis) => view.shape[axis] as number),
  strides: order.map((axis) => view.strides[axis] as number),
  offset: view.offset,
  valid: view.valid && order.map((axis) => view.valid?.[axis] as readonly [number, number]),
});

/** Results in four textures: row i stands in texture i & 3, at texel (i / 4) · columns / 4 + j / 4. */
export interface Blocks {
  readonly tables: readonly Ref[];
  /** A multiple of four. */
  readonly columns: number;
}

/**
 * One draw of blocks. `body` writes GLSL statements that add to the vec4 row0 … row3 of the block at row `i` and column `j`,
 * which are multiples of four.
 */
export function blocks(
  build: Build,
  title: string,
  rows: number,
  columns: number,
  body: (shader: Shader) => readonly string[],
): Blocks {
  const [wide, high] = [four(columns) / 4, four(rows) / 4];
  const shader = build.shader(`${title}, blocks of 4 × 4`);
  const names = [0, 1, 2, 3].map((k) => `row${k}`);
  shader.declare(`vec4 ${names.join(', ')};`);
  const lines = body(shader);
  shader.native(
    'multiply',
    [],
    'Number',
    `float multiply() {
int i = ${quotient('texel()', wide, wide * high)} * 4;
int j = ${remainder('texel()', wide, wide * high)} * 4;
${names.map((name) => `${name} = vec4(0.0);`).join(' ')}
${lines.join('\n')}
return 0.0;
}`,
  );
  for (const name of names) shader.native(`got${name}`, [], 'Array(4)', `vec4 got${name}() { return ${name}; }`);
  shader.line('multiply();', ...names.slice(1).map((name, k) => `output${k + 1}(got${name}());`), 'return gotrow0();');
  const tables = names.map(() => build.temporary(wide * high * 4));
  build.steps.push(shader.pass(tables, wide * high));
  return { tables, columns: wide * 4 };
}

/**
 * How stores read blocks: `row` and `column` give the result's place in terms of a domain's coordinates.
 * @param together do neighbours along the domain's last axis that is longer than one stand in one texel?
 */
export const fromBlocks =
  (
    { tables, columns }: Blocks,
    row: (coord: (axis: number) => string) => string,
    column: typeof row,
    together: boolean,
  ): Core =>
  (shader, place) => {
    let known: readonly string[] | undefined;
    return () => {
      if (known) return known;
      const samplers = tables.map((table) => shader.sampler(table));
      const name = shader.name('result');
      const at = (lane: number) => {
        const coord = (axis: number) => place.coord(axis, lane);
        return `${row(coord)}, ${column(coord)}`;
      };
      if (place.lanes === 4 && place.aligned && together) {
        const pick = samplers.slice(0, 3).map((sampler, k) => `if (r == ${k}) return ${sampler}_texel(t);`);
        shader.declare(
          `vec4 ${name}_at(int i, int j) { int t = (i >> 2) * ${columns / 4} + (j >> 2); int r = i & 3; ${pick.join(' ')} return ${samplers[3]}_texel(t); }`,
        );
        shader.native(name, [], 'Array(4)', `vec4 ${name}() { return ${name}_at(${at(0)}); }`);
        const bound = shader.bind(`${name}()`, 'y');
        known = [0, 1, 2, 3].map((lane) => `${bound}[${lane}]`);
        return known;
      }
      const pick = samplers.slice(0, 3).map((sampler, k) => `if (r == ${k}) return ${sampler}(e);`);
      shader.declare(
        `float ${name}_at(int i, int j) { int e = (i >> 2) * ${columns} + j; int r = i & 3; ${pick.join(' ')} return ${samplers[3]}(e); }`,
      );
      const lanes = Array.from({ length: place.lanes }, (_, lane) => {
        shader.native(`${name}_${lane}`, [], 'Number', `float ${name}_${lane}() { return ${name}_at(${at(lane)}); }`);
        return shader.bind(`${name}_${lane}()`, 'y');
      });
      known = lanes;
      return known;
    };
  };

/** Does an operand lie along its axis `axis` rather than along the one after or before it? */
export function liesAlong(expr: Expr, axis: number, other: number): boolean {
  if (expr.op === 'load' && expr.at === null) return expr.view.strides[axis] === 1 && expr.view.strides[other] !== 1;
  return expr.op === 'apply' && expr.args.some((arg) => liesAlong(arg, axis, other));
}

/** The row-major position of coordinates `axes` of a shape. */
export const linear = (coord: (axis: number) => string, shape: readonly number[], axes: readonly number[]): string => {
  const sizes = axes.map((axis) => shape[axis] as number);
  const terms = axes.flatMap((axis, k) => (shape[axis] === 1 ? [] : [`${coord(axis)} * ${rowMajor(sizes)[k]}`]));
  return terms.length ? `(${terms.join(' + ')})` : '0';
};
