/**
 * Going through a row. A step is an element, or a texel: of four elements along the row, each with an accumulator of its own, or of
 * four rows.
 */
import {
  type Compute,
  type Expr,
  expr as e,
  type Load,
  nodesOf,
  type ReduceKernel,
  sizeOf,
} from '@tessera/tensor/backend';
import { toCarried } from '../accumulate';
import { Block } from '../block';
import { texelsOf } from '../layout';
import { atTexel, cursor, type Place } from '../place';
import type { Ref, Shader } from '../shader';
import type { Build } from '../stores';
import { type Accumulator, add, better, declare } from './accumulators';
import { type Run, runsAlone, runsOf } from './runs';

/** Expressions of more nodes are not written for four elements, and not for four texels. */
const [mostInTexel, mostInFour] = [60, 12];

export interface Table {
  readonly ref: Ref;
  readonly dtype: Compute;
}

/** What is gone through: the whole row, or a chunk of it along one axis. */
export interface Rows {
  readonly kernel: ReduceKernel;
  readonly title: string;
  /** The shape with 1 on reduced axes. */
  readonly shape: readonly number[];
  readonly tables: readonly Table[];
  readonly cut: { readonly axis: number; readonly chunk: number; readonly chunks: number } | null;
}

/** What the lanes of a step are: one element, four of a row, or one of each of four rows. */
export type Lanes = 'one' | 'along' | 'across';

export const lastOf = (shape: readonly number[]): number => shape.findLastIndex((size) => size !== 1);

export function lanesFor({ shape, axes }: ReduceKernel, accumulators: readonly Accumulator[]): Lanes {
  const last = lastOf(shape);
  if (last < 0 || (shape[last] as number) % 4 !== 0) return 'one';
  if (nodesOf(accumulators.map(({ expr }) => expr)).size > mostInTexel) return 'one';
  return axes.includes(last) ? 'along' : 'across';
}
export const countOf = (lanes: Lanes): 1 | 4 => (lanes === 'one' ? 1 : 4);

/**
 * Goes through a row, or the chunk whose number is `chunk` (GLSL), and takes each element into the accumulators of its lane.
 * @param row the place of the row, in all but the reduced axes; of four rows where the lanes are these
 */
