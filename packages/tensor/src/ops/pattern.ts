/**
 * einops' patterns: `b c (h 2) (w 2) -> b h w c`. A side is a list of positions, each a list of axes: names, numbers (an axis of
 * that size without a name) and one `...`. What is wrong with a pattern is said here; whose pattern it is, by who calls.
 */
import { ArgumentError, ShapeError } from '../errors';
import type { Shape } from '../tensor';

/** The axes at each position. Numbers are `size#occurrence`, so that no two are the same axis; 1 is no axis. */
export type Positions = readonly (readonly string[])[];
export const ellipsis = '…';
export interface Pattern {
  readonly left: Positions;
  readonly right: Positions;
}
/** The position of an ellipsis by itself, which is several; one in parentheses is another list. */
const alone: readonly string[] = [ellipsis];
export const isNumber = (axis: string): boolean => axis.includes('#');
const shown = (axes: readonly string[]): string => axes.map((axis) => axis.split('#')[0]).join(', ');

/** @throws ArgumentError */
export function parsePattern(text: string): Pattern {
  const sides = text.split('->');
  if (sides.length !== 2)
    throw new ArgumentError("the pattern has no '->' or several; wants one between input and output");
  let numbers = 0;
  const [left, right] = sides.map((side) => parseSide(side, () => numbers++)) as [Positions, Positions];
  if (left.some((axes) => axes !== alone && axes.includes(ellipsis)))
    throw new ArgumentError('the ellipsis stands inside parentheses on the left; only the right side can merge it');
  if (right.flat().includes(ellipsis) && !left.flat().includes(ellipsis))
    throw new ArgumentError('the right side has an ellipsis, the left has none; wants it on both');
  return { left, right };
}

function parseSide(side: string, nextNumber: () => number): Positions {
  const text = side.replaceAll('...', ` ${ellipsis} `);
  if (text.includes('.')) throw new ArgumentError(`a dot in '${side.trim()}'; dots stand only in an ellipsis '...'`);
  const positions: (readonly string[])[] = [];
  const seen = new Set<string>();
  let open: string[] | null = null;
  for (const token of text.match(/[()]|[^\s()]+/g) ?? []) {
    if (token === '(') {
      if (open) throw new ArgumentError(`parentheses inside parentheses in '${side.trim()}'; wants one level`);
      open = [];
    } else if (token === ')') {
      if (!open) throw new ArgumentError(`a ')' without its '(' in '${side.trim()}'`);
      positions.push(open);
      open = null;
    } else {
      const axes = axisOf(token, nextNumber);
      for (const axis of axes) {
        if (seen.has(axis))
          throw new ArgumentError(`the axis ${axis === ellipsis ? "'...'" : axis} stands twice on one side`);
        seen.add(axis);
      }
      if (open) open.push(...axes);
      else positions.push(token === ellipsis ? alone : axes);
    }
  }
  if (open) throw new ArgumentError(`a '(' without its ')' in '${side.trim()}'`);
  return positions;
}
function axisOf(token: string, nextNumber: () => number): string[] {
  if (token === ellipsis) return [token];
  if (/^\d+$/.test(token)) {
    if (Number(token) === 0) throw new ArgumentError('an axis of size 0; numbers in a pattern are from 1 on');
    return Number(token) === 1 ? [] : [`${Number(token)}#${nextNumber()}`];
  }
  checkName(token);
  return [token];
}
/** @throws ArgumentError for what is no name of an axis. */
export function checkName(name: string): void {
  if (!/^[a-zA-Z]([a-zA-Z0-9_]*[a-zA-Z0-9])?$/.test(name))
    throw new ArgumentError(
      `'${name}' is no name of an axis; wants letters, digits and inner underscores, a letter first`,
    );
}

/** The ellipsis as the axes it stands for. @throws ShapeError where the number of axes does not fit. */
export function forRank({ left, right }: Pattern, rank: number): Pattern {
  const hidden = rank - left.length + 1;
  const open = left.flat().includes(ellipsis);
  if (open ? hidden < 0 : rank !== left.length)
    throw new ShapeError(
      `the left side has ${open ? `at least ${left.length - 1}` : left.length} positions, the input ${rank} axes`,
    );
  if (!open) return { left, right };
  const axes = Array.from({ length: hidden }, (_, i) => `${ellipsis}${i}`);
  const written = (position: readonly string[]): Positions =>
    position === alone ? axes.map((axis) => [axis]) : [position.flatMap((axis) => (axis === ellipsis ? axes : [axis]))];
  return { left: left.flatMap(written), right: right.flatMap(written) };
}

/** The size of each axis of the left side, from the shape and the sizes given. @throws ShapeError */
export function matchSizes(
  left: Positions,
  shape: Shape,
  given: Readonly<Record<string, number>>,
): Map<string, number | null> {
  const sizes = new Map<string, number | null>();
  for (const [position, axes] of left.entries()) {
    const size = shape[position] as number | null;
    const known = (axis: string) => (isNumber(axis) ? Number(axis.split('#')[0]) : given[axis]);
    const open = axes.filter((axis) => known(axis) === undefined);
    if (open.length > 1)
      throw new ShapeError(`the sizes of ${shown(open)} do not follow from their product; give all but one`);
    const product = axes.reduce((total, axis) => total * (known(axis) ?? 1), 1);
    for (const axis of axes) sizes.set(axis, known(axis) ?? null);
    if (size === null) continue;
    if (open.length === 0 && size !== product)
      throw new ShapeError(
        `axis ${position} has size ${size}, the pattern makes it ${product}${axes.length ? ` (${shown(axes)})` : ''}`,
      );
    if (size % product !== 0)
      throw new ShapeError(`axis ${position} has size ${size}, which is no multiple of ${product}`);
    if (open[0] !== undefined) sizes.set(open[0], size / product);
  }
  return sizes;
}
