/**
 * Rows along some axes, in stages. One draw goes through the rows (rows.ts; chunks.ts where they are few and long) and leaves
 * accumulators in tables, an element a row; the stores then read them, so what is written back over a row sums nothing again.
 */
import { type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import { toCarried } from '../accumulate';
import type { Place } from '../place';
import type { Program, Shader } from '../shader';
import { type Build, type Core, isOneDraw, storePasses } from '../stores';
import { fromTables, tablePass } from '../tables';
import { type Accumulator, joinLanes, result, stagesOf } from './accumulators';
import { chunked, cutOf } from './chunks';
import { type Lanes, lanesFor, overRow, type Rows, type Table, texelsPass } from './rows';

export function reduce(build: Build, kernel: ReduceKernel): Program {
  const { shape, axes, stores } = kernel;
  const rowShape = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const stages = stagesOf(kernel);
  const length = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  const title = `reduce [${shape}] along ${axes.join(',')} in ${stages.length} stages · ${sizeOf(rowShape)} rows of ${length}`;
  const tables = stages.flat().map(({ holds }) => ({ ref: build.temporary(sizeOf(rowShape)), dtype: holds }));
  const rows: Rows = { kernel, title, shape: rowShape, tables, cut: cutOf(kernel, sizeOf(rowShape), length) };
  const draws = drawsOf(build, rows, stages);
  const of = (per: 'row' | 'element') => stores.filter((store) => store.per === per);
  const each = [{ shape: rowShape, stores: of('row') }];
  const make = (draw: Accumulator[][]) =>
    rows.cut ? chunked(build, rows, draw.flat()) : whole(build, rows, draw, lanesFor(kernel, draw.flat()));
  if (draws.length === 1 && of('element').length === 0 && isOneDraw(build, each)) {
    // Nobody else reads the accumulators: the stores are made where they are.
    const [draw = []] = draws;
    const lanesOnly = !rows.cut && lanesFor(kernel, draw.flat()) !== 'across';
    storePasses(build, rows.cut ? `${title}, joined` : title, each, { make: make(draw), lanesOnly });
    return build.program();
  }
  for (const draw of draws) leave(build, rows, draw.flat(), make(draw));
  const read = { make: fromTables(build, rowShape, tables) };
  storePasses(build, `${title}, a row each`, each, read);
  storePasses(build, `${title}, over the rows`, [{ shape, stores: of('element') }], read);
  return build.program();
}

/** What each draw makes: chunks of a stage, in portions; else all stages where there are targets enough, else a stage, in portions. */
function drawsOf({ targets }: Build, { cut }: Rows, stages: Accumulator[][]): Accumulator[][][] {
  if (!cut && stages.flat().length <= targets) return [stages];
  const most = cut ? Math.max(1, Math.floor(targets / 2)) : targets;
  return stages.flatMap((stage) => portions(stage, most).map((part) => [part]));
}

/** Leaves accumulators in their tables, an element a row. */
function leave(build: Build, rows: Rows, own: readonly Accumulator[], make: Core): void {
  const refs = own.map(({ index }) => (rows.tables[index] as Table).ref);
  const carried = (shader: Shader, row: Place) => {
    const made = make(shader, row, rows.shape);
    return own.map((a) => made(a.index).map((text) => shader.bind(toCarried(text, a.holds))));
  };
  const title = rows.cut ? `${rows.title}, joined` : rows.title;
  if (lanesFor(rows.kernel, own) === 'across') texelsPass(build, title, rows.shape, refs, carried);
  else tablePass(build, title, rows.shape, refs, (shader, row) => carried(shader, row).map(([text]) => text as string));
}

/** All of these stages, at a row, or at four where the lanes go across. */
function whole(build: Build, rows: Rows, stages: readonly (readonly Accumulator[])[], wanted: Lanes): Core {
  return (shader, row) => {
    const lanes = wanted === 'across' && row.lanes === 1 ? 'one' : wanted;
    const before = fromTables(build, rows.shape, rows.tables)(shader, row, rows.shape);
    const finished = new Map<number, readonly string[]>();
    const acc = (index: number) => finished.get(index) ?? before(index);
    for (const stage of stages) {
      overRow(shader, rows, stage, lanes, row, acc, null);
      if (lanes === 'along') for (const a of stage) joinLanes(shader, a);
      const wide = lanes === 'across' ? [0, 1, 2, 3] : [0];
      for (const a of stage) {
        finished.set(
          a.index,
          wide.map((lane) => result(shader, a, lane)),
        );
      }
    }
    return acc;
  };
}

const portions = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
