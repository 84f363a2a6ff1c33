/**
 * A slab of A times a slab of B without workgroup memory: a thread loads the rows of A and the columns of B that it multiplies
 * from storage, and its neighbours find them in a cache.
 *
 *              B ▏▏▏▏   in steps of four of k where A or B has vectors along k, else of one
 *    A ━━━━      ▒▒▒▒
 *      ━━━━      ▒▒▒▒   rows and columns beyond the edge are read somewhere and stored nowhere
 */
import { carriedAs } from '../accumulate';
import type { Block } from '../shader';
import { fours } from './in-tile';
import type { Factor, Inside, Product } from './product';
import type { Tile } from './tiles';

/** The loop over a slab; `slab` is where its segment and its `start` are known. */
export function straight(slab: Block, before: Block, of: Product, tile: Tile): string[] {
  const { a, b, k } = of;
  const [perM, perN] = tile.perThread;
  const type = carriedAs(of.dtype);
  const inner = slab.inside();
  const at: Inside = { block: inner, slab, before };
  const segment = of.segments > 1 ? 'segment' : '0u';
  const steps = [a, b].some(({ along, four }) => along === 'k' && four) ? 4 : 1;
  /** What a thread multiplies of an operand in step `s`: elements by their rows or columns, or vectors of four of them. */
  const operand = (factor: Factor, first: string, lane: string, lanes: number, size: number) => {
    const { base, gap } = fours(factor, lane, lanes, size);
    const other = (i: number) => before.once(`${first} + ${base(i >> 2)}${i & 3 ? ` + ${(i & 3) * gap}u` : ''}`, 'o');
    const place = (s: number) => inner.once(s ? `k + ${s}u` : 'k', 'k');
    const loaded = new Map<string, string>();
    const from = (read: Factor['one'], s: number, i: number) => {
      const key = `${s} ${i}`;
      const name = loaded.get(key) ?? inner.once(read(at, 'batch', segment, place(s), other(i)), 'x');
      loaded.set(key, name);
      return name;
    };
    if (!factor.four) return { one: (s: number, i: number) => from(factor.one, s, i), four: null };
    const { four } = factor;
    if (factor.along === 'k') return { one: (s: number, i: number) => `${from(four, 0, i)}.${'xyzw'[s]}`, four: null };
    const whole = (s: number, q: number) => from(four, s, 4 * q);
    return { one: (s: number, i: number) => `${whole(s, i >> 2)}.${'xyzw'[i & 3]}`, four: whole };
  };
  const rows = operand(a, 'firstRow', 'laneRow', tile.m / perM, tile.m);
  const columns = operand(b, 'firstColumn', 'laneColumn', tile.n / perN, tile.n);
  for (let s = 0; s < steps; s++) {
    for (let q = 0; q < perN / 4; q++) {
      const parts = () => [0, 1, 2, 3].map((part) => columns.one(s, 4 * q + part));
      const right = columns.four?.(s, q) ?? inner.once(`vec4<${type}>(${parts().join(', ')})`, 'b');
      for (let i = 0; i < perM; i++) inner.line(`c${i}_${q} += ${rows.one(s, i)} * ${right};`);
    }
  }
  const end = k % tile.k ? `min(start + ${tile.k}u, ${k}u)` : `start + ${tile.k}u`;
  return [`let end = ${end};`, `for (var k = start; k < end; k += ${steps}u) {`, ...inner.lines, '}'];
}
