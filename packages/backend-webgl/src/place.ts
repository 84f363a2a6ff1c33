/**
 * Where a fragment is in a domain, and where a view then reads: all index arithmetic is written here, in GLSL, for integers
 * that JavaScript binds become floats. A place has one lane, or the four of a texel side by side.
 */
import { type Load, rowMajor, sizeOf, type View } from '@tessera/tensor/backend';
import { constants, quotient, remainder, type Sizes } from './division';
import type { Shader } from './shader';

/** The GLSL of a coordinate, by its axis. */
export type Coords = (axis: number) => string;

export interface Place {
  readonly lanes: 1 | 4;
  /** The coordinate along an axis, a GLSL int. */
  coord(axis: number, lane: number): string;
  /** Is it the same in all lanes? */
  shared(axis: number): boolean;
  /** How sizes stand in what is read here: in loops as constants, for a shift there is half of a turn. */
  readonly sizes: Sizes;
  /** GLSL of the texel whose elements the lanes are, where the domain's elements lie in row-major order. */
  readonly texel?: string;
  /** GLSL of the row-major position in the domain, of a place with one lane. */
  readonly linear?: string;
  /** The lanes differ in the last axis alone, and begin at a multiple of four. */
  readonly aligned?: boolean;
  /** The kernel's own results there, in JavaScript: one text, or one a lane. */
  acc?(index: number): readonly string[];
  /** An operand that lies elsewhere than in its input, likewise; null where it is read as it is. */
  load?(expr: Load): readonly string[] | null;
}

/** The last axis that is longer than one; −1 where there is none. */
const lastOf = (shape: readonly number[]): number => shape.findLastIndex((size) => size !== 1);

/** The four elements of this fragment's texel. Writes the line that finds them. */
export function atTexel(shader: Shader, shape: readonly number[]): Place {
  const name = shader.name('p');
  const used = new Set<number>();
  const last = lastOf(shape);
  const aligned = last >= 0 && (shape[last] as number) % 4 === 0;
  const shared = (axis: number) => shape[axis] === 1 || (aligned && axis !== last);
  shader.declare(() => {
    const globals = [...used].map((axis) => `${shared(axis) ? 'int' : 'ivec4'} ${name}_${axis};`);
    const lines = decode(shader.sizes, shape, [...used], (axis, text) =>
      aligned && axis === last ? `${name}_${axis} = ${text} + ivec4(0, 1, 2, 3);` : `${name}_${axis} = ${text};`,
    );
    const first = aligned ? 'int e = texel() << 2;' : 'ivec4 e = (texel() << 2) + ivec4(0, 1, 2, 3);';
    return `${globals.join(' ')}\nfloat ${name}() { ${used.size ? `${first} ${lines.join(' ')} ` : ''}return 0.0; }`;
  });
  shader.native(name, [], 'Number', '');
  shader.line(`${name}();`);
  return {
    lanes: 4,
    coord(axis, lane) {
      if (shape[axis] === 1) return '0';
      used.add(axis);
      return shared(axis) ? `${name}_${axis}` : `${name}_${axis}.${'xyzw'[lane]}`;
    },
    shared,
    sizes: shader.sizes,
    texel: 'texel()',
    aligned,
  };
}

/** The statements that take coordinates off the row-major position `e`, innermost first. */
function decode(
  sizes: Sizes,
  shape: readonly number[],
  axes: readonly number[],
  set: (axis: number, text: string) => string,
): string[] {
  const lines: string[] = [];
  const strides = rowMajor(shape);
  const outermost = shape.findIndex((size) => size !== 1);
  for (const axis of axes) {
    const [size, stride] = [shape[axis] as number, strides[axis] as number];
    const divided = quotient(sizes, 'e', stride, sizeOf(shape));
    lines.push(set(axis, axis === outermost ? divided : remainder(sizes, divided, size, sizeOf(shape) / stride)));
  }
  return lines;
}

/** A place whose coordinates are written by whoever has it: GLSL ints, or an ivec4 where there are four lanes. */
export interface Cursor extends Place {
  /** The name of the variable of an axis. */
  global(axis: number): string;
}

export function cursor(shader: Shader, rank: number, sizes = constants, lanes: 1 | 4 = 1): Cursor {
  const name = shader.name('c');
  const type = lanes === 4 ? 'ivec4' : 'int';
  if (rank) shader.declare(`${type} ${Array.from({ length: rank }, (_, axis) => `${name}_${axis}`).join(', ')};`);
  const global = (axis: number) => `${name}_${axis}`;
  const coord = (axis: number, lane: number) => (lanes === 4 ? `${name}_${axis}.${'xyzw'[lane]}` : `${name}_${axis}`);
  return { lanes, coord, shared: () => lanes === 1, sizes, global };
}

