/**
 * Pooling over windows: a thread has one element of the result, or four in a row, whose windows share what they read.
 *
 *   forward       x ░░▒▒▒▒▒▒▒░░░   windows of 3, stride 2: four results stand on nine of a row of x, which come as vectors
 *                     ├─┤              (each wholly inside of x or wholly outside)
 *                       ├─┤
 *                         ├─┤
 *                           ├─┤
 *   backward      g   ▒ ▒ ▒        four of x stand in three windows of a row of g: each window is read once, and gives its g
 *                 x  ▒▒▒▒              to those of its elements that it is for. A gather, in one order: no atomics.
 */
import { type Expr, type PoolKernel, sizeOf } from '@tessera/tensor/backend';
import { beats, type Carried, carriedAs, fromCarried, start, toCarried } from '../accumulate';
import { all, atCoords, unravel } from '../place';
import { type Block, dispatch, type Program, type Target } from '../shader';
import { Quad, vectorStores, vectorsOf } from '../vector';
import { inside } from './inside';
import { windowOf } from './windows';

export interface ByWindows {
  readonly way: 'windows';
  /** Elements of the result that a thread has along the last axis. */
  readonly each: 1 | 4;
  /** Of a workgroup, where they are others than the tile's. */
  readonly threads?: number;
}

export const tile = {
  threads: 64,
  /** Windows up to this long along the last axis are written out. */
  longest: 8,
} as const;
/** Threads that a tuner tries in place of the tile's. */
const tried = [128, 256];

/** Four in a row where vectors are stored, and read (forward) or it is known beforehand which of them a window covers. */
export function poolChoices(kernel: PoolKernel, target: Target): ByWindows[] {
  const { direction, sizes, stores } = kernel;
  const axis = sizes.input.length;
  const of = (list: readonly number[]) => list[axis - 1] as number;
  const [window, stride, dilation] = [of(sizes.kernel), of(sizes.stride), of(sizes.dilation)];
  const known =
    direction === 'forward' ? vectorsOf(kernel.a, axis, kernel).length > 0 : dilation === 1 && 4 % stride === 0;
  const four = axis > 0 && known && window <= tile.longest && vectorStores(stores, axis, kernel);
  const eachs = four ? ([4, 1] as const) : ([1] as const);
  const counts = [{}, ...tried.filter((count) => count <= target.threads).map((threads) => ({ threads }))];
  return counts.flatMap((of) => eachs.map((each): ByWindows => ({ way: 'windows', each, ...of })));
}

export function pool(kernel: PoolKernel, target: Target, choice: ByWindows): Program {
  const { each, threads: perGroup } = { ...tile, ...choice };
  const { direction, combine, sizes, stores, a } = kernel;
  const { batch, input, output, kernel: window } = sizes;
  const shape = [batch, ...(direction === 'forward' ? output : input)];
  const last = shape.length - 1;
  const count = sizeOf(shape) / each;
  const header = [
    `pool ${combine} ${direction} [${[batch, ...input]}] windows ${window} stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding}`,
    `a thread ${each} of the result, ${perGroup} a workgroup`,
  ];
  const loads = direction === 'forward' ? vectorsOf(a, last, kernel) : [];
  const vectors = new Set(each === 4 ? [...(vectorStores(stores, last, kernel) ?? []), ...loads] : []);
  const options = { header, threads: perGroup, groups: Math.ceil(count / perGroup), vectors };
  const main = dispatch(kernel, target, options, (block) => {
    const i = block.bind(`group * ${perGroup}u + lane`, 'i');
    if (count % perGroup) block.line(`if (${i} >= ${count}u) { return; }`);
    const threads = shape.map((size, axis) => (axis === last ? size / each : size));
    const coords = threads.map((_, axis) =>
      block.bind(`${unravel(i, threads, axis)}${axis === last && each > 1 ? ` * ${each}i` : ''}`, 'c'),
    );
    const best = direction === 'forward' && combine === 'max';
    const type = carriedAs(a.dtype);
    const first = start(best ? 'max' : 'sum', a.dtype, block.shader);
    for (let k = 0; k < each; k++) {
      block.line(`var value${k}: ${type} = ${first};`);
      if (direction === 'forward') block.line(`var place${k} = -1i;`);
    }
    if (direction === 'forward') forward(block, kernel, coords, each);
    else backward(block, kernel, coords, each);
    const acc = (k: number, index: number) => (index === 0 ? fromCarried(`value${k}`, a.dtype) : `place${k}`);
    if (each === 4) new Quad(block, coords, last, acc).store(stores);
    else block.at(atCoords(coords, (index) => acc(0, index))).store(stores);
  });
  return { dispatches: [main], scratch: 0 };
}

