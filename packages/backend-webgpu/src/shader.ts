/**
 * One shader under construction: its bindings, the functions it calls, and blocks of statements. Templates write lines;
 * indentation, names of values and the header come from here. A kernel's shaders all have the same bindings:
 *
 *     in0 …       read-only storage, an array an input; an input that is written in place has none, loads read its output
 *     out0 …      storage
 *     table …     where operands lie that have no binding of their own, and pages (pages.ts); only where there are some
 *     scratch     storage, words that live while the kernel runs; only where a program asks for some
 *     uniforms    group 1: the numbers handed in at each run
 */
import {
  type Compute,
  type DType,
  type Expr,
  expr as e,
  type Kernel,
  type Load,
  type Store,
} from '@tessera/tensor/backend';
import { literal, print } from './expression';
import { type FunctionName, functions, withDependencies } from './functions';
import type * as matrices from './kernels/matrix';
import type * as rare from './kernels/rare';
import { bindingsOf, nameOf, type Room, type Row } from './pages';
import { elementOf, type Place, validity } from './place';

/** What the device can do, as far as shaders depend on it. */
export interface Target {
  /** Storage buffers that a dispatch binds, and bytes of one. */
  readonly room: Room;
  /** Most workgroups along one dimension of a dispatch. */
  readonly workgroups: number;
  /** Most threads of a workgroup. */
  readonly threads: number;
  /** Bytes of workgroup memory. */
  readonly shared: number;
  /** Is workgroup memory no faster than a cache? */
  readonly cached: boolean;
  /** Bytes of scratch that a kernel may take to be faster. */
  readonly scratch: number;
  /** The blocks of float16 that a subgroup multiplies at once, and what writes such products, loaded there only; null where it does not. */
  readonly matrix: (MatrixBlock & { readonly by: typeof matrices }) | null;
  /** What writes kernels that many programs have none of; null until the first is met. */
  readonly rare: typeof rare | null;
  /** Lanes of a subgroup, where they are always as many; null where there are no subgroups. */
  readonly subgroup: number | null;
}

export function rareOf({ rare }: Target): NonNullable<Target['rare']> {
  if (!rare) throw new Error('what writes it is not loaded yet');
  return rare;
}

/** What tensor cores multiply: m × k by k × n of float16, by a subgroup of so many lanes, summed in float32. */
export interface MatrixBlock {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly lanes: number;
}

/** One dispatch: a shader, and the grid of workgroups that runs it. */
export interface Dispatch {
  readonly source: string;
  readonly grid: readonly [x: number, y: number];
}

/** What a kernel becomes: dispatches in order, and the words of scratch that they share. */
export interface Program {
  readonly dispatches: readonly Dispatch[];
  readonly scratch: number;
  /** Where operands without a binding are looked up, if not each in a row of its own. */
  readonly table?: readonly Row[];
}

/** How a storage dtype is declared in a shader. bool and uint8 take a word each: two threads never share one. */
export const storedAs = {
  float32: 'f32',
  float16: 'f16',
  int32: 'i32',
  uint8: 'u32',
  bool: 'u32',
} as const satisfies Record<DType, string>;
export const wgslType = { float32: 'f32', int32: 'i32', bool: 'bool' } as const satisfies Record<Compute, string>;

/** Statements between two braces, and the names of what `once` has computed there. */
export class Scope {
  readonly lines: string[] = [];
  private readonly names = new Map<string, string>();
  private readonly outer: Scope | null;

  constructor(outer: Scope | null = null) {
    this.outer = outer;
  }
  nameOf(text: string): string | undefined {
    return this.names.get(text) ?? this.outer?.nameOf(text);
  }
  remember(text: string, name: string): void {
    this.names.set(text, name);
  }
}

/** Statements of one function at one place of the kernel's domain: each expression is computed there once. */
export class Block {
  readonly shader: Shader;
  readonly place: Place;
  readonly scope: Scope;
  private readonly known = new Map<Expr, string>();
  private readonly coords = new Map<number, string>();

