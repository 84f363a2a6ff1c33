/**
 * What windows side by side read of a line. Where every few of them begin at a whole texel, or at a half of one, each is read
 * once for all of their places, and which of its elements a place is stands in the code.
 *
 *     texels   │0 1 2 3│4 5 6 7│        two windows of 3, stride 2, padding 1, begin at elements −1 and 1:
 *           ·└─┴─┘                       the places of the first are elements −1, 0, 1, of the second 1, 2, 3:
 *              └─┴─┘                     two texels, those of −4 and of 0, instead of six elements
 */
import type { Expr, Load, PoolKernel, View } from '@tessera/tensor/backend';
import { constants } from '../division';
import { type Cursor, elementOf } from '../place';
import type { Shader } from '../shader';

/** Elements of what is read at once: a texel, or half of one. */
type Unit = 4 | 2;

/** Does every line of a view begin at a whole unit, its last axis without gaps? */
function liesIn(unit: Unit, { shape, strides, offset, valid }: View): boolean {
  const whole = strides.slice(0, -1).every((stride, axis) => shape[axis] === 1 || stride % unit === 0);
  return !valid && whole && strides.at(-1) === 1 && offset % unit === 0;
}

/** Of how many windows side by side the first begins at a whole unit. */
const groupOf = (unit: Unit, stride: number): 1 | 2 | 4 =>
  stride % unit === 0 ? 1 : unit === 2 || stride % 2 === 0 ? 2 : 4;

/** What a pool's operand is for four windows at a place, row-major; null where no read would serve several places. */
export type Neighbours = (expr: Expr, place: number) => readonly string[] | null;

/** @param at stands at the elements of the four windows when the first place of a line is asked for */
export function neighbours(shader: Shader, kernel: PoolKernel, at: Cursor): Neighbours | null {
  const { direction, sizes, a, inputs } = kernel;
  const last = sizes.kernel.length - 1;
  const [window, stride, dilation, padding, windows] = [
    sizes.kernel,
    sizes.stride,
    sizes.dilation,
    sizes.padding,
    sizes.output,
  ].map((list) => list[last] as number) as [number, number, number, number, number];
  if (direction !== 'forward' || at.lanes !== 4) return null;
  if (a.op !== 'load' || a.at !== null || inputs[a.input]?.dtype !== 'float32') return null;
  const unit = ([4, 2] as const).find((unit) => liesIn(unit, a.view) && windows % groupOf(unit, stride) === 0);
  if (!unit) return null;
  const group = groupOf(unit, stride);
  /** The element of a lane at a place of the line, counted from where its group begins. */
  const offsetOf = (lane: number, place: number) => (lane % group) * stride + (place % window) * dilation - padding;
  const unitOf = (lane: number, place: number) => Math.floor(offsetOf(lane, place) / unit);
  const units = new Set(range(group).flatMap((lane) => range(window).map((place) => unitOf(lane, place))));
  if (units.size === group * window) return null;
  let line = new Map<string, string>();
  return (expr, place) => {
    if (expr !== a) return null;
    if (place % window === 0) {
      line = new Map();
      for (let first = 0; first < 4; first += group) {
        const begin = beginOf(shader, a, at, first, padding);
        for (const k of units) line.set(`${first} ${k}`, read(shader, a, unit, `${begin} + ${k * unit}`));
      }
    }
    return range(4).map((lane) => {
      const [offset, k] = [offsetOf(lane, place), unitOf(lane, place)];
      return `${line.get(`${lane - (lane % group)} ${k}`)}[${offset - k * unit}]`;
    });
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Finds the element where the group of a lane begins; a GLSL int. */
function beginOf(shader: Shader, { view }: Load, at: Cursor, lane: number, padding: number): string {
  const name = shader.name('begin');
  const last = view.shape.length - 1;
  const element = elementOf(
    constants,
    view,
  )((axis) => (axis === last && padding > 0 ? `(${at.coord(axis, lane)} + ${padding})` : at.coord(axis, lane)));
  shader.native(name, [], 'Number', `int ${name}_e;\nfloat ${name}() { ${name}_e = ${element}; return 0.0; }`);
  shader.line(`${name}();`);
  return `${name}_e`;
}

/** A unit as the first elements of an array. */
function read(shader: Shader, { input }: Load, unit: Unit, element: string): string {
  const texel = `${shader.sampler({ of: 'input', index: input })}_texel(e >> 2)`;
  const text = unit === 4 ? `return ${texel};` : `vec4 t = ${texel}; return mix(t, t.zwxy, bvec4((e & 2) != 0));`;
  const name = shader.name('near');
  shader.native(name, [], 'Array(4)', `vec4 ${name}() { int e = ${element}; ${text} }`);
  return shader.bind(`${name}()`, 'x');
}
