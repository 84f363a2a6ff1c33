/**
 * Updates at computed places, in their order and without atomics: the updates are sorted by place, stable, so those of an
 * element lie together in their own order; then a thread an element finds its first by halving and takes them in turn.
 * An update whose place is outside gets a key behind all elements.
 */
import { rowMajor, type ScatterKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, fromCarried, join, toCarried } from '../accumulate';
import { mergeSort } from '../merge-sort';
import { all, atLinear } from '../place';
import { type Block, dispatch, type Program, type Target } from '../shader';

export const tile = { threads: 64 } as const;

export function scatter(kernel: ScatterKernel, target: Target): Program {
  const { shape, updates, combine, init, value, stores } = kernel;
  const [size, count] = [sizeOf(shape), sizeOf(updates)];
  const title = `scatter ${combine} [${updates}] into [${shape}]`;
  if (size === 0) return { dispatches: [], scratch: 0 };
  const sorted = count
    ? mergeSort(kernel, target, { title, rows: 1, length: count }, (block, _, position) =>
        placeOf(block, kernel, position),
      )
    : null;
  const options = {
    header: [title, `a thread an element, ${tile.threads} a workgroup`],
    threads: tile.threads,
    groups: Math.ceil(size / tile.threads),
    scratch: sorted !== null,
  };
  const last = dispatch(kernel, target, options, (block) => {
    const i = block.bind(`group * ${tile.threads}u + lane`, 'i');
    if (size % tile.threads) block.line(`if (${i} >= ${size}u) { return; }`);
    const element = block.at(atLinear(i, shape));
    const type = carriedAs(init.dtype);
    block.line(`var acc0: ${type} = ${toCarried(element.value(init), init.dtype)};`);
    if (sorted) {
      block.line(
        'var low = 0u;',
        `var high = ${count}u;`,
        'while (low < high) {',
        'let middle = (low + high) / 2u;',
        `if (${sorted.key('0u', 'middle')} < ${i}) { low = middle + 1u; } else { high = middle; }`,
        '}',
        `for (var n = low; n < ${count}u && ${sorted.key('0u', 'n')} == ${i}; n++) {`,
        `let update = ${sorted.place('0u', 'n')};`,
      );
      const taken = toCarried(block.at(atLinear('update', updates)).value(value), value.dtype);
      block.line(`acc0 = ${combine === 'assign' ? taken : join(combine, type, block.shader)('acc0', taken)};`, '}');
    }
    block.at(atLinear(i, shape, () => fromCarried('acc0', init.dtype))).store(stores);
  });
  return { dispatches: [...(sorted?.dispatches ?? []), last], scratch: sorted?.scratch ?? 0 };
}

/** The element that update `position` names, or the number of elements where it names none. */
function placeOf(block: Block, { shape, updates, at }: ScatterKernel, position: string): string {
  const update = block.at(atLinear(position, updates));
  const coords = at.map((one) => update.value(one));
  const strides = rowMajor(shape);
  const place = coords.map((coord, axis) => `u32(${coord}) * ${strides[axis]}u`).join(' + ') || '0u';
  const valid = all(coords.map((coord, axis) => `u32(${coord}) < ${shape[axis]}u`));
  return valid ? `select(${sizeOf(shape)}u, ${place}, ${valid})` : place;
}
