/**
 * The product of matrices that matmul and the three convolutions are: C[b] = A[b] · B[b], A m × k, B k × n. What A, B and
 * the stores are, the caller says; the tile is data (tiles.ts).
 *
 *            ┌───n───┐      a workgroup makes one m × n tile (▒) of C,
 *          k │   B   │      a thread makes perThread of it, held in registers: vectors of four columns.
 *            ├───────┤      For each k-slab: stage A and B in workgroup memory, barrier, multiply, barrier;
 *    ┌─k─┐   │▒▒▒▒▒▒▒│      or, `ahead`: load slab s, multiply slab s − 1, stage slab s in the other copy, barrier.
 *  m │ A │   │▒▒▒▒▒▒▒│      Edges are guarded where a size is no multiple of the tile.
 *    └───┘   └───────┘      `splits` cut the slabs: sums go to scratch, a second dispatch adds them in order and stores.
 *
 * A slab is kept in vectors of four, along the axis that memory lies together along:
 *
 *    along k       [row or column][k/4 + 1]   the extra vector spreads rows over the banks
 *    along other   [k][m/4 or n/4]            a vector of memory where memory has one; else four that are size/4 apart,
 *                                             so that neighbouring lanes load neighbours
 */
import type { Compute, Kernel } from '@tessera/tensor/backend';
import { type Carried, carriedAs } from '../accumulate';
import { all } from '../place';
import { Block, type Dispatch, dispatch, type Program, type Target } from '../shader';
import type { ByMatrix } from './matrix';
import { type Tile, type Tiled, threadsOf } from './tiles';

/** Where an element is asked for: `block` is inside the loop over slabs, `before` in front of it. */
export interface Inside {
  readonly block: Block;
  readonly before: Block;
}

/** A or B. Positions are u32 texts: k-position `inner` of segment `segment`, row or column `other`. */
export interface Factor {
  /** The axis that neighbouring lanes go along: where memory lies together. */
  readonly along: 'k' | 'other';
  /** The element there; what depends on `other` alone may be computed before. */
  one(at: Inside, batch: string, segment: string, inner: string, other: string): string;
  /** The four from there along `along`, as a vector; null where memory has none. */
  readonly four: Factor['one'] | null;
}

export interface Product {
  readonly title: string;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  /** Positions of k in a segment; there are `segments`, as many as `segmentsOf` writes where that depends on the batch. */
  readonly k: number;
  readonly segments: number;
  segmentsOf?(block: Block, batch: string): string;
  readonly dtype: Compute;
  readonly a: Factor;
  readonly b: Factor;
  /** Bindings that are read or written by vectors. */
  readonly vectors: readonly string[];
  /** Writes what is stored of one element of C; of four columns that follow each other, where that is possible. */
  store(block: Block, batch: string, row: string, column: string, sum: string): void;
  readonly store4: Product['store'] | null;
  /** A dispatch before, such as one that lays A out in scratch; words of scratch that are taken. */
  readonly first?: { readonly dispatches: readonly Dispatch[]; readonly words: number };
}

/** Positions in the tile of the four rows or columns in a thread's q-th vector: base, and how far apart they are. */
interface Four {
  base(q: number): string;
  readonly gap: number;
}
function fours({ along, four }: Factor, lane: string, lanes: number, size: number): Four {
  const from = (scale: number, step: number) => (q: number) =>
    `${scale === 1 ? lane : `${lane} * ${scale}u`}${q ? ` + ${q * step}u` : ''}`;
  if (along === 'k') return { base: from(1, 4 * lanes), gap: lanes };
  return four ? { base: from(4, 4 * lanes), gap: 1 } : { base: from(1, lanes), gap: size / 4 };
}

/** A product by tiles or on tensor cores. */
export const productBy = (kernel: Kernel, target: Target, of: Product, choice: Tiled | ByMatrix): Program =>
  choice.way === 'tiles'
    ? product(kernel, target, of, choice)
    : (target.matrix as NonNullable<Target['matrix']>).by.matrix(kernel, target, of, choice);

