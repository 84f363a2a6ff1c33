/**
 * Convolutions as products of matrices that are never written down: a position in a matrix is decoded to coordinates when it
 * is staged. A batch is a group of channels.
 *
 *   direction     A (m × k)                        B (k × n)                              C
 *   forward       w   [o, r·c]                     x at the window's places [r·c, n·p]      y  [o, n·p]
 *   inputGrad     w   [c, r·o]                     g of the windows that read [r·o, n·q]    ∂x [c, n·q]
 *   weightGrad    g   [o, n·p]                     x at the window's places [n·p, c·r]      ∂w [o, c·r]
 *
 * p runs over output positions, q over input positions, r over places in the window. Two orders of k:
 *
 *   taps   segments are places of the window, k the channels: where a window reads is found once a slab and column. A
 *          dispatch before lays the weights out as [r][channel][m], so that slabs of A are vectors.
 *   flat   one segment, channels outside: nothing to lay out, no slab half empty where channels are few (RGB).
 *
 * The input gradient of a strided convolution, by taps, is one product for each position of q in the stride (a class, part of
 * the batch): only the places that reach it are gone through.
 *
 *     stride 2, window 3:   q even ─ places 0, 2     q odd ─ place 1
 */
import { type ConvKernel, type ConvSizes, type Expr, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, toCarried } from '../accumulate';
import { all, atCoords, unravel } from '../place';
import { type Block, type Dispatch, dispatch, type Target } from '../shader';
import { Quad, vectorStores, vectorsOf } from '../vector';
import { flattened } from './flatten';
import type { Factor, Inside, Product } from './product';
import { inside, windowOf } from './windows';

export type Order = 'taps' | 'flat';
/** The factor that weights are, and the bindings that are vectors for it. */
type Weights = Factor & { readonly vectors: readonly string[] };
type Part = Pick<Product, 'batch' | 'm' | 'n' | 'k' | 'segments' | 'a' | 'b' | 'store'> & Partial<Product>;

/** A convolution of single places, stride 1, is one over a single spatial axis: more of memory then lies together. */
export function collapsed(kernel: ConvKernel): ConvKernel {
  const { sizes, a, b, stores, direction } = kernel;
  const { input, kernel: window, output, stride, padding } = sizes;
  const plain = input.every((size, i) => window[i] === 1 && stride[i] === 1 && padding[i] === 0 && output[i] === size);
  if (!plain || input.length < 2) return kernel;
  const one = {
    ...sizes,
    input: [sizeOf(input)],
    kernel: [1],
    output: [sizeOf(output)],
    stride: [1],
    dilation: [1],
    padding: [0],
  };
  const flat = flattened([a, b], stores, 2, input.length + 2);
  if (!flat) return kernel;
  const [x, w] = flat.exprs as [Expr, Expr];
  return { ...kernel, direction, sizes: one, a: x, b: w, stores: flat.stores };
}

export function titleOf({ direction, sizes }: ConvKernel): string {
  const { n, c, o, groups, input, kernel: window } = sizes;
  return `conv ${direction} [${[n, c, ...input]}] ∗ [${[o, c / groups, ...window]}] stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding} groups ${groups}`;
}

export function productOf(kernel: ConvKernel, target: Target, order: Order): Product {
  const { direction } = kernel;
  const title = titleOf(kernel);
  const part = { forward, inputGrad, weightGrad }[direction](kernel, order);
  const first = order === 'taps' ? laidOut(kernel, target, title) : undefined;
  const vectors = [...(part.vectors ?? [])];
  return { store4: null, ...part, title, dtype: kernel.a.dtype, vectors, ...(first && { first }) };
}

/** What is known of a product's groups. */
const perGroup = ({ c, o, groups, kernel }: ConvSizes) => ({
  channels: c / groups,
  outs: o / groups,
  taps: sizeOf(kernel),
});
const ofGroup = (block: Block, groups: number, each: number, group: string, one: string): string =>
  groups === 1 ? one : block.once(`i32(${group}) * ${each}i + ${one}`, 'c');

