/** Which element a place of a window reads, and which window reads an element: for convolution and pooling. */
import type { PoolSizes } from '@tessera/tensor/backend';
import { all } from '../place';
import type { Block } from '../shader';

type Windows = Omit<PoolSizes, 'batch'>;
/** Coordinates (i32), and the condition under which they are of something; null where they always are. */
interface Met {
  readonly coords: readonly string[];
  readonly valid: string | null;
}

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

/** The window whose place r is element q: (q + padding − r·dilation) / stride, where that is whole and a window. */
export function windowOf(block: Block, sizes: Windows, elements: readonly string[], places: readonly string[]): Met {
  const { output, stride, dilation, padding } = sizes;
  const tests: string[] = [];
  const coords = output.map((size, axis) => {
    const [s, d, p] = [stride[axis] as number, dilation[axis] as number, padding[axis] as number];
    const from = block.once(`${elements[axis]} + ${p}i - ${places[axis]} * ${d}i`, 'met');
    const window = s === 1 ? from : block.once(`${from} / ${s}i`, 'window');
    // A negative `from` gives a negative window, or one that is not whole.
    tests.push(`u32(${window}) < ${size}u`, ...(s === 1 ? [] : [`${window} * ${s}i == ${from}`]));
    return window;
  });
  return { coords, valid: all(tests) };
}
