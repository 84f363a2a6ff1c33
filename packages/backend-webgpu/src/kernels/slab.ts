/**
 * A slab of A or of B in workgroup memory, in vectors of four along the axis that memory lies together along; and a slab of A times
 * a slab of B.
 *
 *    along k       [row or column][k/4 + 1]   the extra vector spreads rows over the banks
 *    along other   [k][m/4 or n/4]            a vector of memory where memory has one; else four that are size/4 apart,
 *                                             so that neighbouring lanes load neighbours
 */
import type { Carried } from '../accumulate';
import { all } from '../place';
import type { Block } from '../shader';
import type { Factor, Inside, Product } from './product';
import { type Tile, threadsOf } from './tiles';

/** How a slab comes to workgroup memory: the values as texts or, `ahead`, as names that are loaded first and put later. */
interface Staged {
  readonly names: readonly string[];
  readonly load: readonly string[];
  put(copy: string): string[];
  /** Vectors of a copy. */
  readonly vectors: number;
}

export function stage(
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
    `var<workgroup> slab${name}: array<vec4<${type}>, ${vectors * (tile.staging === 'ahead' ? 2 : 1)}>; // ${alongK ? `[${size}][k/4 + 1]` : `[k][${size}/4]`}`,
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
    const at: Inside = { block, slab: block, before };
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
      const line = `slab${name}[${copy}${places[i]}] = ${tile.staging === 'ahead' ? names[i] : value};`;
      return ragged && (i + 1) * threads > count ? `if (lane < ${count - i * threads}u) { ${line} }` : line;
    });
  return { names, load: values.map((value, i) => `${names[i]} = ${value};`), put, vectors };
}

/** A slab of A times a slab of B: four steps of k at a time where one of them lies along k, else one. */
export function multiplied(a: Factor, b: Factor, tile: Tile, [copyA, copyB]: readonly [string, string]): string[] {
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