/** A position (u32) over [outer, ...shape]: the outer coordinate, and those of the shape (i32). */
function split(block: Block, position: string, shape: readonly number[]): [outer: string, coords: string[]] {
  const size = sizeOf(shape);
  if (size <= 1) return [block.once(`i32(${position})`, 'u'), shape.map(() => '0i')];
  const rest = block.once(`${position} % ${size}u`, 'p');
  return [
    block.once(`i32(${position} / ${size}u)`, 'u'),
    shape.map((_, axis) => block.once(unravel(rest, shape, axis), 'q')),
  ];
}

const guarded = (value: string, { dtype }: Expr, valid: string | null) =>
  valid ? `select(${dtype === 'float32' ? '0.0f' : '0i'}, ${value}, ${valid})` : value;
const read = (block: Block, expr: Expr, coords: readonly string[], valid: string | null = null): string =>
  guarded(toCarried(block.at(atCoords(coords)).value(expr), expr.dtype), expr, valid);

/** Channel and place of the window that a k-position is. */
function innerOf(
  block: Block,
  order: Order,
  segment: string,
  inner: string,
  window: readonly number[],
): [string, string[]] {
  if (order === 'flat') return split(block, inner, window);
  return [block.once(`i32(${inner})`, 'u'), window.map((_, axis) => block.once(unravel(segment, window, axis), 'r'))];
}

