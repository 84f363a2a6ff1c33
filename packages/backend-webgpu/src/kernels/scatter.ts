/**
 * Updates at computed places, in their order and without atomics: the updates are sorted by place, stable, so those of an
 * element lie together in their own order; then a thread an element finds its first by halving and takes them in turn.
 * An update whose place is outside gets a key behind all elements.
 *
 *     updates [n, d] into [m, d] at (index[n], d):      an axis on which an update stays is not sorted along: the keys of n are
 *         n ▒▒▒▒   →   m ▒▒▒▒                           sorted once for all d, or for each coordinate that they depend on
 *
 * Where many updates come to an element, lanes share them.
 */
import { type Expr, rowMajor, type ScatterKernel, sizeOf } from '@tessera/tensor/backend';
import { fromCarried, join, toCarried } from '../accumulate';
import { all, atCoords, atLinear, unravel } from '../place';
import { dispatch, type Given, type Program, type Target } from '../shader';
import { joinLanes } from './lanes';
import { runningOf } from './running';
import { sortedRows, tile as sorting } from './sorted-rows';

export const tile = {
  threads: 64,
  /** Updates of an element from which on lanes share them, and how many do. */
  many: 64,
  lanes: 32,
  /** Pairs of a run, and threads that merge runs (sorted-rows.ts). */
  run: sorting.run,
  merge: sorting.merge,
} as const;
/** What a tuner tries in its place. */
export const scatterTiles = [
  { threads: 128 },
  { threads: 256 },
  { lanes: 8 },
  { many: 16 },
  { many: 512 },
  { run: 512 },
  { run: 2048 },
  { merge: 256 },
];

/** How updates come to elements: axes of the updates, by what they are. */
interface Ways {
  /** The axis of the updates on which an update stays, for each axis of the elements; −1 where the place is computed. */
  readonly stays: readonly number[];
  /** Axes of the updates along which keys are sorted, and those that have keys of their own. */
  readonly sorted: readonly number[];
  readonly apart: readonly number[];
}

function waysOf({ shape, updates, at }: ScatterKernel): Ways {
  const stays = at.map((expr, axis) =>
    expr.op === 'index' &&
    updates[expr.axis] === shape[axis] &&
    at.findIndex((one) => one.op === 'index' && one.axis === expr.axis) === axis
      ? expr.axis
      : -1,
  );
  const computed = at.filter((_, axis) => stays[axis] === -1);
  const axes = updates.map((_, axis) => axis);
  return {
    stays,
    sorted: axes.filter((axis) => !stays.includes(axis)),
    apart: axes.filter((axis) => stays.includes(axis) && computed.some((expr) => depends(expr, axis))),
  };
}

/** Is the expression another one at each coordinate of the axis? */
function depends(expr: Expr, axis: number, seen = new Set<Expr>()): boolean {
  if (seen.has(expr)) return false;
  seen.add(expr);
  if (expr.op === 'index') return expr.axis === axis;
  if (expr.op === 'apply') return expr.args.some((arg) => depends(arg, axis, seen));
  if (expr.op !== 'load') return false;
  if (expr.at) return expr.at.some((one) => depends(one, axis, seen));
  const { shape, strides, valid } = expr.view;
  const [low, high] = valid?.[axis] ?? [0, Infinity];
  return shape[axis] !== 1 && (strides[axis] !== 0 || low > 0 || high < (shape[axis] as number));
}

