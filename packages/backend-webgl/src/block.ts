/** Statements at one place of a domain: each expression is computed there once, in one lane or in the four of a texel. */
import {
  type Const,
  type DType,
  type Expr,
  expr as e,
  isContiguous,
  type Kernel,
  type Load,
  type View,
} from '@tessera/tensor/backend';
import { literal, print } from './expression';
import { elementOf, movingAxes, type Place, validity } from './place';
import type { Ref, Shader } from './shader';

/** What a load gives where a view has no element: zero, as it is stored. */
const nothing = { float32: '0.0', float16: '0.0', int32: '2.0', uint8: '0.0', bool: '0.0' } as const satisfies Record<
  DType,
  string
>;

export class Block {
  readonly shader: Shader;
  readonly kernel: Kernel;
  readonly place: Place;
  readonly #known = new Map<Expr, readonly string[]>();

  constructor(shader: Shader, kernel: Kernel, place: Place) {
    this.shader = shader;
    this.kernel = kernel;
    this.place = place;
  }

  /** The texts of an expression's value: one that all lanes share, or one a lane. */
  value(expr: Expr): readonly string[] {
    const known = this.#known.get(expr);
    if (known) return known;
    const texts = this.#compute(expr);
    this.#known.set(expr, texts);
    return texts;
  }

  #compute(expr: Expr): readonly string[] {
    const { shader, place } = this;
    switch (expr.op) {
      case 'const':
        return [isCount(expr) ? this.#count(expr.value) : literal(expr.value, expr.dtype, shader)];
      case 'uniform': {
        const name = shader.name('number');
        const bits = shader.number(expr.index);
        if (expr.dtype === 'bool') shader.native(name, [], 'Boolean', `bool ${name}() { return ${bits} != 0u; }`);
        else {
          const value = expr.dtype === 'int32' ? `${shader.use('wordOf')}(int(${bits}))` : `uintBitsToFloat(${bits})`;
          shader.native(name, [], 'Number', `float ${name}() { return ${value}; }`);
        }
        return [shader.bind(`${name}()`)];
      }
      case 'index': {
        const lanes = place.shared(expr.axis) ? 1 : place.lanes;
        return this.#fetch(lanes, (lane) => `${shader.use('wordOf')}(${place.coord(expr.axis, lane)})`, 'i');
      }
      case 'acc':
        return place.acc?.(expr.index) ?? [];
      case 'load':
        return place.load?.(expr) ?? this.#load(expr);
      case 'apply': {
        const args = expr.args.map((arg) => this.value(arg));
        const lanes = Math.max(...args.map(({ length }) => length));
        return Array.from({ length: lanes }, (_, lane) => {
          const texts = args.map((texts) => texts[texts.length === 1 ? 0 : lane] as string);
          const text = print(expr, texts, shader);
          return /^\w+$/.test(text) ? text : shader.bind(text);
        });
      }
      default:
        return expr satisfies never;
    }
  }

