/** What the kernels build on: stores, or an expression's values, over a row of a domain. */
import { expr as build, type Compute, type Expr, type Kernel, rowMajor, type Store } from '@tessera/tensor/backend';
import { brIf, type Code, i32, i32x4, type Local, repeat, select, set, v128 } from './assembler';
import { type Domain, simplify, toNodes, weight } from './domain';
import { argWords, type Scope } from './functions';
import { type Step, storePair } from './lanes';
import { type Accs, Sweep } from './sweep';

export { argWords, type Scope };

/** A stretch of a domain. */
export interface Row {
  /** Sizes of the domain. */
  readonly domain: readonly number[];
  /** Coordinates along its first axes: i32 locals or numbers. */
  readonly outer: readonly (Local | number)[];
  /** First position and number of elements (at least one), row-major over the remaining axes. Locals are only read. */
  readonly start: Local | number;
  readonly count: Local | number;
  /**
   * acc[i] is the address (i32) of the kernel's result acc(i) at `start`: 4-byte words (f32, i32) one after another; up to
   * 12 bytes behind the last are read. No alignment wanted.
   */
  readonly acc: readonly Local[];
}

/**
 * Code that writes the stores of a kernel over a row: pointers and all that does not vary along the row are made first,
 * then a loop of four lanes, then the rest. Several calls in one function are fine; each declares its own locals.
 */
export function emitStores(scope: Scope, stores: readonly Store[], row: Row): Code {
  const exprs = stores.map((store) => asStored(scope, store));
  const nodes = toNodes(exprs, row.domain.length);
  const domain = simplify(
    row.domain,
    nodes,
    stores.map(({ view }) => view),
    {
      fixed: row.outer.length,
      strides: row.acc.length ? [rowMajor(row.domain)] : [],
    },
  );
  return alongRow(scope, domain, row, (sweep) => storeAll(sweep, domain, stores));
}

/** Code that writes an expression's values over a row to `to` (i32 address), as 4-byte words one after another. */
export function emitValues(scope: Scope, expr: Expr, to: Local, row: Row): Code {
  const nodes = toNodes([expr], row.domain.length);
  const domain = simplify(row.domain, nodes, [], { fixed: row.outer.length, strides: [rowMajor(row.domain)] });
  const into = scope.f.local('i32');
  const [root] = domain.roots as [Domain['roots'][number]];
  return [
    set(into, to),
    alongRow(scope, domain, row, (sweep, count) => {
      const pointer = sweep.pointer(into, 4);
      const place = { pointer, stride: 1, bytes: 4, range: null };
      const code = sweep.emit(unrolling(domain), (step) => {
        const value = sweep.printer.bind(sweep.value(root, step));
        return () => sweep.store(place, value, step, expr.dtype === 'bool');
      });
      return [code, set(into, i32.add(into, i32.shl(count, 2)))];
    }),
  ];
}

/** The expression of a store in what its output computes in. */
export function asStored({ kernel }: Pick<Scope, 'kernel'>, { output, expr }: Store): Expr {
  const dtype = kernel.outputs[output]?.dtype ?? 'float32';
  return build.cast(expr, build.computeOf(dtype));
}

/** Writes the stores of a domain, whose roots are their expressions in order: all values first, for a store may be in place. */
export function storeAll(
  sweep: Sweep,
  domain: Domain,
  stores: readonly Store[],
  unroll = unrolling(domain),
  /** Called behind each vector's values. */
  next: () => void = () => {},
): Code {
  const places = stores.map(({ output }, i) => sweep.destination(output, domain.views[i] as Store['view']));
  const pairs = pairsOf(sweep.scope, domain, stores);
  return sweep.emit(unroll, (step) => {
    const values = domain.roots.map((root) => sweep.printer.bind(sweep.value(root, step)));
    next();
    return () =>
      stores.forEach(({ output }, i) => {
        const isBool = sweep.scope.kernel.outputs[output]?.dtype === 'bool';
        const [place, value] = [places[i] as (typeof places)[number], values[i] as (typeof values)[number]];
        const [odd, even] = [pairs[i], pairs.indexOf(i)];
        if (step.lanes === 4 && even >= 0) return; // written with its partner
        if (step.lanes === 4 && odd !== undefined)
          storePair(sweep.printer, place, value, values[odd] as typeof value, step);
        else sweep.store(place, value, step, isBool);
      });
  });
}