export function product(kernel: Kernel, target: Target, of: Product, { tile, splits }: Tiled): Program {
  const { batch, m, n, k, a, b } = of;
  const [perM, perN] = tile.perThread;
  const [lanesM, lanesN] = [tile.m / perM, tile.n / perN];
  const threads = threadsOf(tile);
  const [tilesM, tilesN] = [Math.ceil(m / tile.m), Math.ceil(n / tile.n)];
  const type = carriedAs(of.dtype);
  const words = of.first?.words ?? 0;
  const size = `${batch} × (${m} × ${of.segments > 1 ? `${of.segments} · ` : ''}${k}) · (${of.segments > 1 ? `${of.segments} · ` : ''}${k} × ${n})`;
  const header = [
    of.title,
    `${size}, tile ${tile.m} × ${tile.n} × ${tile.k}, ${perM} × ${perN} a thread, ${threads} threads${tile.ahead ? ', ahead' : ''}${splits > 1 ? `, k in ${splits} parts` : ''}`,
  ];
  const vectors = new Set(of.vectors).add('scratch');
  const options = {
    header,
    threads,
    groups: batch * splits * tilesM * tilesN,
    scratch: words > 0 || splits > 1,
    vectors,
  };
  const main = dispatch(kernel, target, options, (block) => {
    const each = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i));
    const slabs = Math.ceil(k / tile.k);
    whereIs(block, 'group', of, tilesM, tilesN, tile, splits);
    block.line(`let laneRow = lane / ${lanesN}u;`, `let laneColumn = lane % ${lanesN}u;`);
    const total = of.segmentsOf ? `${of.segmentsOf(block, 'batch')} * ${slabs}u` : `${of.segments * slabs}u`;
    if (splits === 1) block.line('let first = 0u;', `let last = ${total};`);
    else {
      block.line(`let share = (${total} + ${splits - 1}u) / ${splits}u;`);
      block.line('let first = part * share;', `let last = min(${total}, first + share);`);
    }
    const sums = each(perM * (perN / 4), (i) => `c${Math.floor(i / (perN / 4))}_${i % (perN / 4)}`);
    block.line(...sums.map((name) => `var ${name} = vec4<${type}>();`));

    const inside = block.inside();
    if (of.segments === 1) inside.line(`let start = slab * ${tile.k}u;`);
    else inside.line(`let segment = slab / ${slabs}u;`, `let start = slab % ${slabs}u * ${tile.k}u;`);
    const slabA = stage(inside, block, 'A', a, tile.m, m, of, tile, type);
    const slabB = stage(inside, block, 'B', b, tile.n, n, of, tile, type);
    const multiply = multiplied(a, b, tile, tile.ahead ? ['copyA', 'copyB'] : ['', '']);
    if (tile.ahead) {
      block.line(...[...slabA.names, ...slabB.names].map((name) => `var ${name}: vec4<${type}>;`), '');
      block.line(
        'for (var slab = first; slab <= last; slab++) {',
        'if (slab < last) {',
        ...inside.lines,
        ...slabA.load,
        ...slabB.load,
        '}',
        'if (slab > first) {',
        `let copyA = (slab + 1u) % 2u * ${slabA.vectors}u;`,
        `let copyB = (slab + 1u) % 2u * ${slabB.vectors}u;`,
        ...multiply,
        '}',
        'if (slab < last) {',
        ...slabA.put(`slab % 2u * ${slabA.vectors}u + `),
        ...slabB.put(`slab % 2u * ${slabB.vectors}u + `),
        '}',
        'workgroupBarrier();',
        '}',
      );
    } else {
      block.line('', 'for (var slab = first; slab < last; slab++) {', ...inside.lines);
      block.line(...slabA.put(''), ...slabB.put(''), 'workgroupBarrier();', ...multiply, 'workgroupBarrier();', '}');
    }

    const vectorsOfSums = perM * (perN / 4);
    if (splits > 1) {
      block.line('', `let mine = ${words / 4}u + group * ${vectorsOfSums * threads}u + lane;`);
      block.line(...sums.map((sum, e) => `scratch[mine + ${e * threads}u] = bitcast<vec4<u32>>(${sum});`));
      return;
    }
    finish(block, of, tile);
    block.line('');
    const rows = fours(a, 'laneRow', lanesM, tile.m);
    const columns = fours(b, 'laneColumn', lanesN, tile.n);
    for (let i = 0; i < perM; i++) {
      const row = `firstRow + ${rows.base(i >> 2)}${i & 3 ? ` + ${(i & 3) * rows.gap}u` : ''}`;
      for (let j = 0; j < perN / 4; j++) {
        block.line(`finish(batch, ${row}, firstColumn + ${columns.base(j)}, c${i}_${j});`);
      }
    }
  });
  const before = of.first?.dispatches ?? [];
  if (splits === 1) return { dispatches: [...before, main], scratch: words };
  const joined = join(kernel, target, of, { way: 'tiles', tile, splits }, header);
  return {
    dispatches: [...before, main, joined],
    scratch: words + splits * batch * tilesM * tilesN * tile.m * tile.n,
  };
}

