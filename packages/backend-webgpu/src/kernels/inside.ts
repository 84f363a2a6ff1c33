/** Which element a place of a window reads, at once: for pools, and for convolutions without a product. */
import { all } from '../place';
import type { Block } from '../shader';
import type { Met, Windows } from './windows';

/** Place r of window p reads element p·stride + r·dilation − padding. */
export function inside(block: Block, sizes: Windows, windows: readonly string[], places: readonly string[]): Met {
  const { input, kernel, output, stride, dilation, padding } = sizes;
  const tests: string[] = [];
  const coords = input.map((size, axis) => {
    const [s, d, p] = [stride[axis] as number, dilation[axis] as number, padding[axis] as number];
    const at = block.once(`${windows[axis]} * ${s}i + ${places[axis]} * ${d}i - ${p}i`, 'at');
    const most = ((output[axis] as number) - 1) * s + ((kernel[axis] as number) - 1) * d - p;
    if (p > 0 || most >= size) tests.push(`u32(${at}) < ${size}u`);
    return at;
  });
  return { coords, valid: all(tests) };
}
