/**
 * Rows along some axes, in stages. One draw goes through the rows and leaves accumulators in tables, an element a row; the
 * stores then read them, so what is written back over a row sums nothing again.
 */
import { type Accumulate, type Compute, expr as e, type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { cursor } from '../place';
import type { Program, Ref, Shader } from '../shader';
import { type Build, fromTables, storePasses, tablePass } from '../stores';

/** An accumulator, by the number that `acc` has. arg… carries the best value and its position. */
interface Accumulator extends Accumulate {
  readonly index: number;
  readonly arg: 'max' | 'min' | null;
  /** What its table holds. */
  readonly holds: Compute;
}

export function reduce(build: Build, kernel: ReduceKernel): Program {
  const { shape, axes, stores } = kernel;
  const rows = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const inner = shape.map((size, axis) => (axes.includes(axis) ? size : 1));
  const stages = stagesOf(kernel);
  const all = stages.flat();
  const title = `reduce [${shape}] along ${axes.join(',')} in ${stages.length} stages · ${sizeOf(rows)} rows of ${sizeOf(inner)}`;
  const tables = all.map(({ holds }) => ({ ref: build.temporary(sizeOf(rows)), dtype: holds }));
  // One draw for all stages where it has targets enough, else a draw for each, in portions.
  const draws =
    all.length <= build.targets
      ? [stages]
      : stages.flatMap((stage) => portions(stage, build.targets).map((part) => [part]));
  for (const draw of draws) rowsPass(build, kernel, title, rows, inner, draw, tables);
  const read = { make: fromTables(build, rows, tables) };
  const of = (per: 'row' | 'element') => stores.filter((store) => store.per === per);
  storePasses(build, `${title}, a row each`, [{ shape: rows, stores: of('row') }], read);
  storePasses(build, `${title}, over the rows`, [{ shape, stores: of('element') }], read);
  return build.program();
}

function rowsPass(
  build: Build,
  kernel: ReduceKernel,
  title: string,
  rows: readonly number[],
  inner: readonly number[],
  stages: readonly (readonly Accumulator[])[],
  tables: readonly { readonly ref: Ref; readonly dtype: Compute }[],
): void {
  const own = stages.flat();
  const made = own.map(({ index }) => (tables[index] as (typeof tables)[number]).ref);
  tablePass(build, title, rows, made, (shader, row) => {
    const before = fromTables(build, rows, tables)(shader, row, rows);
    const finished = new Map<number, string>();
    const acc = (index: number) => {
      const text = finished.get(index);
      return text === undefined ? before(index) : [text];
    };
    for (const stage of stages) {
      for (const a of stage) {
        shader.line(`let acc${a.index} = ${start(a.combine, a.dtype, shader)};`);
        if (a.arg) shader.line(`let position${a.index} = -1;`);
      }
      overRow(shader, kernel, rows, inner, row, acc, (element) => {
        for (const a of stage) take(element, a);
      });
      for (const a of stage) finished.set(a.index, result(shader, a));
    }
    return own.map((a) => toCarried(finished.get(a.index) as string, a.holds)).map((text) => shader.bind(text));
  });
}

/** Goes through a row: `body` writes what is done at each element. */
function overRow(
  shader: Shader,
  kernel: ReduceKernel,
  rows: readonly number[],
  inner: readonly number[],
  row: { coord(axis: number, lane: number): string },
  acc: (index: number) => readonly string[],
  body: (element: Block) => void,
): void {
  const at = cursor(shader, rows.length, acc);
  const name = shader.name('step');
  const strides = inner.map((_, axis) => sizeOf(inner.slice(axis + 1)));
  const lines = inner.map((size, axis) => {
    if (!kernel.axes.includes(axis)) return `${at.global(axis)} = ${rows[axis] === 1 ? '0' : row.coord(axis, 0)};`;
    return `${at.global(axis)} = ${size === 1 ? '0' : `(i / ${strides[axis]}) % ${size}`};`;
  });
  shader.native(name, ['Integer'], 'Number', `float ${name}(int i) { ${lines.join(' ')} return 0.0; }`);
  shader.line(`for (let i = 0; i < ${sizeOf(inner)}; i++) {`, `${name}(i);`);
  body(new Block(shader, kernel, at));
  shader.line('}');
}

/** Takes the element that the block stands at. */
function take(element: Block, { index, expr, dtype, arg, combine }: Accumulator): void {
  const { shader } = element;
  if (arg) {
    const value = shader.bind(toCarried(element.value(expr)[0] as string, expr.dtype));
    const better = beats(arg, expr.dtype, shader)(value, `acc${index}`);
    shader.line(`if (position${index} < 0 || ${better}) { acc${index} = ${value}; position${index} = i; }`);
    return;
  }
  const value = toCarried(element.value(e.cast(expr, dtype) as typeof expr)[0] as string, dtype);
  shader.line(`acc${index} = ${join(combine as 'sum', dtype, shader)(`acc${index}`, value)};`);
}

/** The text of a finished accumulator. */
const result = (shader: Shader, { index, arg, dtype }: Accumulator): string =>
  arg
    ? shader.bind(`${shader.use('wordOfFloat')}(${shader.use('maxOf')}(position${index}, 0))`)
    : dtype === 'bool'
      ? shader.bind(fromCarried(`acc${index}`, dtype))
      : `acc${index}`;

function stagesOf({ stages }: ReduceKernel): Accumulator[][] {
  let index = 0;
  return stages.map((stage) =>
    stage.map((one) => {
      const arg = one.combine === 'argmax' ? 'max' : one.combine === 'argmin' ? 'min' : null;
      return { ...one, index: index++, arg, holds: arg ? 'int32' : one.dtype, dtype: arg ? one.expr.dtype : one.dtype };
    }),
  );
}

const portions = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