/** Which tile of which matrix the workgroup makes: in bands of `band` rows of tiles, so that those at work share B. */
function whereIs(
  block: Block,
  group: string,
  { batch }: Product,
  tilesM: number,
  tilesN: number,
  tile: Tile,
  splits: number,
): void {
  const band = 8;
  const count = tilesM * tilesN;
  const rest = batch * splits === 1 ? '0u' : count === 1 ? group : `${group} / ${count}u`;
  const place = batch * splits === 1 ? group : count === 1 ? '0u' : `${group} % ${count}u`;
  block.line(`let batch = ${batch === 1 ? '0u' : splits > 1 ? `${rest} / ${splits}u` : rest};`);
  if (splits > 1) block.line(`let part = ${batch === 1 ? rest : `${rest} % ${splits}u`};`);
  if (tilesM <= band) {
    block.line(`let firstRow = ${tilesM <= 1 ? '0u' : `${place} % ${tilesM}u * ${tile.m}u`};`);
    block.line(`let firstColumn = ${tilesN <= 1 ? '0u' : `${place} / ${tilesM}u * ${tile.n}u`};`);
    return;
  }
  block.line(
    `let place = ${place};`,
    `let top = place / ${band * tilesN}u * ${band}u;`,
    `let height = min(${band}u, ${tilesM}u - top);`,
    `let firstRow = (top + place % ${band * tilesN}u % height) * ${tile.m}u;`,
    `let firstColumn = place % ${band * tilesN}u / height * ${tile.n}u;`,
  );
}

/** How a slab comes to workgroup memory: the values as texts or, `ahead`, as names that are loaded first and put later. */
interface Staged {
  readonly names: readonly string[];
  readonly load: readonly string[];
  put(copy: string): string[];
  /** Vectors of a copy. */
  readonly vectors: number;
}