  constructor(shader: Shader, place: Place, scope: Scope = new Scope()) {
    this.shader = shader;
    this.place = place;
    this.scope = scope;
  }

  /** The same statements, going on at another place. */
  at(place: Place): Block {
    return new Block(this.shader, place, this.scope);
  }
  /** Statements inside these: what is computed here is known there. */
  inside(): Block {
    return new Block(this.shader, this.place, new Scope(this.scope));
  }

  get lines(): string[] {
    return this.scope.lines;
  }

  line(...lines: string[]): void {
    this.lines.push(...lines);
  }

  /** A value with a name, to be used more than once. */
  bind(text: string, prefix = 'v'): string {
    const name = this.shader.name(prefix);
    this.line(`let ${name} = ${text};`);
    return name;
  }

  /** A value that never changes, such as an index: the same text has the same name. */
  once(text: string, prefix = 'p'): string {
    if (/^\w+$/.test(text)) return text;
    const known = this.scope.nameOf(text);
    if (known !== undefined) return known;
    const name = this.bind(text, prefix);
    this.scope.remember(text, name);
    return name;
  }

  /** The coordinate along an axis of the domain, as i32. */
  coord(axis: number): string {
    const known = this.coords.get(axis);
    if (known !== undefined) return known;
    const text = this.place.coord(axis);
    const name = /^\w+$/.test(text) ? text : this.bind(text, 'c');
    this.coords.set(axis, name);
    return name;
  }

  /** The name or literal of an expression's value here. */
  value(expr: Expr): string {
    const known = this.known.get(expr);
    if (known !== undefined) return known;
    const text = this.compute(expr);
    const name = expr.op === 'const' || /^\w+$/.test(text) ? text : this.bind(text, expr.op === 'load' ? 'x' : 'v');
    this.known.set(expr, name);
    return name;
  }

  private compute(expr: Expr): string {
    const { shader } = this;
    switch (expr.op) {
      case 'const':
        return literal(expr.value, expr.dtype, shader);
      case 'uniform': {
        const word = `uniforms[${expr.index >> 2}][${expr.index & 3}]`;
        return expr.dtype === 'bool' ? `${word} != 0u` : `bitcast<${wgslType[expr.dtype]}>(${word})`;
      }
      case 'index':
        return this.coord(expr.axis);
      case 'acc':
        return this.place.acc?.(expr.index) ?? '';
      case 'load':
        return this.load(expr);
      case 'apply': {
        const args = expr.args.map((arg) => this.value(arg));
        // Constants alone would be computed by the compiler, which refuses what is not finite; a let is not constant.
        if (expr.args.every((arg) => arg.op === 'const')) args[0] = this.bind(args[0] as string);
        return print(expr, args, shader);
      }
      default:
        return expr satisfies never;
    }
  }

  private load(load: Load): string {
    const quarter = this.place.quarter?.(load);
    if (quarter) return quarter;
    const { input, view, at, dtype } = load;
    const { kernel } = this.shader;
    const coords = at ? at.map((one) => this.value(one)) : view.shape.map((_, axis) => () => this.coord(axis));
    const index = (!at && this.place.element?.(view)) || elementOf(view, coords, at ? undefined : this.place.linear);
    const element = this.element(bindingOf(kernel, input), index);
    const stored = kernel.inputs[input]?.dtype ?? 'float32';
    const value =
      stored === 'bool'
        ? `(${element} != 0u)`
        : stored === 'float32' || stored === 'int32'
          ? element
          : `${wgslType[dtype]}(${element})`;
    const valid = validity(view, coords, at !== null);
    return valid ? `select(${zero[dtype]}, ${value}, ${valid})` : value;
  }

