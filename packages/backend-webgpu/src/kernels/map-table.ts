/**
 * A map over more tensors than a device binds: a dispatch that goes by a table. Parts that do the same to different tensors are
 * written once, however many they are: an optimizer's update of all parameters is one body.
 *
 *     group   0 ┄┄┄┄┄┄ 6 │ 7 ┄┄┄ 9 │ 10 ┄┄┄┄┄┄┄┄ 31      a workgroup finds its part by halving
 *               part 0       part 1        part 2
 *     table   (0, 3500)    (7, 1200)    (10, 11000)           its first group and its size,
 *             (body, row)  (body, row)  (body, row)           its body and the rows where its operands lie
 *             … rows of part 0, of part 1, of part 2
 */
import {
  type Expr,
  type Load,
  type MapKernel,
  type Store,
  sizeOf,
  structure,
  type View,
} from '@tessera/tensor/backend';
import { bindingsOf, nameOf, type Operand, type Row } from '../pages';
import { atLinear } from '../place';
import {
  type Block,
  bindingOf,
  type Dispatch,
  dispatch,
  type Given,
  type Paged,
  type Program,
  type Target,
} from '../shader';
import { flattened } from './flatten';

/** `bodies`: of one shader, that none grows without bound; parts of more are another dispatch's. */
export const tile = { threads: 64, each: 8, bodies: 16 } as const;
/** What a tuner tries in its place. */
export const tableTiles = [
  { threads: 128 },
  { threads: 256 },
  { each: 2 },
  { each: 4 },
  { each: 16 },
  { each: 32 },
  { threads: 256, each: 2 },
  { threads: 256, each: 32 },
];

/** A part as one that others may be like: views begin at 0, for the table says where. */
interface Like {
  readonly shape: readonly number[];
  readonly stores: readonly Store[];
  /** Its operands by name, in the order they are met, and the element that each begins at. */
  readonly operands: ReadonlyMap<string, number>;
  /** Equal for parts that differ in tensors and, where they are flat, in size. */
  readonly key: string;
}

export function mapByTable(kernel: MapKernel, target: Target, given?: Given<typeof tile>): Program {
  const { threads, each: perThread, bodies: most } = { ...tile, ...given };
  const { paged } = bindingsOf(kernel);
  const numbers = new Map(paged.map((operand, i) => [nameOf(operand), i]));
  const parts = kernel.parts.filter(({ shape }) => sizeOf(shape) > 0).map((part) => likeOf(kernel, part));
  const alike = new Map<string, Like[]>();
  for (const part of parts) alike.set(part.key, [...(alike.get(part.key) ?? []), part]);
  const bodies = [...alike.values()];

  const heads: Row[] = [];
  const rows: Row[] = [];
  const dispatches: Dispatch[] = [];
  for (let at = 0; at < bodies.length; at += most) dispatches.push(written(bodies.slice(at, at + most)));
  return { dispatches, scratch: 0, table: [...heads, ...rows] };

  /** A dispatch for the parts of these bodies. */
  function written(some: readonly (readonly Like[])[]): Dispatch {
    const each = threads * perThread;
    const from = heads.length / 2;
    let groups = 0;
    some.forEach((likes, body) => {
      for (const { shape, operands } of likes) {
        heads.push([groups, sizeOf(shape)], [body, 2 * parts.length + rows.length]);
        for (const [name, plus] of operands) rows.push({ operand: numbers.get(name) as number, plus });
        groups += Math.ceil(sizeOf(shape) / each);
      }
    });
    const to = heads.length / 2;
    const header = [
      `map of ${to - from} parts by ${some.length} bodies · a workgroup of ${threads} ${each} elements`,
      'parts and the places of their operands are in the table',
    ];
    return dispatch(kernel, target, { header, threads, groups }, (block) => {
      block.line(
        `var low = ${from}u;`,
        `for (var high = ${to}u; high - low > 1u; ) {`,
        'let middle = (low + high) / 2u;',
        'if (table[2u * middle].x <= group) { low = middle; } else { high = middle; }',
        '}',
        'let part = table[2u * low];',
        'let what = table[2u * low + 1u];',
        `let first = (group - part.x) * ${each}u;`,
        `let end = min(part.y, first + ${each}u);`,
      );
      block.line('switch (what.x) {');
      some.forEach(([like], body) => {
        block.line(`case ${body}u: {`, `for (var i = first + lane; i < end; i += ${threads}u) {`);
        block.line(...bodyOf(block.inside(), like as Like), '}', '}');
      });
      block.line('default: {', '}', '}');
    });
  }

  function bodyOf(inside: Block, { shape, stores, operands }: Like): string[] {
    const found = [...operands.keys()].map((name, row): [string, Paged] => {
      const { dtype } = paged[numbers.get(name) as number] as Operand;
      return [name, { row: `what.y + ${row}u`, dtype }];
    });
    inside.shader.paged = new Map(found);
    inside.at(atLinear('i', shape)).store(stores);
    return inside.lines;
  }
}

type OnView = (name: string, view: View) => View;

/** Stores with other views; equal parts stay the same object. `at` on loads at computed places stays as it is. */
function withViews(kernel: MapKernel, stores: readonly Store[], change: OnView, load = (expr: Load): Expr => expr) {
  const known = new Map<Expr, Expr>();
  const visit = (expr: Expr): Expr => {
    if (expr.op !== 'load' && expr.op !== 'apply') return expr;
    let changed = known.get(expr);
    if (!changed) {
      if (expr.op === 'apply') changed = { ...expr, args: expr.args.map(visit) };
      else {
        const view = change(bindingOf(kernel, expr.input), expr.view);
        changed = load({ ...expr, view, at: expr.at?.map(visit) ?? null });
      }
      known.set(expr, changed);
    }
    return changed;
  };
  return stores.map((store): Store => {
    const view = change(`out${store.output}`, store.view);
    return { ...store, view, expr: visit(store.expr) };
  });
}

function likeOf(kernel: MapKernel, part: MapKernel['parts'][number]): Like {
  const flat = flattened([], part.stores, 0, part.shape.length);
  const shape = flat ? [sizeOf(part.shape)] : part.shape;
  const offsets = new Map<string, Set<number>>();
  withViews(kernel, flat?.stores ?? part.stores, (name, view) => {
    offsets.set(name, (offsets.get(name) ?? new Set()).add(view.offset));
    return view;
  });
  const operands = new Map([...offsets].map(([name, all]) => [name, all.size === 1 ? ([...all][0] as number) : 0]));
  const stores = withViews(kernel, flat?.stores ?? part.stores, (name, view) => {
    return { ...view, offset: view.offset - (operands.get(name) as number) };
  });
  // what the body's text depends on: not which tensors, nor, along a flat axis, how many elements
  const names = [...operands.keys()];
  const some = flat && sizeOf(shape) > 1;
  const inText = (_: string, view: View): View => (some ? { ...view, shape: [], valid: null } : view);
  const text = withViews(kernel, stores, inText, (load) => ({
    ...load,
    input: names.indexOf(bindingOf(kernel, load.input)),
  }));
  const dtypes = names.map(
    (name) => kernel[name.startsWith('in') ? 'inputs' : 'outputs'][Number(/\d+/.exec(name))]?.dtype,
  );
  const outs = text.map((store) => ({ ...store, output: names.indexOf(`out${store.output}`) }));
  const key = structure({ dtypes, shape: some ? null : shape, outs } as never);
  return { shape, stores, operands, key };
}
