/**
 * Operands of products as texels of four neighbours along the axis that is gone through, or along the one that blocks lie on,
 * whichever lies together in memory already: their axes in another order, padded with zeros.
 */
import { type Expr, isContiguous, sizeOf, type View } from '@tessera/tensor/backend';
import { Block } from '../block';
import { texelsOf } from '../layout';
import { atElement, atTexel, type Place } from '../place';
import type { Ref } from '../shader';
import { type Build, lanesOf, sideBySide } from '../stores';

/** Up to a multiple of four. */
export const four = (size: number): number => Math.ceil(size / 4) * 4;

/** Where the source begins along an axis of what is packed, and how long that is; zeros around it. */
export interface Margin {
  readonly before: number;
  readonly extent: number;
}

/**
 * An operand with its axes in another order, the last of them padded with zeros to whole texels. No draw where it lies so
 * already.
 * @param margins by the operand's axes
 */
export function pack(
  build: Build,
  title: string,
  expr: Expr,
  shape: readonly number[],
  order: readonly number[],
  margins: readonly (Margin | undefined)[] = [],
): Ref {
  const turned = order.map((axis) => margins[axis]?.extent ?? (shape[axis] as number));
  const last = turned.at(-1) as number;
  if (expr.op === 'load' && expr.at === null && last % 4 === 0 && !margins.some(Boolean)) {
    const lies = isContiguous(reorder(expr.view, order));
    if (lies && build.kernel.inputs[expr.input]?.dtype === 'float32') return { of: 'input', index: expr.input };
  }
  return fill(build, title, expr, turned, (place) => {
    const at = (axis: number, lane: number) => place.coord(order.indexOf(axis), lane);
    const inside = shape.map((size, axis) => {
      const { before = 0, extent = size } = margins[axis] ?? {};
      const end = before + size;
      return { begin: before > 0 ? place.sizes.int(before) : null, end: extent > end ? place.sizes.int(end) : null };
    });
    return {
      coord: (axis, lane) => {
        const { begin } = inside[axis] as (typeof inside)[number];
        return begin === null ? at(axis, lane) : `(${at(axis, lane)} - ${begin})`;
      },
      shared: (axis) => place.shared(order.indexOf(axis)),
      valid: (lane) =>
        inside.flatMap(({ begin, end }, axis) => [
          ...(begin === null ? [] : [`${at(axis, lane)} >= ${begin}`]),
          ...(end === null ? [] : [`${at(axis, lane)} < ${end}`]),
        ]),
    };
  });
}

/** Where an expression is read for a place of what is made, and the conditions under which there is something. */
export interface Source {
  coord(axis: number, lane: number): string;
  shared(axis: number): boolean;
  valid(lane: number): readonly string[];
}

/** A table over a shape whose last axis is padded to whole texels, of what an expression is elsewhere. */
export function fill(
  build: Build,
  title: string,
  expr: Expr,
  shape: readonly number[],
  sourceOf: (place: Place) => Source,
): Ref {
  const last = shape.at(-1) as number;
  const padded = [...shape.slice(0, -1), four(last)];
  const table = build.temporary(sizeOf(padded));
  const shader = build.shader(`${title}, packed [${padded}]`);
  const texts = (place: Place): string[] => {
    const { coord, shared, valid } = sourceOf(place);
    const { texel: _, linear: __, aligned: ___, ...rest } = place;
    const values = new Block(shader, build.kernel, { ...rest, coord, shared }).stored(expr, 'float32');
    return values.map((text, lane) => {
      const tests = [...valid(lane), ...(last % 4 === 0 ? [] : [`${place.coord(shape.length - 1, lane)} < ${last}`])];
      if (tests.length === 0) return text;
      // Behind the end there is nothing, whatever the expression makes of it.
      const name = shader.name('real');
      shader.native(name, [], 'Boolean', `bool ${name}() { return ${tests.join(' && ')}; }`);
      return shader.bind(`(${name}() ? ${text} : 0.0)`);
    });
  };
  if (sideBySide([expr], sizeOf(padded))) {
    shader.line(`return [${texts(atTexel(shader, padded)).join(', ')}];`);
  } else {
    lanesOf(shader, 1, (put) => {
      const at = atElement(shader, padded);
      shader.line(`${at.name}(first() + lane);`);
      put(0, texts(at)[0] as string);
    });
  }
  build.steps.push(shader.pass([table], texelsOf(sizeOf(padded))));
  return table;
}

const reorder = (view: View, order: readonly number[]): View => ({
  shape: order.map((axis) => view.shape[axis] as number),
  strides: order.map((axis) => view.strides[axis] as number),
  offset: view.offset,
  valid: view.valid && order.map((axis) => view.valid?.[axis] as readonly [number, number]),
});

/** Does an operand lie along its axis `axis` rather than along the one after or before it? */
export function liesAlong(expr: Expr, axis: number, other: number, seen = new Set<Expr>()): boolean {
  if (seen.has(expr)) return false;
  seen.add(expr);
  if (expr.op === 'load' && expr.at === null) return expr.view.strides[axis] === 1 && expr.view.strides[other] !== 1;
  return expr.op === 'apply' && expr.args.some((arg) => liesAlong(arg, axis, other, seen));
}