function forward(kernel: ConvKernel, order: Order): Part {
  const { sizes, a, stores } = kernel;
  const { n, c, o, groups, output, kernel: window } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const pointwise = taps === 1 && output.length === 1 && sizes.padding[0] === 0 && sizes.stride[0] === 1;
  const vectors = pointwise && output[0] === sizes.input[0] ? vectorsOf(a, 2, kernel) : [];
  const written = vectors.length ? vectorStores(stores, 2, kernel) : null;
  const weights: Weights =
    order === 'taps'
      ? fromScratch(kernel)
      : weightsOf(kernel, 'k', (block, group, k, other) => {
          const [channel, places] = split(block, k, window);
          return [ofGroup(block, groups, o / groups, group, `i32(${other})`), channel, ...places];
        });
  const place = ({ block, before }: Inside, group: string, segment: string, inner: string, column: string) => {
    const [channel, places] = innerOf(block, order, segment, inner, window);
    const [image, windows] = split(before, column, output);
    const { coords, valid } = inside(block, sizes, windows, places);
    const test = valid && block.once(valid, 'has');
    return { at: [image, ofGroup(block, groups, c / groups, group, channel), ...coords], valid: test };
  };
  const result = (block: Block, group: string, row: string, column: string) => {
    const [image, windows] = split(block, column, output);
    return [image, ofGroup(block, groups, o / groups, group, `i32(${row})`), ...windows];
  };
  return {
    batch: groups,
    m: outs,
    n: n * sizeOf(output),
    ...(order === 'taps' ? { k: channels, segments: taps } : { k: channels * taps, segments: 1 }),
    a: weights,
    b: {
      along: 'other',
      one: (at, ...position) => {
        const { at: coords, valid } = place(at, ...position);
        return read(at.block, a, coords, valid);
      },
      four: vectors.length
        ? (at, ...position) => new Quad(at.block, place(at, ...position).at, 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...vectors, ...weights.vectors, ...(written ?? [])],
    store: (block, group, row, column, sum) =>
      block.at(atCoords(result(block, group, row, column), () => sum)).store(stores),
    store4:
      written &&
      ((block, group, row, column, sum) =>
        new Quad(block, result(block, group, row, column), 2, (part) => `${sum}.${'xyzw'[part]}`).store(stores)),
  };
}

/** The classes of input positions of a strided convolution; one where its windows are dilated, or k is flat. */
function classesOf({ stride, dilation }: ConvSizes, order: Order): readonly number[] {
  const apart = order === 'taps' && stride.every((s, axis) => s === 1 || dilation[axis] === 1);
  return stride.map((s) => (apart ? s : 1));
}

function inputGrad(kernel: ConvKernel, order: Order): Part {
  const { sizes, a, stores } = kernel;
  const { n, c, groups, input, kernel: window, padding } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const classes = classesOf(sizes, order);
  const count = sizeOf(classes);
  const strided = count > 1;
  const shape = input.map((size, axis) => Math.ceil(size / (classes[axis] as number)));
  const pointwise = taps === 1 && input.length === 1 && padding[0] === 0 && sizes.stride[0] === 1;
  const vectors = pointwise && input[0] === sizes.output[0] ? vectorsOf(a, 2, kernel) : [];
  const written = vectors.length ? vectorStores(stores, 2, kernel) : null;
  const groupOf = (block: Block, batch: string) => (strided ? block.once(`${batch} / ${count}u`, 'g') : batch);
  /** Of a class along an axis: its first place of the window, and how many it has. */
  const along = (block: Block, batch: string) => {
    const which = block.once(`${batch} % ${count}u`, 'class');
    return classes.map((s, axis) => {
      const rho = block.once(unravel(which, classes, axis), 'rho');
      const first = block.once(`(${rho} + ${padding[axis]}i) % ${s}i`, 'r');
      return { rho, first, count: block.once(`max(0i, (${window[axis]}i - ${first} + ${s - 1}i) / ${s}i)`, 'count') };
    });
  };
  const weights: Weights =
    order === 'taps'
      ? fromScratch(kernel, (at, batch, segment) => placeOf(at, batch, segment).tap, groupOf)
      : weightsOf(kernel, taps === 1 ? 'other' : 'k', (block, group, k, other) => {
          const [out, places] = split(block, k, window);
          return [ofGroup(block, groups, outs, group, out), `i32(${other})`, ...places];
        });
  /** The place of the window that a segment is in its class: coordinates, and the row-major number. */
  function placeOf({ block, before }: Inside, batch: string, segment: string) {
    if (!strided) {
      return {
        places: window.map((_, axis) => block.once(unravel(segment, window, axis), 'r')),
        tap: segment,
        steps: [],
      };
    }
    const axes = along(before, batch);
    let rest = segment;
    const steps: string[] = [];
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const size = `u32(${axes[axis]?.count})`;
      steps.unshift(block.once(axis ? `i32(${rest} % ${size})` : `i32(${rest})`, 'step'));
      if (axis) rest = block.once(`${rest} / ${size}`, 'rest');
    }
    const places = axes.map(({ first }, axis) => block.once(`${first} + ${steps[axis]} * ${classes[axis]}i`, 'r'));
    const tap = places.reduce((sum, place, axis) => (axis ? `(${sum}) * ${window[axis]}i + ${place}` : place), '');
    return { places, tap: block.once(`u32(${tap})`, 'tap'), steps };
  }
  const position = ({ block, before }: Inside, batch: string, segment: string, inner: string, column: string) => {
    const group = groupOf(before, batch);
    const [image, elements] = split(before, column, shape);
    if (!strided) {
      const [out, places] = innerOf(block, order, segment, inner, window);
      const { coords, valid } = windowOf(block, sizes, elements, places);
      const test = valid && block.once(valid, 'has');
      return { at: [image, ofGroup(block, groups, outs, group, out), ...coords], valid: pointwise ? null : test };
    }
    const { steps } = placeOf({ block, before }, batch, segment);
    const axes = along(before, batch);
    const coords = axes.map(({ rho, first }, axis) => {
      const from = before.once(`${elements[axis]} + (${rho} + ${padding[axis]}i - ${first}) / ${classes[axis]}i`, 'w');
      return block.once(`${from} - ${steps[axis]}`, 'w');
    });
    const valid = all(coords.map((coord, axis) => `u32(${coord}) < ${sizes.output[axis]}u`));
    return {
      at: [image, ofGroup(block, groups, outs, group, block.once(`i32(${inner})`, 'u')), ...coords],
      valid: valid && block.once(valid, 'has'),
    };
  };
  const result = (block: Block, batch: string, row: string, column: string) => {
    const [image, elements] = split(block, column, shape);
    const axes = strided ? along(block, batch) : [];
    const at = elements.map((q, axis) =>
      strided ? block.once(`${q} * ${classes[axis]}i + ${axes[axis]?.rho}`, 'q') : q,
    );
    return [image, ofGroup(block, groups, c / groups, groupOf(block, batch), `i32(${row})`), ...at];
  };
  return {
    batch: groups * count,
    m: channels,
    n: n * sizeOf(shape),
    ...(order === 'taps'
      ? {
          k: outs,
          segments: strided ? sizeOf(window.map((size, axis) => Math.ceil(size / (classes[axis] as number)))) : taps,
        }
      : { k: outs * taps, segments: 1 }),
    ...(strided && {
      segmentsOf: (block: Block, batch: string) =>
        block.once(
          `u32(${along(block, batch)
            .map(({ count }) => count)
            .join(' * ')})`,
          'places',
        ),
    }),
    a: weights,
    b: {
      along: 'other',
      one: (at, ...where) => {
        const { at: coords, valid } = position(at, ...where);
        return read(at.block, a, coords, valid);
      },
      four: vectors.length
        ? (at, ...where) => new Quad(at.block, position(at, ...where).at, 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...vectors, ...weights.vectors, ...(written ?? [])],
    store: (block, batch, row, column, sum) => {
      const at = result(block, batch, row, column);
      const ragged = input.flatMap((size, axis) =>
        size % (classes[axis] as number) ? [`${at[axis + 2]} < ${size}i`] : [],
      );
      if (ragged.length) block.line(`if (${all(ragged)}) {`);
      block.at(atCoords(at, () => sum)).store(stores);
      if (ragged.length) block.line('}');
    },
    store4:
      written &&
      ((block, batch, row, column, sum) =>
        new Quad(block, result(block, batch, row, column), 2, (part) => `${sum}.${'xyzw'[part]}`).store(stores)),
  };
}

function weightGrad(kernel: ConvKernel): Part {
  const { sizes, a, b, stores } = kernel;
  const { n, c, groups, output, kernel: window } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const size = sizeOf(output);
  // g over [n, o, p]: four of p lie together more often than four of a row.
  const flat = flattened([b], [], 2, output.length + 2)?.exprs[0];
  const shape = flat ? [size] : output;
  const g = flat ?? b;
  const ofG = vectorsOf(g, shape.length + 1, kernel);
  const pointwise = taps === 1 && output.length === 1 && sizes.padding[0] === 0 && sizes.stride[0] === 1;
  const ofX = pointwise && output[0] === sizes.input[0] ? vectorsOf(a, 2, kernel) : [];
  const gAt = (block: Block, before: Block, group: string, inner: string, row: string) => {
    const [image, windows] = split(block, inner, shape);
    return [image, ofGroup(before, groups, outs, group, `i32(${row})`), ...windows];
  };
  const xAt = ({ block, before }: Inside, group: string, inner: string, column: string) => {
    const [channel, places] = split(before, column, window);
    const [image, windows] = split(block, inner, output);
    const { coords, valid } = inside(block, sizes, windows, places);
    return { at: [image, ofGroup(before, groups, c / groups, group, channel), ...coords], valid };
  };
  return {
    batch: groups,
    m: outs,
    n: channels * taps,
    k: n * size,
    segments: 1,
    a: {
      along: 'k',
      one: ({ block, before }, group, _, inner, row) => read(block, g, gAt(block, before, group, inner, row)),
      four: ofG.length
        ? ({ block, before }, group, _, inner, row) =>
            new Quad(block, gAt(block, before, group, inner, row), shape.length + 1).value(g, carriedAs(g.dtype))
        : null,
    },
    b: {
      along: 'k',
      one: (at, group, _, inner, column) => {
        const { at: coords, valid } = xAt(at, group, inner, column);
        return read(at.block, a, coords, valid);
      },
      four: ofX.length
        ? (at, group, _, inner, column) =>
            new Quad(at.block, xAt(at, group, inner, column).at, 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...ofG, ...ofX],
    store: (block, group, row, column, sum) => {
      const [channel, places] = split(block, column, window);
      const out = ofGroup(block, groups, outs, group, `i32(${row})`);
      block.at(atCoords([out, channel, ...places], () => sum)).store(stores);
    },
  };
}

/** Weights read where they are. Vectors only of single places, where channels lie together along `along`. */
function weightsOf(
  kernel: ConvKernel,
  along: Factor['along'],
  coords: (block: Block, group: string, k: string, other: string) => string[],
): Weights {
  const { b, sizes } = kernel;
  const single = sizeOf(sizes.kernel) === 1;
  const vectors = single ? vectorsOf(b, 1, kernel) : [];
  const at = ({ block }: Inside, group: string, k: string, other: string) =>
    coords(block, group, k, other).map((text) => (text.startsWith('i32(') ? block.once(text, 'w') : text));
  return {
    along,
    vectors,
    one: (where, group, _, k, other) => read(where.block, b, at(where, group, k, other)),
    four: vectors.length
      ? (where, group, _, k, other) => new Quad(where.block, at(where, group, k, other), 1).value(b, carriedAs(b.dtype))
      : null,
  };
}

/** How the weights lie in scratch: [group][place][channel of k][m, up to a multiple of 4]. */
function layoutOf({ direction, sizes }: ConvKernel) {
  const { channels, outs, taps } = perGroup(sizes);
  const [m, k] = direction === 'forward' ? [outs, channels] : [channels, outs];
  return { m, k, taps, fours: Math.ceil(m / 4) };
}

function fromScratch(
  kernel: ConvKernel,
  tapOf: (at: Inside, batch: string, segment: string) => string = (_, __, segment) => segment,
  groupOf: (block: Block, batch: string) => string = (_, batch) => batch,
): Weights {
  const { k, taps, fours } = layoutOf(kernel);
  const type = carriedAs(kernel.b.dtype);
  const value: Factor['one'] = (at, batch, segment, inner, other) => {
    const outer =
      kernel.sizes.groups === 1
        ? tapOf(at, batch, segment)
        : `(${groupOf(at.before, batch)} * ${taps}u + ${tapOf(at, batch, segment)})`;
    return `bitcast<vec4<${type}>>(scratch[(${outer} * ${k}u + ${inner}) * ${fours}u + (${other} >> 2u)])`;
  };
  return { along: 'other', one: value, four: value, vectors: [] };
}

/** Lays the weights out: a thread four of m, neighbours along (channel, place) as memory has them. */
function laidOut(kernel: ConvKernel, target: Target, title: string): { dispatches: Dispatch[]; words: number } {
  const { b, sizes, direction } = kernel;
  const { m, k, taps, fours } = layoutOf(kernel);
  const { groups, kernel: window } = sizes;
  const { outs } = perGroup(sizes);
  const threads = 64;
  const count = groups * fours * k * taps;
  const options = {
    header: [title, 'weights laid out as [group][place][channel][four of m], a thread four'],
    threads,
    groups: Math.ceil(count / threads),
    scratch: true,
    vectors: new Set(['scratch']),
  };
  const type = carriedAs(b.dtype);
  const made = dispatch(kernel, target, options, (block) => {
    const i = block.once(`group * ${threads}u + lane`, 'i');
    if (count % threads) block.line(`if (${i} >= ${count}u) { return; }`);
    // forward: i is (group, four of o, c, place); inputGrad: (group, o, four of c, place)
    const tap = block.once(`${i} % ${taps}u`, 'tap');
    const rest = block.once(`${i} / ${taps}u`, 'rest');
    const [size, of] = direction === 'forward' ? [k, fours] : [fours, k];
    const inner = block.once(`${rest} % ${size}u`, 'inner');
    const outer = block.once(`${rest} / ${size}u % ${of}u`, 'outer');
    const group = groups === 1 ? '0u' : block.once(`${rest} / ${size * of}u`, 'group');
    const [channel, four] = direction === 'forward' ? [inner, outer] : [outer, inner];
    const places = window.map((_, axis) => block.once(unravel(tap, window, axis), 'r'));
    const parts = [0, 1, 2, 3].map((part) => {
      const row = block.once(`${four} * 4u + ${part}u`, 'm');
      const [out, c] = direction === 'forward' ? [row, channel] : [channel, row];
      const at = [
        ofGroup(block, groups, outs, group, block.once(`i32(${out})`, 'o')),
        block.once(`i32(${c})`, 'c'),
        ...places,
      ];
      const value = read(block, b, at);
      return m % 4 ? `select(${type}(0), ${value}, ${row} < ${m}u)` : value;
    });
    const to = `((${group} * ${taps}u + ${tap}) * ${k}u + ${channel}) * ${fours}u + ${four}`;
    block.line(`scratch[${to}] = bitcast<vec4<u32>>(vec4<${type}>(${parts.join(', ')}));`);
  });
  return { dispatches: [made], words: groups * taps * k * fours * 4 };
}