function stage(
  block: Block,
  before: Block,
  name: 'A' | 'B',
  factor: Factor,
  size: number,
  most: number,
  { k, segments }: Product,
  tile: Tile,
  type: Carried,
): Staged {
  const threads = threadsOf(tile);
  const alongK = factor.along === 'k';
  const across = alongK ? tile.k / 4 : size / 4; // vectors that follow each other in the slab
  const count = (size * tile.k) / 4;
  const vectors = alongK ? size * (across + 1) : count;
  const each = Math.ceil(count / threads);
  before.shader.declare(
    `var<workgroup> slab${name}: array<vec4<${type}>, ${vectors * (tile.ahead ? 2 : 1)}>; // ${alongK ? `[${size}][k/4 + 1]` : `[k][${size}/4]`}`,
  );
  const first = name === 'A' ? 'firstRow' : 'firstColumn';
  const places: string[] = [];
  const values: string[] = [];
  for (let i = 0; i < each; i++) {
    // Where threads are a multiple of `across`, a thread stays in one column of vectors.
    const e = i ? `(lane + ${i * threads}u)` : 'lane';
    const steady = threads % across === 0;
    const x = before.once(`${steady ? 'lane' : e} % ${across}u`, 'v');
    const y = before.once(steady && i ? `lane / ${across}u + ${(i * threads) / across}u` : `${e} / ${across}u`, 'v');
    places.push(alongK ? `${y} * ${across + 1}u + ${x}` : i ? `lane + ${i * threads}u` : 'lane');
    const gap = factor.four ? 1 : size / 4;
    const inner = (part: number) =>
      block.once(alongK ? `start + ${x} * 4u${part ? ` + ${part}u` : ''}` : `start + ${y}`, 'k');
    const other = (part: number) =>
      alongK
        ? before.once(`${first} + ${y}`, 'o')
        : before.once(`${first} + ${factor.four ? `${x} * 4u` : x}${part ? ` + ${part * gap}u` : ''}`, 'o');
    const guards = (part: number) => [
      ...(most % size ? [before.once(`${other(part)} < ${most}u`, 'has')] : []),
      ...(k % tile.k ? [block.once(`${inner(part)} < ${k}u`, 'in')] : []),
    ];
    const at: Inside = { block, before };
    const segment = segments > 1 ? 'segment' : '0u';
    const guarded = (zero: string, value: string, conditions: string[]) =>
      conditions.length ? `select(${zero}, ${value}, ${all(conditions)})` : value;
    if (factor.four) {
      const value = factor.four(at, 'batch', segment, inner(0), other(0));
      // Memory has whole vectors, so the first of four decides; where k or `most` is not theirs, each by itself.
      values.push(guarded(`vec4<${type}>()`, value, guards(0)));
    } else {
      const parts = [0, 1, 2, 3].map((part) =>
        guarded(`${type}(0)`, factor.one(at, 'batch', segment, inner(part), other(part)), guards(part)),
      );
      values.push(`vec4<${type}>(${parts.join(', ')})`);
    }
  }
  const names = values.map((_, i) => `next${name}${i}`);
  const ragged = count % threads > 0;
  const put = (copy: string) =>
    values.map((value, i) => {
      const line = `slab${name}[${copy}${places[i]}] = ${tile.ahead ? names[i] : value};`;
      return ragged && (i + 1) * threads > count ? `if (lane < ${count - i * threads}u) { ${line} }` : line;
    });
  return { names, load: values.map((value, i) => `${names[i]} = ${value};`), put, vectors };
}

/** A slab of A times a slab of B: four steps of k at a time where one of them lies along k, else one. */
function multiplied(a: Factor, b: Factor, tile: Tile, [copyA, copyB]: readonly [string, string]): string[] {
  const [perM, perN] = tile.perThread;
  const [lanesM, lanesN] = [tile.m / perM, tile.n / perN];
  const four = a.along === 'k' || b.along === 'k';
  const lines = [`for (var k = 0u; k < ${tile.k / (four ? 4 : 1)}u; k++) {`];
  const part = (i: number) => 'xyzw'[i & 3] as string;
  const plus = (copy: string) => (copy ? `${copy} + ` : '');
  /** Loads of vectors along k: one for each row or column of the thread. */
  const whole = (name: string, per: number, lane: string, lanes: number, copy: string) => {
    for (let i = 0; i < per; i++) {
      const row = i ? `(${lane} + ${i * lanes}u)` : lane;
      lines.push(`let ${name}${i} = slab${name.toUpperCase()}[${plus(copy)}${row} * ${tile.k / 4 + 1}u + k];`);
    }
  };
  if (a.along === 'k') whole('a', perM, 'laneRow', lanesM, copyA);
  if (b.along === 'k') whole('b', perN, 'laneColumn', lanesN, copyB);
  for (let step = 0; step < (four ? 4 : 1); step++) {
    const s = four ? `${step}_` : '';
    const at = four ? `(k * 4u${step ? ` + ${step}u` : ''})` : 'k';
    const parts = (name: string, per: number, size: number, lane: string, lanes: number, copy: string) => {
      for (let q = 0; q < per / 4; q++) {
        const slot = `${at} * ${size / 4}u + ${lane}${q ? ` + ${q * lanes}u` : ''}`;
        lines.push(`let ${name}${s}${q} = slab${name.toUpperCase()}[${plus(copy)}${slot}];`);
      }
    };
    if (a.along === 'other') parts('a', perM, tile.m, 'laneRow', lanesM, copyA);
    if (b.along === 'other') parts('b', perN, tile.n, 'laneColumn', lanesN, copyB);
    else {
      for (let q = 0; q < perN / 4; q++) {
        const columns = [0, 1, 2, 3].map((c) => `b${4 * q + c}.${part(step)}`);
        lines.push(`let t${step}_${q} = vec4(${columns.join(', ')});`);
      }
    }
    for (let i = 0; i < perM; i++) {
      const left = a.along === 'k' ? `a${i}.${part(step)}` : `a${s}${i >> 2}.${part(i)}`;
      for (let q = 0; q < perN / 4; q++) {
        lines.push(`c${i}_${q} += ${left} * ${b.along === 'k' ? `t${step}_${q}` : `b${s}${q}`};`);
      }
    }
  }
  return [...lines, '}'];
}