/** A cursor that `name(e)` puts at the row-major position e of a shape. */
export function atElement(
  shader: Shader,
  shape: readonly number[],
  sizes = shader.sizes,
): Cursor & { readonly name: string } {
  const at = cursor(shader, shape.length, sizes);
  const name = shader.name('at');
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  const lines = decode(sizes, shape, axes, (axis, text) => `${at.global(axis)} = ${text};`);
  const linear = `${name}_e`;
  const zeros = shape.flatMap((size, axis) => (size === 1 ? [`${at.global(axis)} = 0;`] : []));
  shader.native(
    name,
    ['Integer'],
    'Number',
    `int ${linear};\nfloat ${name}(int e) { ${linear} = e; ${[...zeros, ...lines].join(' ')} return 0.0; }`,
  );
  return { ...at, name, linear };
}

/** The element that a view has at coordinates: offset + Σ coordinate·stride. */
export function elementOf(sizes: Sizes, view: View): (coord: Coords) => string {
  const terms = view.strides.flatMap((stride, axis) => {
    if (stride === 0 || view.shape[axis] === 1) return [];
    return [{ axis, by: stride === 1 ? '' : ` * ${sizes.int(stride)}` }];
  });
  const offset = view.offset === 0 ? [] : [sizes.int(view.offset)];
  return (coord) => [...terms.map(({ axis, by }) => coord(axis) + by), ...offset].join(' + ') || '0';
}

/** The condition under which a view has an element at coordinates; null where it always has. */
export function validity(sizes: Sizes, { shape, valid }: View, computed: boolean): (coord: Coords) => string | null {
  const tests = shape.flatMap((size, axis) => {
    const [low, high] = [Math.max(0, valid?.[axis]?.[0] ?? 0), Math.min(size, valid?.[axis]?.[1] ?? size)];
    const from = computed || low > 0 ? [{ axis, text: `>= ${low === 0 ? 0 : sizes.int(low)}` }] : [];
    return computed || high < size ? [...from, { axis, text: `< ${sizes.int(high)}` }] : from;
  });
  return (coord) => tests.map(({ axis, text }) => `${coord(axis)} ${text}`).join(' && ') || null;
}

/** The axes along which the element that a view reads changes. */
export const movingAxes = (view: View): number[] =>
  view.shape.flatMap((size, axis) => {
    const bounds = view.valid?.[axis];
    const whole = !bounds || (bounds[0] <= 0 && bounds[1] >= size);
    return size === 1 || (view.strides[axis] === 0 && whole) ? [] : [axis];
  });

/**
 * The way back from an element to the coordinates that a store writes it from: axes by falling stride, each taken off in turn.
 * null where strides do not nest.
 */
export function inverseOf(
  view: View,
): { readonly axis: number; readonly stride: number; readonly size: number }[] | null {
  const axes = view.shape
    .map((size, axis) => ({ axis, size, stride: view.strides[axis] as number }))
    .filter(({ size }) => size !== 1)
    .sort((a, b) => Math.abs(b.stride) - Math.abs(a.stride));
  let reach = 0;
  for (const { stride, size } of [...axes].reverse()) {
    if (Math.abs(stride) <= reach) return null;
    reach += Math.abs(stride) * (size - 1);
  }
  return axes;
}

/** Declares `bool name(int e)`: puts the cursor where the view writes element e, and tells whether it does. */
export function backFrom(shader: Shader, at: Cursor, view: View): string | null {
  const axes = inverseOf(view);
  if (!axes) return null;
  const name = shader.name('writes');
  // Axes that run backwards are counted from their far end.
  const least = axes.reduce((sum, { stride, size }) => sum + Math.min(0, stride * (size - 1)), view.offset);
  const lines = [`int rest = e - ${least};`, 'if (rest < 0) return false;', 'int c;'];
  const span = axes.reduce((sum, { stride, size }) => sum + Math.abs(stride) * (size - 1), 0);
  lines.push(`if (rest > ${span}) return false;`);
  for (const { axis, stride, size } of axes) {
    const step = Math.abs(stride);
    const back = quotient(constants, 'rest', step, span + 1);
    lines.push(`c = ${back};`, `if (c >= ${size}) return false;`, `rest -= c * ${step};`);
    lines.push(`${at.global(axis)} = ${stride < 0 ? `${size - 1} - c` : 'c'};`);
  }
  for (const [axis, size] of view.shape.entries()) if (size === 1) lines.push(`${at.global(axis)} = 0;`);
  shader.native(name, ['Integer'], 'Boolean', `bool ${name}(int e) { ${lines.join(' ')} return rest == 0; }`);
  return name;
}

export const isWhole = (size: number, views: readonly View[]): boolean =>
  views.reduce((sum, { shape }) => sum + sizeOf(shape), 0) === size;