  /** An element of an operand, which may be declared as an array of vectors, or lie in a page. */
  element(name: string, index: string): string {
    const paged = this.shader.paged.get(name);
    if (paged) return paged.dtype === 'float16' ? `half(${paged.row}, u32(${index}))` : wordAs(paged, index);
    if (!this.shader.vectors.has(name)) return `${name}[${index}]`;
    const at = this.once(`u32(${index})`, 'e');
    return `${name}[${at} >> 2u][${at} & 3u]`;
  }

  /** All expressions first, then all stores: an output may be an input's buffer. */
  store(stores: readonly Store[]): void {
    const { kernel } = this.shader;
    const values = stores.map(({ expr, output }) => {
      const { dtype } = kernel.outputs[output] as Kernel['outputs'][number];
      return narrowed(this.value(e.cast(expr, e.computeOf(dtype))), dtype);
    });
    const places = stores.map(({ view }) =>
      elementOf(
        view,
        view.shape.map((_, axis) => () => this.coord(axis)),
        this.place.linear,
      ),
    );
    const put = stores.map(({ output }, i) => {
      const [name, place, value] = [`out${output}`, places[i] as string, values[i] as string];
      const paged = this.shader.paged.get(name);
      if (!paged) return `${this.element(name, place)} = ${value};`;
      const [kind, stored] = paged.dtype === 'float16' ? ['half', value] : ['word', `bitcast<u32>(${value})`];
      return `${kind}Put(${paged.row}, u32(${place}), ${stored});`;
    });
    this.line(...put);
  }
}

/** An operand that lies in a page: the row of the table that says where, as text. */
export interface Paged {
  readonly row: string;
  readonly dtype: DType;
}
function wordAs({ row, dtype }: Paged, index: string): string {
  const word = `word(${row}, u32(${index}))`;
  return storedAs[dtype] === 'u32' ? word : `bitcast<${storedAs[dtype]}>(${word})`;
}

/** The binding that an input is read from: its own, or that of the output which is the same buffer. */
export function bindingOf({ aliases }: Kernel, input: number): string {
  const output = aliases.indexOf(input);
  return output < 0 ? `in${input}` : `out${output}`;
}

/** A value as it is stored. */
export function narrowed(value: string, dtype: DType): string {
  if (dtype === 'float16') return `f16(${value})`;
  if (dtype === 'uint8') return `u32(${value}) & 0xffu`;
  return dtype === 'bool' ? `u32(${value})` : value;
}

const zero: Record<Compute, string> = { float32: '0.0f', int32: '0i', bool: 'false' };

/** What the blocks of one dispatch share. */
export class Shader {
  readonly kernel: Kernel;
  private readonly target: Target;
  /** Bindings declared as arrays of vectors of four. Outputs among them are stored by vectors only. */
  readonly vectors: ReadonlySet<string>;
  /** By name. A template whose table has rows of its own says which; others have a row an operand. */
  paged: ReadonlyMap<string, Paged>;
  private readonly directives = new Set<string>();
  private readonly used = new Set<FunctionName>();
  private readonly declared: string[] = [];
  private names = 0;

  constructor(kernel: Kernel, target: Target, vectors: ReadonlySet<string> = new Set()) {
    this.kernel = kernel;
    this.target = target;
    this.vectors = vectors;
    this.paged = new Map(
      bindingsOf(kernel).paged.map((operand, row) => [nameOf(operand), { row: `${row}u`, dtype: operand.dtype }]),
    );
  }

  /** A directive that the shader begins with: `enable f16;`. */
  direct(directive: string): void {
    this.directives.add(directive);
  }
  name(prefix: string): string {
    return `${prefix}_${this.names++}`; // i_32 is no type
  }
  /** The shader calls this function of functions.ts. */
  use(name: FunctionName): FunctionName {
    this.used.add(name);
    return name;
  }
  /** A declaration of the module, such as an array in workgroup memory. */
  declare(text: string): void {
    this.declared.push(text);
  }

