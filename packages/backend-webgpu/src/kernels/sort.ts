/**
 * Sorting along an axis: keys whose order as u32 is the one wanted, sorted with their places; then the values are fetched, by the
 * workgroup that sorted them where it had the whole row.
 */
import { type Compute, type SortKernel, sizeOf } from '@tessera/tensor/backend';
import { atCoords, unravel } from '../place';
import { type Block, dispatch, type Program, type Shader, type Target } from '../shader';
import { type Keys, sortedRows, tile } from './sorted-rows';

/** A u32 that orders as the value does: NaN last, −0 as 0. */
function keyOf(value: string, dtype: Compute, shader: Shader): string {
  if (dtype === 'bool') return `u32(${value})`;
  if (dtype === 'int32') return `u32(${value}) ^ 0x80000000u`;
  shader.use('isNan');
  shader.declare(`fn orderOf(x: f32) -> u32 {
let bits = bitcast<u32>(x);
if (isNan(x)) { return 0xffffffffu; }
if (x == 0.0f) { return 0x80000000u; }
return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}`);
  return `orderOf(${value})`;
}

export function sort(kernel: SortKernel, target: Target, given?: Keys['tile']): Program {
  const { shape, axis, descending, k, a, stores } = kernel;
  const length = shape[axis] as number;
  const others = shape.filter((_, i) => i !== axis);
  const rows = sizeOf(others);
  const coords = (block: Block, row: string, position: string) =>
    shape.map((_, i) => (i === axis ? position : block.bind(unravel(row, others, i < axis ? i : i - 1), 'c')));
  const title = `sort [${shape}] along ${axis}${descending ? ', descending' : ''}, the first ${k} · ${rows} rows of ${length}`;
  if (rows * k === 0) return { dispatches: [], scratch: 0 };

  const fetch = (block: Block, row: string, rank: string, place: string) => {
    const from = block.bind(`i32(${place})`, 'from');
    const value = block.bind(block.at(atCoords(coords(block, row, from))).value(a));
    const at = atCoords(coords(block, row, `i32(${rank})`), (index) => (index === 0 ? value : from));
    const inside = block.inside();
    inside.at(at).store(stores);
    block.line(...(k < length ? [`if (${rank} < ${k}u) {`, ...inside.lines, '}'] : inside.lines));
  };
  const sorted = sortedRows(kernel, target, {
    title,
    rows,
    length,
    tile: given,
    keyOf(block, row, position) {
      const value = block.at(atCoords(coords(block, row, `i32(${position})`))).value(a);
      const key = keyOf(value, a.dtype, block.shader);
      return descending ? `~(${key})` : key;
    },
    deliver: fetch,
  });
  if (sorted.scratch === 0) return sorted;
  const threads = Math.min(given?.fetch ?? tile.fetch, target.threads);
  const options = {
    header: [title, 'the values, fetched'],
    threads,
    groups: Math.ceil((rows * k) / threads),
    scratch: true,
  };
  const last = dispatch(kernel, target, options, (block) => {
    const i = block.bind(`group * ${threads}u + lane`, 'i');
    if ((rows * k) % threads) block.line(`if (${i} >= ${rows * k}u) { return; }`);
    block.line(`let row = ${i} / ${k}u;`, `let rank = ${i} % ${k}u;`);
    fetch(block, 'row', 'rank', sorted.place('row', 'rank'));
  });
  return { dispatches: [...sorted.dispatches, last], scratch: sorted.scratch };
}
