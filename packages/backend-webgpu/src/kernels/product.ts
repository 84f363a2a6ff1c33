/**
 * The product of matrices that matmul and the three convolutions are: C[b] = A[b] · B[b], A m × k, B k × n. What A, B and
 * the stores are, the caller says; the tile is data (tiles.ts).
 *
 *            ┌───n───┐      a workgroup makes one m × n tile (▒) of C,
 *          k │   B   │      a thread makes perThread of it, held in registers: vectors of four columns.
 *            ├───────┤      For each k-slab: stage A and B in workgroup memory, barrier, multiply, barrier;
 *    ┌─k─┐   │▒▒▒▒▒▒▒│      or, `ahead`: load slab s, multiply slab s − 1, stage slab s in the other copy, barrier.
 *  m │ A │   │▒▒▒▒▒▒▒│      or, without staging: each thread loads what it multiplies from storage (straight.ts).
 *    └───┘   └───────┘      Edges are guarded where a size is no multiple of the tile. `splits` cut the slabs: sums go to
 *                           scratch, a second dispatch adds them in order and stores.
 */
import type { Compute, Kernel } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { type Block, type Dispatch, dispatch, type Program, type Target } from '../shader';
import { fours, shareOf, whereIs } from './in-tile';
import type { ByMatrix } from './matrix';
import { type Left, leaving } from './partials';
import { finish, join } from './product-store';
import { multiplied, stage } from './slab';
import { straight } from './straight';
import { dealt, overShare, placeOfShare } from './stream-k';
import { type Tiled, threadsOf } from './tiles';

/** Where an element is asked for: in `block`; `slab` is where a slab's segment is known, `before` in front of the loop over slabs. */
export interface Inside {
  readonly block: Block;
  readonly slab: Block;
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
  /** Sums over its columns that it leaves, too (partials.ts); tiles only. */
  readonly left?: Left | null;
  /** A dispatch before, such as one that lays A out in scratch; words of scratch that are taken. */
  readonly first?: { readonly dispatches: readonly Dispatch[]; readonly words: number };
}

/** A product by tiles or on tensor cores. */
export const productBy = (kernel: Kernel, target: Target, of: Product, choice: Tiled | ByMatrix): Program =>
  choice.way === 'tiles'
    ? product(kernel, target, of, choice)
    : (target.matrix as NonNullable<Target['matrix']>).by.matrix(kernel, target, of, choice);

export function product(kernel: Kernel, target: Target, of: Product, choice: Tiled): Program {
  const { tile, splits, shares } = choice;
  const { batch, m, n, k, a, b } = of;
  const [perM, perN] = tile.perThread;
  const [lanesM, lanesN] = [tile.m / perM, tile.n / perN];
  const threads = threadsOf(tile);
  const [tilesM, tilesN] = [Math.ceil(m / tile.m), Math.ceil(n / tile.n)];
  const type = carriedAs(of.dtype);
  const words = of.first?.words ?? 0;
  const deal = shares ? dealt(of, tile, shares) : null;
  const size = `${batch} × (${m} × ${of.segments > 1 ? `${of.segments} · ` : ''}${k}) · (${of.segments > 1 ? `${of.segments} · ` : ''}${k} × ${n})`;
  const header = [
    of.title,
    `${size}, tile ${tile.m} × ${tile.n} × ${tile.k}, ${perM} × ${perN} a thread, ${threads} threads${{ once: '', ahead: ', ahead', none: ', from storage' }[tile.staging]}${splits > 1 ? `, k in ${splits} parts` : ''}${deal ? `, slabs dealt to ${deal.groups} groups` : ''}`,
  ];
  const vectors = new Set(of.vectors).add('scratch');
  const options = {
    header,
    threads,
    groups: deal?.groups ?? batch * splits * tilesM * tilesN,
    scratch: words > 0 || splits > 1 || deal !== null,
    vectors,
  };
  const main = dispatch(kernel, target, options, (block) => {
    const each = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i));
    const slabs = Math.ceil(k / tile.k);
    if (deal) block.line(...overShare(deal, batch * tilesM * tilesN));
    whereIs(block, deal ? 'made' : 'group', of, tilesM, tilesN, tile, splits);
    block.line(`let laneRow = lane / ${lanesN}u;`, `let laneColumn = lane % ${lanesN}u;`);
    const total = of.segmentsOf ? `${of.segmentsOf(block, 'batch')} * ${slabs}u` : `${of.segments * slabs}u`;
    if (!deal) shareOf(block, total, splits);
    const sums = each(perM * (perN / 4), (i) => `c${Math.floor(i / (perN / 4))}_${i % (perN / 4)}`);
    block.line(...sums.map((name) => `var ${name} = vec4<${type}>();`));

    const inside = block.inside();
    if (of.segments === 1) inside.line(`let start = slab * ${tile.k}u;`);
    else inside.line(`let segment = slab / ${slabs}u;`, `let start = slab % ${slabs}u * ${tile.k}u;`);
    if (tile.staging === 'none') {
      const loop = straight(inside, block, of, tile);
      block.line('', 'for (var slab = first; slab < last; slab++) {', ...inside.lines, ...loop, '}');
    } else {
      const slabA = stage(inside, block, 'A', a, tile.m, m, of, tile, type);
      const slabB = stage(inside, block, 'B', b, tile.n, n, of, tile, type);
      const multiply = multiplied(a, b, tile, tile.staging === 'ahead' ? ['copyA', 'copyB'] : ['', '']);
      if (tile.staging === 'ahead') {
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
    }

    const vectorsOfSums = perM * (perN / 4);
    const place = deal ? `(${placeOfShare})` : 'group';
    const left = [
      `let mine = ${words / 4}u + ${place} * ${vectorsOfSums * threads}u + lane;`,
      ...sums.map((sum, e) => `scratch[mine + ${e * threads}u] = bitcast<vec4<u32>>(${sum});`),
    ];
    if (splits > 1) {
      block.line('', ...left);
      return;
    }
    finish(block, of, tile);
    block.line('');
    if (deal) block.line(`if (last - first < ${deal.slabs}u) {`, ...left, '} else {');
    const rows = fours(a, 'laneRow', lanesM, tile.m);
    const columns = fours(b, 'laneColumn', lanesN, tile.n);
    const leave = of.left && leaving(block, of, tile, target);
    for (let i = 0; i < perM; i++) {
      const row = `firstRow + ${rows.base(i >> 2)}${i & 3 ? ` + ${(i & 3) * rows.gap}u` : ''}`;
      const values = each(perN / 4, (j) => `c${i}_${j}`);
      // before stores, which may write over what the sums read
      if (leave) block.line(leave(row, values));
      values.forEach((value, j) => {
        block.line(`finish(batch, ${row}, firstColumn + ${columns.base(j)}, ${value});`);
      });
    }
    if (deal) block.line('}', 'at += last - first;', '}');
  });
  const before = of.first?.dispatches ?? [];
  if (splits === 1 && !deal) return { dispatches: [...before, main], scratch: words };
  const parts = deal ? 2 * deal.groups : splits * batch * tilesM * tilesN;
  const joined = join(kernel, target, of, choice, deal, header);
  return { dispatches: [...before, main, joined], scratch: words + parts * tile.m * tile.n };
}