export function overRow(
  shader: Shader,
  { kernel, cut }: Rows,
  stage: readonly Accumulator[],
  lanes: Lanes,
  row: Place,
  acc: (index: number) => readonly string[],
  chunk: string | null,
): void {
  const { shape, axes } = kernel;
  const wide = [0, 1, 2, 3].slice(0, countOf(lanes));
  for (const a of stage) for (const lane of wide) declare(shader, a, lane);
  const at = cursor(shader, shape.length);
  const last = lastOf(shape);
  const loops = shape.flatMap((size, axis) => {
    if (!axes.includes(axis) || size === 1) return [];
    const steps = chunk !== null && cut?.axis === axis ? cut.chunk : size;
    return [{ axis, size, by: lanes === 'along' && axis === last ? 4 : 1, steps, counter: shader.name('i') }];
  });
  const name = shader.name('step');
  const position = positionOf(shape, axes, (axis) => at.global(axis));
  const lines = shape.flatMap((_, axis) => {
    const loop = loops.find((one) => one.axis === axis);
    if (!loop && axes.includes(axis)) return [`${at.global(axis)} = 0;`];
    if (!loop) return lanes === 'across' ? [] : [`${at.global(axis)} = ${row.coord(axis, 0)};`];
    const first = loop.steps === loop.size ? '' : ` + ${chunk} * ${loop.steps}`;
    return [`${at.global(axis)} = ${loop.counter}${loop.by === 4 ? ' * 4' : ''}${first};`];
  });
  const short = loops.find(({ steps, size }) => size % steps !== 0);
  const valid = short ? `${at.global(short.axis)} < ${short.size}` : null;
  const counters = loops.map(({ counter }) => counter);
  const arg = stage.some((a) => a.arg);
  const places = arg ? `${name}_position = float(${position});` : '';
  shader.native(
    name,
    counters.map(() => 'Integer' as const),
    valid ? 'Boolean' : 'Number',
    `float ${name}_position;
${valid ? 'bool' : 'float'} ${name}(${counters.map((one) => `int ${one}`).join(', ')}) { ${lines.join(' ')} ${places} return ${valid ?? '0.0'}; }`,
  );
  shader.native(`${name}_p`, [], 'Number', `float ${name}_p() { return ${name}_position; }`);
  const place: Place =
    lanes === 'one'
      ? { ...at, acc }
      : {
          lanes: 4,
          sizes: at.sizes,
          coord: (axis, lane) => {
            if (lanes === 'across') return axes.includes(axis) ? at.global(axis) : row.coord(axis, lane);
            return axis === last ? `(${at.global(axis)} + ${lane})` : at.global(axis);
          },
          shared: (axis) => axis !== last,
          aligned: true,
          acc,
        };
  const inner = loops.at(-1);
  const turns = inner ? Math.ceil(inner.steps / inner.by) : 1;
  const tiny = !arg && turns % 4 === 0 && nodesOf(stage.map(({ expr }) => expr)).size <= mostInFour;
  const unrolled = tiny && !valid ? 4 : 1; // a loop's turn costs a quarter of a texel
  const exprs = stage.map(({ expr }) => expr);
  const chunked = chunk !== null && cut?.axis === last ? cut.chunk : 0;
  const along = { step: name, counters, at, last, count: turns, chunk: chunked };
  const runs = lanes === 'along' && inner?.axis === last ? runsOf(shader, kernel, exprs, along) : new Map<Expr, Run>();
  const moves = valid !== null || arg || !runsAlone(exprs, runs);
  for (const { counter, steps, by, axis } of loops) {
    if (axis === inner?.axis) shader.line(...[...runs.values()].map(({ begin }) => begin));
    const count = Math.ceil(steps / by) / (axis === inner?.axis ? unrolled : 1);
    shader.line(`for (let ${counter} = 0; ${counter} < ${count}; ${counter}++) {`);
  }
  for (let turn = 0; turn < unrolled; turn++) {
    const texts = counters.map((counter, i) =>
      unrolled > 1 && i === counters.length - 1 ? `${counter} * ${unrolled} + ${turn}` : counter,
    );
    const call = `${name}(${texts.join(', ')})`;
    if (moves) shader.line(valid ? `if (${call}) {` : `${call};`);
    const load = (expr: Load) => runs.get(expr)?.read(texts.at(-1) as string) ?? null;
    const block = new Block(shader, kernel, { ...place, load });
    const values = stage.map((a) => valuesOf(block, a));
    for (const lane of wide) {
      stage.forEach((a, i) => {
        const [list] = [values[i] as readonly string[]];
        const text = list[list.length === 1 ? 0 : lane] as string;
        const along = lanes === 'along' && lane > 0 ? `${name}_p() + ${lane}` : `${name}_p()`;
        if (a.arg) better(shader, a, shader.bind(text), shader.bind(along), lane);
        else add(shader, a, text, lane);
      });
    }
    if (valid) shader.line('}');
  }
  for (const _ of loops) shader.line('}');
}

/** The row-major position in the row, in GLSL. */
function positionOf(shape: readonly number[], axes: readonly number[], coord: (axis: number) => string): string {
  const reduced = shape.map((size, axis) => (axes.includes(axis) ? size : 1));
  const terms = reduced.flatMap((size, axis) =>
    size === 1 ? [] : [`${coord(axis)} * ${sizeOf(reduced.slice(axis + 1))}`],
  );
  return terms.join(' + ') || '0';
}

/** What an accumulator takes at the place of a block. */
function valuesOf(block: Block, { expr, dtype, arg }: Accumulator): readonly string[] {
  const wanted = arg ? expr : (e.cast(expr, dtype) as typeof expr);
  return block.value(wanted).map((text) => toCarried(text, wanted.dtype));
}

/** Tables over a shape whose last axis is whole texels, a texel at once. */
export function texelsPass(
  build: Build,
  title: string,
  shape: readonly number[],
  tables: readonly Ref[],
  body: (shader: Shader, at: Place) => readonly (readonly string[])[],
): void {
  if (sizeOf(shape) === 0) return;
  const shader = build.shader(title);
  const [first, ...rest] = body(shader, atTexel(shader, shape)).map((texts) => `[${texts.join(', ')}]`);
  rest.forEach((texel, k) => {
    shader.line(`output${k + 1}(${texel});`);
  });
  shader.line(`return ${first};`);
  build.steps.push(shader.pass(tables, texelsOf(sizeOf(shape))));
}