  source(header: readonly string[], scratch: boolean, main: string): string {
    const { kernel } = this;
    const bound = bindingsOf(kernel);
    const bindings = bound.own.map((operand, binding) => {
      const [access, name] = [operand.type === 'in' ? 'read' : 'read_write', nameOf(operand)];
      return `@group(0) @binding(${binding}) var<storage, ${access}> ${name}: array<${this.typeOf(name, storedAs[operand.dtype])}>;`;
    });
    const pages = bound.paged.length ? rareOf(this.target).access(bound, bindings.length) : null;
    bindings.push(...(pages?.bindings ?? []));
    if (scratch) {
      const type = this.typeOf('scratch', 'u32');
      bindings.push(`@group(0) @binding(${bindings.length}) var<storage, read_write> scratch: array<${type}>;`);
    }
    const vectors = Math.ceil(kernel.uniforms.length / 4);
    if (vectors) bindings.push(`@group(1) @binding(0) var<uniform> uniforms: array<vec4<u32>, ${vectors}>;`);
    if ([...kernel.inputs, ...kernel.outputs].some(({ dtype }) => dtype === 'float16')) this.direct('enable f16;');
    const called = withDependencies(this.used).map((name) => functions[name].trim());
    const parts = [
      header.map((line) => `// ${line}`).join('\n'),
      ...(this.directives.size ? [[...this.directives].join('\n')] : []),
      bindings.join('\n'),
      ...(this.declared.length ? [this.declared.join('\n')] : []),
      ...(pages?.functions ?? []),
      ...called,
      main,
    ];
    return indent(parts.join('\n\n'));
  }

  private typeOf(name: string, type: string): string {
    return this.vectors.has(name) ? `vec4<${type}>` : type;
  }
}

/** Two spaces for each brace that is open. */
function indent(source: string): string {
  let depth = 0;
  return source
    .split('\n')
    .map((line) => {
      const text = line.trim();
      const code = text.replace(/\/\/.*/, '');
      const closes = /^[})]/.test(code) ? 1 : 0;
      const result = text === '' ? '' : '  '.repeat(Math.max(0, depth - closes)) + text;
      for (const char of code) depth += char === '{' ? 1 : char === '}' ? -1 : 0;
      return result;
    })
    .join('\n');
}

/** Sizes of a tile that are others than its kernel's own. */
export type Given<Tile> = { readonly [K in keyof Tile]?: number };

export interface DispatchOptions {
  /** What a reader of the shader wants to know first: kind, shapes, tile. */
  readonly header: readonly string[];
  /** Threads of a workgroup. */
  readonly threads: number;
  /** How many workgroups; the shader knows its own as `group`, and its thread in it as `lane`. */
  readonly groups: number;
  readonly scratch?: boolean;
  /** Bindings declared as arrays of vectors of four. */
  readonly vectors?: ReadonlySet<string>;
}

/** A dispatch whose main function `body` writes. More workgroups than fit one dimension go on in the next. */
export function dispatch(
  kernel: Kernel,
  target: Target,
  { header, threads, groups, scratch = false, vectors }: DispatchOptions,
  body: (block: Block) => void,
): Dispatch {
  const shader = new Shader(kernel, target, vectors);
  const x = Math.min(groups, target.workgroups);
  const y = x === 0 ? 0 : Math.ceil(groups / x);
  const block = new Block(shader, { coord: () => '0' });
  block.line(y > 1 ? `let group = workgroup.y * ${x}u + workgroup.x;` : 'let group = workgroup.x;');
  if (x * y > groups) block.line(`if (group >= ${groups}u) { return; }`);
  body(block);
  const main = [
    `@compute @workgroup_size(${threads})`,
    'fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {',
    ...block.lines,
    '}',
  ];
  return { source: `${shader.source(header, scratch, main.join('\n'))}\n`, grid: [x, y] };
}
