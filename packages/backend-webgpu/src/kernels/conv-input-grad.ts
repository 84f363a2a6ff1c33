/**
 * The product that the input gradient of a convolution is: ∂x [c, n·q] = w [c, r·o] · g of the windows that read [r·o, n·q].
 *
 * Of a strided convolution, by taps, it is one product for each position of q in the stride (a class, part of the batch): only
 * the places that reach it are gone through.
 *
 *     stride 2, window 3:   q even ─ places 0, 2     q odd ─ place 1
 */
import { type ConvKernel, type ConvSizes, sizeOf } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { all, atCoords, atSums, coordsOf, unravel } from '../place';
import type { Block } from '../shader';
import { Quad, vectorStores, vectorsOf } from '../vector';
import {
  type ConvPart,
  groupAt,
  innerOf,
  none,
  type Order,
  ofGroup,
  perGroup,
  placeIn,
  readAt,
  split,
  storesOf,
  termsOf,
} from './conv-places';
import { fromScratch, type Weights, weightsOf } from './conv-weights';
import type { Inside } from './product';
import { type Parts, windowParts } from './windows';

/** The classes of input positions of a strided convolution; one where its windows are dilated, or k is flat. */
function classesOf({ stride, dilation }: ConvSizes, order: Order): readonly number[] {
  const apart = order === 'taps' && stride.every((s, axis) => s === 1 || dilation[axis] === 1);
  return stride.map((s) => (apart ? s : 1));
}

export function inputGrad(kernel: ConvKernel, order: Order): ConvPart {
  const { sizes, a, stores, partials } = kernel;
  const { n, c, groups, input, kernel: window, padding } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const classes = classesOf(sizes, order);
  const count = sizeOf(classes);
  const strided = count > 1;
  const shape = input.map((size, axis) => Math.ceil(size / (classes[axis] as number)));
  const pointwise = taps === 1 && input.length === 1 && padding[0] === 0 && sizes.stride[0] === 1;
  const vectors = pointwise && input[0] === sizes.output[0] ? vectorsOf(a, 2, kernel) : [];
  const written = vectors.length ? vectorStores(stores, 2, kernel) : null;
  const summed = written ? (partials?.sums ?? []).flatMap((expr) => vectorsOf(expr, 2, kernel)) : [];
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
      ? fromScratch(kernel, ({ slab, before }, batch, segment) => placeOf(slab, before, batch, segment).tap, groupOf)
      : weightsOf(kernel, taps === 1 ? 'other' : 'k', ({ block, before }, group, k, other) => {
          const [out, places] = split(block, k, window);
          const channel = before.once(`i32(${other})`, 'c');
          return [
            { block: before, coords: [groupAt(before, groups, outs, group), channel, ...none(window)] },
            { block, coords: [out, '0i', ...places] },
          ];
        });
  /** The place of the window that a segment is in its class: coordinates, and the row-major number. */
  function placeOf(block: Block, before: Block, batch: string, segment: string) {
    if (!strided) return { tap: segment, steps: [] };
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
    return { tap: block.once(`u32(${tap})`, 'tap'), steps };
  }
  const position = (at: Inside, batch: string, segment: string, inner: string, column: string) => {
    const { block, before } = at;
    const where = placeIn(at, order);
    const group = groupAt(before, groups, outs, groupOf(before, batch));
    const [image, elements] = split(before, column, shape);
    const [out, places] = strided ? [block.once(`i32(${inner})`, 'u'), []] : innerOf(at, order, segment, inner, window);
    const { of, valid } = strided
      ? byClass(at, batch, segment, elements)
      : windowParts(sizes, { block: before, coords: elements }, { block: where, coords: places }, where);
    return { terms: termsOf(at, where, [image, group, out], of), valid: pointwise ? null : valid };
  };
  /** The windows that reach elements of a class. */
  const byClass = ({ slab, before }: Inside, batch: string, segment: string, elements: readonly string[]): Parts => {
    const { steps } = placeOf(slab, before, batch, segment);
    const from = along(before, batch).map(({ rho, first }, axis) =>
      before.once(`${elements[axis]} + (${rho} + ${padding[axis]}i - ${first}) / ${classes[axis]}i`, 'w'),
    );
    const less = steps.map((step, axis) => slab.once(`${step} * ${-(sizes.dilation[axis] as number)}i`, 'w'));
    const valid = all(
      from.map((at, axis) => `u32(${slab.once(`${at} + ${less[axis]}`, 'w')}) < ${sizes.output[axis]}u`),
    );
    return {
      of: [
        { block: before, coords: from },
        { block: slab, coords: less },
      ],
      valid: valid && slab.once(valid, 'has'),
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
        const { terms, valid } = position(at, ...where);
        return readAt(at.block, a, atSums(terms), valid);
      },
      four: vectors.length
        ? (at, ...where) => new Quad(at.block, coordsOf(position(at, ...where).terms), 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...vectors, ...weights.vectors, ...(written ?? []), ...summed],
    ...storesOf(kernel, written !== null, result),
    store: (block, batch, row, column, sum) => {
      const at = result(block, batch, row, column);
      const ragged = input.flatMap((size, axis) =>
        size % (classes[axis] as number) ? [`${at[axis + 2]} < ${size}i`] : [],
      );
      if (ragged.length) block.line(`if (${all(ragged)}) {`);
      block.at(atCoords(at, () => sum)).store(stores);
      if (ragged.length) block.line('}');
    },
  };
}