/** Loops round what is inside; `r0`, `r1` … are the places of the window. */
function eachPlace(block: Block, window: readonly number[], body: (inside: Block, places: string[]) => void): void {
  const within = block.inside();
  body(
    within,
    window.map((_, axis) => `r${axis}`),
  );
  block.line(...window.map((size, axis) => `for (var r${axis} = 0i; r${axis} < ${size}i; r${axis}++) {`));
  block.line(...within.lines, ...window.map(() => '}'));
}

type Sizes = PoolKernel['sizes'];
const without = <T>(list: readonly T[]): T[] => list.slice(0, -1);
/** Windows over all axes but the last. */
const leading = (sizes: Sizes): Sizes => ({
  ...sizes,
  input: without(sizes.input),
  kernel: without(sizes.kernel),
  output: without(sizes.output),
});

/** Result k takes a value of x, where it is one. */
function take(block: Block, { a, combine }: PoolKernel, k: number, value: string, place: string, valid: string | null) {
  const type = carriedAs(a.dtype);
  if (combine === 'sum') {
    block.line(`value${k} += ${valid ? `select(${none(type)}, ${value}, ${valid})` : value};`);
    return;
  }
  const better = beats('max', type, block.shader)(value, `value${k}`);
  const test = all([...(valid ? [valid] : []), `(place${k} < 0i) | ${better}`]);
  block.line(`if (${test}) { value${k} = ${value}; place${k} = ${place}; }`);
}
const none = (type: Carried) => (type === 'f32' ? '0.0f' : '0i');

function forward(block: Block, kernel: PoolKernel, [image = '0i', ...windows]: string[], each: 1 | 4): void {
  const { a, sizes } = kernel;
  if (each === 1) {
    eachPlace(block, sizes.kernel, (within, places) => {
      const { coords, valid } = inside(within, sizes, windows, places);
      const value = within.bind(read(within, a, [image, ...coords]));
      take(within, kernel, 0, value, linearOf(coords, sizes.input), valid && within.once(valid, 'has'));
    });
    return;
  }
  const axis = sizes.input.length - 1;
  const of = (list: readonly number[]) => list[axis] as number;
  const [width, stride, dilation, padding] = [of(sizes.input), of(sizes.stride), of(sizes.dilation), of(sizes.padding)];
  eachPlace(block, without(sizes.kernel), (within, places) => {
    const { coords, valid } = inside(within, leading(sizes), without(windows), places);
    const column = within.bind(`${windows[axis]} * ${stride}i`, 'first');
    /** Element `offset` of the row from the first of the first window on, and whether there is one; vectors are read once. */
    const element = (offset: number) => {
      const from = Math.floor(offset / 4) * 4;
      const at = within.once(`${column} + ${from}i`, 'at');
      const most = (of(sizes.output) - 4) * stride + from;
      const bound = from < 0 || most >= width ? `u32(${at}) < ${width}u` : null;
      const test = all([valid, bound].filter((one) => one !== null));
      const has = test && within.once(test, 'has');
      const place = [image, ...coords, at];
      let vector = vectors.get(from);
      if (!vector) {
        vector = within.bind(new Quad(within, place, axis + 1).value(a, carriedAs(a.dtype)), 'four');
        vectors.set(from, vector);
      }
      return { value: `${vector}.${'xyzw'[offset - from]}`, has };
    };
    const vectors = new Map<number, string>();
    const row = within.bind(`(${linearOf(coords, sizes.input)}) * ${width}i + ${column}`, 'row');
    const read1 = new Map<number, { value: string; has: string | null }>();
    for (let k = 0; k < each; k++) {
      for (let r = 0; r < of(sizes.kernel); r++) {
        const offset = k * stride + r * dilation - padding;
        const found = read1.get(offset) ?? element(offset);
        const value = within.once(found.value, 'x');
        read1.set(offset, { ...found, value });
        take(within, kernel, k, value, `${row} + ${offset}i`, found.has);
      }
    }
  });
}