export function scatter(kernel: ScatterKernel, target: Target, given?: Given<typeof tile>): Program {
  const own = { ...tile, ...given };
  const { shape, updates, combine, init, value, stores, at } = kernel;
  const [size, count] = [sizeOf(shape), sizeOf(updates)];
  const title = `scatter ${combine} [${updates}] into [${shape}]`;
  if (size === 0) return { dispatches: [], scratch: 0 };
  const { stays, sorted: along, apart } = waysOf(kernel);
  const sizes = (axes: readonly number[]) => axes.map((axis) => updates[axis] as number);
  /** Coordinates of an update: on the sorted axes by its position, on others by `stay`. */
  const updateAt = (position: string, stay: (axis: number) => string) =>
    updates.map((_, axis) => {
      const among = along.indexOf(axis);
      return among >= 0 ? unravel(position, sizes(along), among) : stay(axis);
    });
  const places = shape.map((_, axis) => axis).filter((axis) => stays[axis] === -1);
  const placeSizes = places.map((axis) => shape[axis] as number);
  const strides = rowMajor(placeSizes);
  const linear = (coords: readonly string[]) =>
    coords.map((coord, i) => `u32(${coord}) * ${strides[i]}u`).join(' + ') || '0u';
  const length = sizeOf(sizes(along));
  const sorted = count
    ? sortedRows(kernel, target, {
        title,
        rows: sizeOf(sizes(apart)),
        length,
        tile: { run: own.run, merge: own.merge },
        keyOf(block, row, position) {
          const coords = updateAt(position, (axis) => {
            const among = apart.indexOf(axis);
            return among >= 0 ? unravel(row, sizes(apart), among) : '0i';
          }).map((coord) => block.once(coord, 'c'));
          const update = block.at(atCoords(coords));
          const found = places.map((axis) => update.value(at[axis] as Expr));
          const valid = all(found.map((coord, i) => `u32(${coord}) < ${placeSizes[i]}u`));
          return valid ? `select(${sizeOf(placeSizes)}u, ${linear(found)}, ${valid})` : linear(found);
        },
      })
    : null;
  const shared = combine !== 'assign' && length >= own.many * sizeOf(placeSizes);
  const lanes = shared ? Math.min(own.lanes, target.threads) : 1;
  const threads = Math.min(own.threads, target.threads);
  const beside = threads / lanes;
  const options = {
    header: [title, `${lanes} lanes an element, ${beside} elements a workgroup`],
    threads,
    groups: Math.ceil(size / beside),
    scratch: sorted !== null,
  };
  const names = { assign: 'sum', add: 'sum', mul: 'prod', max: 'max', min: 'min' } as const;
  const running = runningOf(0, { combine: names[combine], expr: value, dtype: init.dtype });
  const last = dispatch(kernel, target, options, (block) => {
    block.line(`let part = ${lanes > 1 ? `lane % ${lanes}u` : '0u'};`);
    const one = `group * ${beside}u + ${lanes > 1 ? `lane / ${lanes}u` : 'lane'}`;
    const i = block.bind(size % beside ? `min(${one}, ${size - 1}u)` : one, 'i');
    const element = block.at(atLinear(i, shape));
    const initial = block.bind(toCarried(element.value(init), init.dtype));
    running.declare(block);
    if (lanes === 1) block.line(`acc0 = ${initial};`);
    if (sorted) {
      const coords = shape.map((_, axis) => element.coord(axis));
      const stay = (axis: number) => coords[stays.indexOf(axis)] as string;
      const strides = rowMajor(sizes(apart));
      const row = block.bind(apart.map((axis, k) => `u32(${stay(axis)}) * ${strides[k]}u`).join(' + ') || '0u', 'row');
      const mine = block.bind(linear(places.map((axis) => coords[axis] as string)), 'mine');
      // The first pair of the element; for assign the first behind its last, which is the one that counts.
      const before = combine === 'assign' ? '<=' : '<';
      block.line(
        'var low = 0u;',
        `var high = ${length}u;`,
        'while (low < high) {',
        'let middle = (low + high) / 2u;',
        `if (${sorted.key(row, 'middle')} ${before} ${mine}) { low = middle + 1u; } else { high = middle; }`,
        '}',
      );
      const inside = block.inside();
      inside.line(`let update = ${sorted.place(row, 'n')};`);
      const from = inside.at(atCoords(updateAt('update', stay)));
      if (combine === 'assign') {
        const taken = toCarried(from.value(value), value.dtype);
        block.line('let n = max(low, 1u) - 1u;', `if (low > 0u && ${sorted.key(row, 'n')} == ${mine}) {`);
        block.line(...inside.lines, `acc0 = ${taken};`, '}');
      } else {
        running.take([from], running.exprs, 'n');
        block.line(
          `for (var n = low + part; n < ${length}u && ${sorted.key(row, 'n')} == ${mine}; n += ${lanes}u) {`,
          ...inside.lines,
          '}',
        );
      }
      if (lanes > 1) {
        joinLanes(block, [running], { lanes, rows: beside, across: false }, target);
        const type = running.parts[0]?.type ?? 'f32';
        block.line(`acc0 = ${join(names[combine], type, block.shader)(initial, 'acc0')};`);
      }
    } else if (lanes > 1) block.line(`acc0 = ${initial};`);
    const inside = block.inside();
    inside.at(atLinear(i, shape, () => fromCarried('acc0', init.dtype))).store(stores);
    const test = all([...(lanes > 1 ? ['part == 0u'] : []), ...(size % beside ? [`${one} < ${size}u`] : [])]);
    block.line(...(test ? [`if (${test}) {`, ...inside.lines, '}'] : inside.lines));
  });
  return { dispatches: [...(sorted?.dispatches ?? []), last], scratch: sorted?.scratch ?? 0 };
}
