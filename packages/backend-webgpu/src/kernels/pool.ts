/**
 * Pooling over windows: a thread an element of the result. Backward, the thread of an input element goes through the windows
 * that contain it, in the order of their places, so that sums need no atomics and have one order.
 */
import { type PoolKernel, sizeOf } from '@tessera/tensor/backend';
import { beats, carriedAs, fromCarried, start, toCarried } from '../accumulate';
import { atCoords, atLinear, unravel } from '../place';
import { type Block, dispatch, type Program, type Target } from '../shader';
import { inside, windowOf } from './windows';

export const tile = { threads: 64 } as const;

export function pool(kernel: PoolKernel, target: Target): Program {
  const { direction, combine, sizes, stores, a } = kernel;
  const { batch, input, output, kernel: window } = sizes;
  const shape = [batch, ...(direction === 'forward' ? output : input)];
  const size = sizeOf(shape);
  const header = [
    `pool ${combine} ${direction} [${[batch, ...input]}] windows ${window} stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding}`,
    `a thread an element of the result, ${tile.threads} a workgroup`,
  ];
  const groups = Math.ceil(size / tile.threads);
  const main = dispatch(kernel, target, { header, threads: tile.threads, groups }, (block) => {
    const i = block.bind(`group * ${tile.threads}u + lane`, 'i');
    if (size % tile.threads) block.line(`if (${i} >= ${size}u) { return; }`);
    const coords = shape.map((_, axis) => block.bind(unravel(i, shape, axis), 'c'));
    const best = direction === 'forward' && combine === 'max';
    block.line(`var acc0: ${carriedAs(a.dtype)} = ${start(best ? 'max' : 'sum', a.dtype, block.shader)};`);
    block.line('var acc1 = -1i;', `for (var tap = 0u; tap < ${sizeOf(window)}u; tap++) {`);
    const places = window.map((_, axis) => block.bind(unravel('tap', window, axis), 'r'));
    if (direction === 'forward') forward(block, kernel, coords, places);
    else backward(block, kernel, coords, places);
    block.line('}');
    const acc = (index: number) => (index === 0 ? fromCarried('acc0', a.dtype) : 'acc1');
    block.at(atLinear(i, shape, acc)).store(stores);
  });
  return { dispatches: [main], scratch: 0 };
}

function forward(
  block: Block,
  { a, combine, sizes }: PoolKernel,
  [image = '0i', ...windows]: string[],
  places: string[],
) {
  const { coords, valid } = inside(block, sizes, windows, places);
  if (valid) block.line(`if (${valid}) {`);
  const value = block.bind(toCarried(block.at(atCoords([image, ...coords])).value(a), a.dtype));
  if (combine === 'sum') block.line(`acc0 += ${value};`);
  else {
    const better = beats('max', carriedAs(a.dtype), block.shader)(value, 'acc0');
    const place = linearOf(coords, sizes.input);
    block.line(`if (acc1 < 0i || ${better}) { acc0 = ${value}; acc1 = ${place}; }`);
  }
  if (valid) block.line('}');
}

function backward(block: Block, { a, b, sizes }: PoolKernel, [image = '0i', ...elements]: string[], places: string[]) {
  const { coords, valid } = windowOf(block, sizes, elements, places);
  block.line(`if (${valid ?? 'true'}) {`);
  const at = block.at(atCoords([image, ...coords]));
  const value = toCarried(at.value(a), a.dtype);
  if (b) block.line(`if (${at.value(b)} == ${linearOf(elements, sizes.input)}) { acc0 += ${value}; }`);
  else block.line(`acc0 += ${value};`);
  block.line('}');
}

/** The row-major position of coordinates. */
const linearOf = (coords: readonly string[], shape: readonly number[]): string =>
  coords.reduce((sum, coord, axis) => (axis === 0 ? coord : `(${sum}) * ${shape[axis]}i + ${coord}`), '0i');