const read = (block: Block, expr: Expr, coords: readonly string[]): string =>
  toCarried(block.at(atCoords(coords)).value(expr), expr.dtype);

function backward(block: Block, kernel: PoolKernel, [image = '0i', ...elements]: string[], each: 1 | 4): void {
  const { a, b, sizes } = kernel;
  const type = carriedAs(a.dtype);
  const mine = linearOf(elements, sizes.input);
  /** Element k takes what a window has for it. */
  const give = (at: Block, k: number, value: string, named: string | null, valid: string | null) => {
    const test = all([valid, named && `${named} == ${mine}${k ? ` + ${k}i` : ''}`].filter((one) => one !== null));
    at.line(`value${k} += ${test ? `select(${none(type)}, ${value}, ${test})` : value};`);
  };
  const rest = each === 1 ? sizes : leading(sizes);
  metBy(block, rest, elements, (within, met, valid) => {
    if (each === 1) {
      const coords = [image, ...met];
      give(within, 0, within.bind(read(within, a, coords)), b && within.bind(read(within, b, coords)), valid);
      return;
    }
    const axis = sizes.input.length - 1;
    const of = (list: readonly number[]) => list[axis] as number;
    const [window, stride, padding, count] = [of(sizes.kernel), of(sizes.stride), of(sizes.padding), of(sizes.output)];
    const first = within.bind(`${elements[axis]} / ${stride}i`, 'first');
    const most = (of(sizes.input) - 4) / stride;
    // Window first + c covers element k where its place there, k + padding − c·stride, is one of the window's.
    for (let c = Math.ceil((padding - window + 1) / stride); c <= Math.floor((padding + 3) / stride); c++) {
      const at = within.once(`${first} + ${c}i`, 'at');
      const bound = c < 0 || most + c >= count ? `u32(${at}) < ${count}u` : null;
      const test = all([valid, bound].filter((one) => one !== null));
      const has = test && within.once(test, 'has');
      const coords = [image, ...met, at];
      const [value, named] = [within.bind(read(within, a, coords)), b && within.bind(read(within, b, coords))];
      for (let k = 0; k < each; k++) {
        const place = k + padding - c * stride;
        if (place >= 0 && place < window) give(within, k, value, named, has);
      }
    }
  });
}

/** Loops over the windows that cover an element: from the first to the last of an axis, or by their places where it is dilated. */
function metBy(
  block: Block,
  sizes: Sizes,
  elements: readonly string[],
  body: (within: Block, coords: string[], valid: string | null) => void,
): void {
  const within = block.inside();
  const dilated = sizes.kernel.some((size, axis) => size > 1 && (sizes.dilation[axis] as number) > 1);
  if (dilated) {
    eachPlace(block, sizes.kernel, (at, places) => {
      const { coords, valid } = windowOf(at, sizes, elements, places);
      body(at, [...coords], valid && at.once(valid, 'has'));
    });
    return;
  }
  const heads = sizes.kernel.map((window, axis) => {
    const [s, p, count] = [sizes.stride[axis] as number, sizes.padding[axis] as number, sizes.output[axis] as number];
    // ⌈(q + p − window + 1)/s⌉, where a numerator below 0 would round toward it
    const from = `max(${elements[axis]} + ${p - window + s}i, 0i)${s > 1 ? ` / ${s}i` : ''}`;
    const to = `min((${elements[axis]} + ${p}i)${s > 1 ? ` / ${s}i` : ''}, ${count - 1}i)`;
    return `for (var u${axis} = ${from}; u${axis} <= ${to}; u${axis}++) {`;
  });
  body(
    within,
    sizes.kernel.map((_, axis) => `u${axis}`),
    null,
  );
  block.line(...heads, ...within.lines, ...heads.map(() => '}'));
}

/** The row-major position of coordinates. */
const linearOf = (coords: readonly string[], shape: readonly number[]): string =>
  coords.reduce((sum, coord, axis) => (axis === 0 ? coord : `(${sum}) * ${shape[axis]}i + ${coord}`), '0i');