/** For each store of every other word the one that writes the words between, if there is one. */
function pairsOf({ kernel }: Scope, { shape, views }: Domain, stores: readonly Store[]): (number | undefined)[] {
  const last = shape.length - 1;
  return stores.map(({ output }, i) => {
    const view = views[i] as Store['view'];
    const { dtype } = kernel.outputs[output] as Kernel['outputs'][number];
    if (view.strides[last] !== 2 || dtype === 'bool' || dtype === 'uint8') return undefined;
    const partner = stores.findIndex((other, j) => {
      const { strides, offset } = views[j] as Store['view'];
      return (
        other.output === output && offset === view.offset + 1 && strides.every((s, axis) => s === view.strides[axis])
      );
    });
    return partner < 0 ? undefined : partner;
  });
}

/** Vectors a round: more of short expressions, whose loads then overlap; code of long ones is long enough. */
export function unrolling({ roots }: Pick<Domain, 'roots'>): number {
  const nodes = weight(roots);
  return nodes <= 8 ? 4 : nodes <= 24 ? 2 : 1;
}

/** The sweeps of a row: one where its axes are one, else one for each stretch of the last axis. */
function alongRow(scope: Scope, domain: Domain, row: Row, make: (sweep: Sweep, count: Local) => Code): Code {
  const { f } = scope;
  const fixed = row.outer.length;
  const inner = domain.shape.slice(fixed);
  const accs = row.acc.map(() => f.local('i32'));
  const count = f.local('i32');
  const sweepOver = (coords: readonly (Local | number)[], start: Local | number, static_: number | null): Code => {
    const source = new AccPointers();
    const stretch = { shape: domain.shape, coords, start, count: static_ ?? count };
    const sweep = new Sweep(scope, stretch, domain.roots, source);
    source.pointers = accs.map((acc) => sweep.pointer(acc, 4));
    return make(sweep, count);
  };
  const begin: Code = accs.map((acc, i) => set(acc, row.acc[i] as Local));
  if (inner.length === 1) {
    const known = typeof row.count === 'number' ? row.count : null;
    return [begin, set(count, row.count), sweepOver(row.outer, row.start, known)];
  }
  const [position, left, rest, from] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const coords = inner.slice(0, -1).map(() => f.local('i32'));
  const size = inner[inner.length - 1] as number;
  const split: Code[] = [set(from, i32.rem_u(position, size)), set(rest, i32.div_u(position, size))];
  for (let axis = coords.length - 1; axis >= 0; axis--) {
    const n = inner[axis] as number;
    split.push(set(coords[axis] as Local, axis === 0 ? rest : i32.rem_u(rest, n)), set(rest, i32.div_u(rest, n)));
  }
  return [
    begin,
    set(position, row.start),
    set(left, row.count),
    repeat(
      split,
      set(count, i32.sub(size, from)),
      set(count, select(count, left, i32.lt_s(count, left))),
      sweepOver([...row.outer, ...coords], from, null),
      set(position, i32.add(position, count)),
      set(left, i32.sub(left, count)),
      accs.map((acc) => set(acc, i32.add(acc, i32.shl(count, 2)))),
      brIf(0, left),
    ),
  ];
}

/** Results that lie in memory, one word after another. */
class AccPointers implements Accs {
  pointers: readonly Local[] = [];
  varies(): boolean {
    return true;
  }
  value(index: number, { u }: Step, dtype: Compute): Code {
    const words = v128.load(this.pointers[index] as Local, 16 * u);
    return dtype === 'bool' ? i32x4.ne(words, i32x4.const(0)) : words;
  }
}
