/** Which element a place of a window reads, and which window reads an element: for convolution. */
import type { PoolSizes } from '@tessera/tensor/backend';
import { all, type Known, sumOf } from '../place';
import type { Block } from '../shader';

export type Windows = Omit<PoolSizes, 'batch'>;
/** Coordinates (i32), and the condition under which they are of something; null where they always are. */
export interface Met {
  readonly coords: readonly string[];
  readonly valid: string | null;
}

/** Coordinates as sums of two parts, each where it is known, and the condition. */
export interface Parts {
  readonly of: readonly [Known, Known];
  readonly valid: string | null;
}
/** Place r of window p reads element p·stride + r·dilation − padding, in parts: what windows give and what places in them give, each where it is known; and the condition, where both are. */
export function insideParts(sizes: Windows, windows: Known, places: Known, both: Block): Parts {
  const { input, kernel, output, stride, dilation, padding } = sizes;
  const scaled = ({ block, coords }: Known, by: readonly number[], padded: boolean): Known => ({
    block,
    coords: coords.map((coord, axis) => {
      const factor = coord === '0i' || by[axis] === 1 ? coord : `${coord} * ${by[axis]}i`;
      return block.once(sumOf([factor, padded && padding[axis] ? `${-(padding[axis] as number)}i` : '0i']), 'w');
    }),
  });
  const early = windows.block !== both; // padding goes with what is known first
  const of = [scaled(windows, stride, early), scaled(places, dilation, !early)] as const;
  const tests = input.flatMap((size, axis) => {
    const [s, d, p] = [stride[axis] as number, dilation[axis] as number, padding[axis] as number];
    const most = ((output[axis] as number) - 1) * s + ((kernel[axis] as number) - 1) * d - p;
    const at = sumOf(of.map(({ coords }) => coords[axis] as string));
    return p > 0 || most >= size ? [`u32(${both.once(at, 'at')}) < ${size}u`] : [];
  });
  const valid = all(tests);
  return { of, valid: valid && both.once(valid, 'has') };
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

/** The window whose place is an element in parts, of elements and of places; with a stride, which divides, all of it is known where both are. */
export function windowParts(sizes: Windows, elements: Known, places: Known, both: Block): Parts {
  const { output, stride, dilation, padding } = sizes;
  if (stride.some((s) => s > 1)) {
    const { coords, valid } = windowOf(both, sizes, elements.coords, places.coords);
    const of = [
      { ...elements, coords: coords.map(() => '0i') },
      { block: both, coords },
    ] as const;
    return { of, valid: valid && both.once(valid, 'has') };
  }
  const from = elements.coords.map((at, axis) => elements.block.once(sumOf([at, `${padding[axis]}i`]), 'w'));
  const less = places.coords.map((at, axis) =>
    at === '0i' ? at : places.block.once(`${at} * ${-(dilation[axis] as number)}i`, 'w'),
  );
  const valid = all(
    from.map((at, axis) => `u32(${both.once(sumOf([at, less[axis] as string]), 'w')}) < ${output[axis]}u`),
  );
  const of = [
    { block: elements.block, coords: from },
    { block: places.block, coords: less },
  ] as const;
  return { of, valid: valid && both.once(valid, 'has') };
}
