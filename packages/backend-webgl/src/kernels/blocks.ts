/**
 * Products on packed texels. A fragment makes a block of 4 × 4 results, or 8 × 4, and writes it to as many layers, a row each:
 *
 *            ┌ j ┐        for each four terms k:  4 texels of A, 4 texels of B, 64 multiplications.
 *          k │ B │        A texel holds four neighbours along k or along i, one of B along k or along j,
 *            ├───┤        whichever lies together in memory already.
 *    ┌─k─┐   │▒▒▒│ → row0
 *  i │ A │   │▒▒▒│ → row1      The stores read the layers as one table.
 *    └───┘   │▒▒▒│ → row2
 *            └───┘ → row3      Few blocks are made in slices, of some terms each, that the stores add.
 */
import { rowMajor } from '@tessera/tensor/backend';
import { quotient, remainder, type Sizes } from '../division';
import type { Coords } from '../place';
import type { Ref, Shader } from '../shader';
import type { Build, Core } from '../stores';
import { four } from './packed';

/** Rows of a block: eight where there are targets for them. */
export const heightOf = ({ targets }: Build, rows: number): 4 | 8 =>
  targets >= 8 && (rows >= 32 || rows % 8 === 0) ? 8 : 4;

/** Results in as many layers as a block has rows: row i in layer i mod height, at texel (i / height) · columns / 4 + j / 4. */
export interface Blocks {
  readonly table: Ref;
  readonly height: 4 | 8;
  /** A multiple of four. */
  readonly columns: number;
  /** Layers hold so many summands one after the other, of so many texels each. */
  readonly slices: number;
  readonly texels: number;
}

/** Fragments that are worth their start: fewer blocks are cut into slices, of at least so many turns of their loop. */
const [enough, least] = [2048, 8];

function slicesOf(fragments: number, turns: number): number {
  const most = Math.min(Math.ceil(enough / fragments), Math.floor(turns / least));
  for (let slices = most; slices > 1; slices--) if (turns % slices === 0) return slices;
  return 1;
}

/**
 * One draw of blocks. `body` writes GLSL statements that add to the vec4 row0, row1, … of the block at row `i` and column `j`,
 * multiples of `height` and of four: the terms of `count` turns from turn `first` (a GLSL int) on.
 */
export function blocks(
  build: Build,
  title: string,
  { rows, columns, height, turns }: { rows: number; columns: number; height: 4 | 8; turns: number },
  body: (shader: Shader, count: number) => readonly string[],
): Blocks {
  const [wide, high] = [four(columns) / 4, Math.ceil(rows / height)];
  const texels = wide * high;
  const slices = slicesOf(texels, turns);
  const shader = build.shader(`${title}, blocks of ${height} × 4${slices > 1 ? ` in ${slices} slices` : ''}`);
  const names = Array.from({ length: height }, (_, k) => `row${k}`);
  shader.declare(`vec4 ${names.join(', ')};`);
  const lines = body(shader, turns / slices);
  const at = slices > 1 ? remainder(shader.sizes, 'texel()', texels, texels * slices) : 'texel()';
  shader.native(
    'multiply',
    [],
    'Number',
    `float multiply() {
int t = ${at};
int i = ${quotient(shader.sizes, 't', wide, texels)} * ${height};
int j = ${remainder(shader.sizes, 't', wide, texels)} * 4;
int first = ${slices > 1 ? `${quotient(shader.sizes, 'texel()', texels, texels * slices)} * ${turns / slices}` : '0'};
${names.map((name) => `${name} = vec4(0.0);`).join(' ')}
${lines.join('\n')}
return 0.0;
}`,
  );
  for (const name of names) shader.native(`got${name}`, [], 'Array(4)', `vec4 got${name}() { return ${name}; }`);
  shader.line('multiply();', ...names.slice(1).map((name, k) => `output${k + 1}(got${name}());`), 'return gotrow0();');
  const table = build.temporary(texels * slices * 4, height);
  build.steps.push(shader.pass([table], texels * slices, false, height));
  return { table, height, columns: wide * 4, slices, texels };
}

/**
 * How stores read blocks: `row` and `column` give the result's place in terms of a domain's coordinates, and of sizes as they stand there.
 * @param together do neighbours along the domain's last axis that is longer than one stand in one texel?
 */
export const fromBlocks =
  (
    { table, height, columns, slices, texels }: Blocks,
    row: (sizes: Sizes) => (coord: Coords) => string,
    column: typeof row,
    together: boolean,
  ): Core =>
  (shader, place) => {
    let known: readonly string[] | undefined;
    const shift = Math.log2(height);
    return () => {
      if (known) return known;
      const sampler = shader.layers(table);
      const name = shader.name('result');
      const { sizes } = place;
      const [rowAt, columnAt] = [row(sizes), column(sizes)];
      const at = (lane: number) => {
        const coord = (axis: number) => place.coord(axis, lane);
        return `${rowAt(coord)}, ${columnAt(coord)}`;
      };
      const whole = place.lanes === 4 && place.aligned && together;
      const [type, call] = whole ? ['vec4', '_texel'] : ['float', ''];
      const line = sizes.int(whole ? columns / 4 : columns);
      const apart = slices > 1 ? sizes.int(whole ? texels : texels * 4) : '0';
      const summed = `${type} sum = ${type}(0.0); for (int k = 0; k < ${slices}; k++) sum += ${sampler}${call}(r, p + k * ${apart}); return sum;`;
      shader.declare(
        `${type} ${name}_at(int i, int j) {
int p = (i >> ${shift}) * ${line} + ${whole ? '(j >> 2)' : 'j'};
int r = i & ${height - 1};
${slices > 1 ? summed : `return ${sampler}${call}(r, p);`}
}`,
      );
      if (whole) {
        shader.native(name, [], 'Array(4)', `vec4 ${name}() { return ${name}_at(${at(0)}); }`);
        const bound = shader.bind(`${name}()`, 'y');
        known = [0, 1, 2, 3].map((lane) => `${bound}[${lane}]`);
        return known;
      }
      const lanes = Array.from({ length: place.lanes }, (_, lane) => {
        shader.native(`${name}_${lane}`, [], 'Number', `float ${name}_${lane}() { return ${name}_at(${at(lane)}); }`);
        return shader.bind(`${name}_${lane}()`, 'y');
      });
      known = lanes;
      return known;
    };
  };

/** The row-major position of coordinates `axes` of a shape. */
export function linear(sizes: Sizes, shape: readonly number[], axes: readonly number[]): (coord: Coords) => string {
  const strides = rowMajor(axes.map((axis) => shape[axis] as number));
  const terms = axes.flatMap((axis, k) => {
    if (shape[axis] === 1) return [];
    return [{ axis, by: strides[k] === 1 ? '' : ` * ${sizes.int(strides[k] as number)}` }];
  });
  return (coord) => (terms.length ? `(${terms.map(({ axis, by }) => coord(axis) + by).join(' + ')})` : '0');
}