  #count(value: number): string {
    const { shader, place } = this;
    const name = shader.name('count');
    shader.native(name, [], 'Number', `float ${name}() { return float(${place.sizes.int(value)}); }`);
    return shader.bind(`${name}()`, 'n');
  }

  /** Binds the floats that GLSL gives for each lane. */
  #fetch(lanes: number, text: (lane: number) => string, prefix: string): readonly string[] {
    const { shader } = this;
    const name = shader.name(prefix);
    if (lanes === 1) {
      shader.native(name, [], 'Number', `float ${name}() { return ${text(0)}; }`);
      return [shader.bind(`${name}()`, prefix)];
    }
    shader.native(name, [], 'Array(4)', `vec4 ${name}() { return vec4(${[0, 1, 2, 3].map(text).join(', ')}); }`);
    return lanesOf(shader.bind(`${name}()`, prefix));
  }

  #load({ input, view, at }: Load): readonly string[] {
    const { dtype } = this.kernel.inputs[input] as Kernel['inputs'][number];
    const ref: Ref = { of: 'input', index: input };
    const texts = at ? this.#loadAt(ref, dtype, view, at) : this.table(ref, dtype, view);
    return texts.map((text) => this.#fromStored(text, dtype));
  }

  /** Elements of a texture through a view over this domain, as they are stored. */
  table(ref: Ref, dtype: DType, view: View): readonly string[] {
    const { shader, place } = this;
    const sampler = shader.sampler(ref);
    if (place.texel !== undefined && isContiguous(view)) {
      const name = shader.name('x');
      // Where rows are as long as those that are drawn, the fragment's own place; known when the program is made.
      const here = `FETCH(${sampler}_texture, ivec2(gl_FragCoord.xy))`;
      const text = `${sampler}_bits == own_bits ? ${here} : ${sampler}_texel(${place.texel})`;
      shader.native(name, [], 'Array(4)', `vec4 ${name}() { return ${text}; }`);
      return lanesOf(shader.bind(`${name}()`, 'x'));
    }
    if (place.linear !== undefined && isContiguous(view)) {
      return this.#fetch(1, () => `${sampler}(${place.linear})`, 'x');
    }
    const lanes = movingAxes(view).every((axis) => place.shared(axis)) ? 1 : place.lanes;
    if (lanes === 4 && place.aligned && isTexels(view)) {
      const coord = (axis: number) => place.coord(axis, 0);
      const element = elementOf(place.sizes, view)(coord);
      const valid = validity(place.sizes, view, false)(coord);
      const name = shader.name('x');
      const texel = `${sampler}_texel((${element}) >> 2)`;
      const text = valid ? `mix(vec4(${nothing[dtype]}), ${texel}, bvec4(${valid}))` : texel;
      shader.native(name, [], 'Array(4)', `vec4 ${name}() { return ${text}; }`);
      return lanesOf(shader.bind(`${name}()`, 'x'));
    }
    const [elementAt, validAt] = [elementOf(place.sizes, view), validity(place.sizes, view, false)];
    const element = (lane: number) => {
      const coord = (axis: number) => place.coord(axis, lane);
      const valid = validAt(coord);
      const text = `${sampler}(${elementAt(coord)})`;
      // a conditional would branch; what lies outside of the texture reads as zeros
      return valid ? `mix(${nothing[dtype]}, ${text}, ${valid})` : text;
    };
    return this.#fetch(lanes, element, 'x');
  }

  #loadAt(ref: Ref, dtype: DType, view: View, at: readonly Expr[]): readonly string[] {
    const { shader, place } = this;
    const sampler = shader.sampler(ref);
    const args = at.map((one) => this.value(one));
    const name = shader.name('at');
    const coord = (axis: number) => `c${axis}`;
    const list = at.map((_, axis) => `float w${axis}`).join(', ');
    const ints = at.map((_, axis) => `int c${axis} = ${shader.use('intOf')}(w${axis});`).join(' ');
    const valid = validity(place.sizes, view, true)(coord) ?? 'true';
    shader.native(
      name,
      at.map(() => 'Number' as const),
      'Number',
      `float ${name}(${list}) { ${ints} return mix(${nothing[dtype]}, ${sampler}(${elementOf(place.sizes, view)(coord)}), ${valid}); }`,
    );
    const lanes = Math.max(1, ...args.map(({ length }) => length));
    return Array.from({ length: lanes }, (_, lane) =>
      shader.bind(`${name}(${args.map((texts) => texts[texts.length === 1 ? 0 : lane]).join(', ')})`, 'x'),
    );
  }

  /** What is computed with, of what is stored. */
  #fromStored(text: string, dtype: DType): string {
    if (dtype === 'bool') return this.shader.bind(`${text} > 0.5`, 'b');
    return dtype === 'uint8' ? this.shader.bind(`${this.shader.use('wordOfByte')}(${text})`) : text;
  }

  /** What is stored in an output of this type: one text a lane. */
  stored(expr: Expr, dtype: DType): readonly string[] {
    const { shader, place } = this;
    const texts = this.value(e.cast(expr, e.computeOf(dtype)));
    const made = texts.map((text) => {
      if (dtype === 'bool') return shader.bind(`(${text} ? 1.0 : 0.0)`);
      return dtype === 'uint8' ? shader.bind(`${shader.use('byteOf')}(${text})`) : text;
    });
    return Array.from({ length: place.lanes }, (_, lane) => made[made.length === 1 ? 0 : lane] as string);
  }
}

/** A whole number that formulas seldom have of themselves: how many elements something is the mean of. */
const isCount = ({ value, dtype }: Const): boolean =>
  dtype === 'float32' && Number.isInteger(value) && value > 16 && value < 2 ** 24;

const lanesOf = (name: string): string[] => [0, 1, 2, 3].map((lane) => `${name}[${lane}]`);

/** Does a view read whole texels where its domain is walked by texels? */
export function isTexels({ shape, strides, offset, valid }: View): boolean {
  const last = shape.findLastIndex((size) => size !== 1);
  const bounds = valid?.[last];
  const whole = !bounds || (bounds[0] <= 0 && bounds[1] >= (shape[last] as number));
  return (
    whole &&
    strides[last] === 1 &&
    offset % 4 === 0 &&
    strides.every((stride, axis) => axis === last || shape[axis] === 1 || stride % 4 === 0)
  );
}