/** The function that a thread calls with each of its vectors of C: four columns, `gap` apart. */
function finish(block: Block, of: Product, tile: Tile): void {
  const body = new Block(block.shader, block.place);
  const { m, n } = of;
  const { gap } = fours(of.b, 'laneColumn', tile.n / tile.perThread[1], tile.n);
  const [ragM, ragN] = [m % tile.m > 0, n % tile.n > 0];
  if (of.store4 && gap === 1) {
    const guards = [...(ragM ? [`row >= ${m}u`] : []), ...(ragN ? [`column >= ${n}u`] : [])];
    if (guards.length) body.line(`if (${guards.join(' || ')}) { return; }`);
    of.store4(body, 'batch', 'row', 'column', 'sum');
  } else {
    if (ragM) body.line(`if (row >= ${m}u) { return; }`);
    body.line('for (var e = 0u; e < 4u; e++) {', `let place = column + e * ${gap}u;`);
    if (ragN) body.line(`if (place >= ${n}u) { break; }`);
    const inner = body.inside();
    of.store(inner, 'batch', 'row', 'place', 'sum[e]');
    body.line(...inner.lines, '}');
  }
  const sum = `vec4<${carriedAs(of.dtype)}>`;
  block.shader.declare([`fn finish(batch: u32, row: u32, column: u32, sum: ${sum}) {`, ...body.lines, '}'].join('\n'));
}

/** Adds the parts of each sum in their order: a workgroup takes a row of vectors of a tile, as the threads had them. */
function join(
  kernel: Kernel,
  target: Target,
  of: Product,
  { tile, splits }: Tiled,
  header: readonly string[],
): Dispatch {
  const [perM, perN] = tile.perThread;
  const [lanesM, lanesN] = [tile.m / perM, tile.n / perN];
  const threads = threadsOf(tile);
  const [tilesM, tilesN] = [Math.ceil(of.m / tile.m), Math.ceil(of.n / tile.n)];
  const options = {
    header: [...header, `the ${splits} parts of each sum added in order, and stored`],
    threads,
    groups: of.batch * tilesM * tilesN * perM,
    scratch: true,
    vectors: new Set(of.vectors).add('scratch'),
  };
  const type = carriedAs(of.dtype);
  return dispatch(kernel, target, options, (block) => {
    finish(block, of, tile);
    block.line(`let i = group % ${perM}u;`, `let made = group / ${perM}u;`);
    whereIs(block, 'made', of, tilesM, tilesN, tile, 1);
    block.line(`let laneRow = lane / ${lanesN}u;`, `let laneColumn = lane % ${lanesN}u;`);
    const rows = fours(of.a, 'laneRow', lanesM, tile.m);
    const columns = fours(of.b, 'laneColumn', lanesN, tile.n);
    const stepOfFour = of.a.along === 'k' ? 4 * lanesM : of.a.four ? 4 * lanesM : lanesM;
    block.line(`let row = firstRow + ${rows.base(0)} + i / 4u * ${stepOfFour}u + i % 4u * ${rows.gap}u;`);
    block.line(`let part0 = batch * ${splits}u * ${tilesM * tilesN}u + made % ${tilesM * tilesN}u;`);
    for (let j = 0; j < perN / 4; j++) {
      const vector = `(part0 + part * ${tilesM * tilesN}u) * ${(perM * perN * threads) / 4}u + (i * ${perN / 4}u + ${j}u) * ${threads}u + lane`;
      const from = (of.first?.words ?? 0) / 4;
      block.line(
        `var sum${j} = vec4<${type}>();`,
        `for (var part = 0u; part < ${splits}u; part++) {`,
        `sum${j} += bitcast<vec4<${type}>>(scratch[${from ? `${from}u + ` : ''}${vector}]);`,
        '}',
        `finish(batch, row, firstColumn + ${columns.base(j)}, sum${j});`,
      );
    }
  });
}
