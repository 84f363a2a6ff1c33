/**
 * The WGSL that formulas are written in, as JavaScript that rounds to float32 after each operation: what a shader computes where
 * nothing is contracted, its built-ins are right, and subnormal numbers are kept.
 */

type Type = 'f32' | 'i32' | 'u32' | 'bool' | 'vec2f' | 'vec2u' | 'vec4u' | 'array8u';
interface Typed {
  readonly js: string;
  readonly type: Type;
}
type Value = number | boolean;
export type Shader = Readonly<Record<string, (...args: Value[]) => Value>>;

const token =
  /\s*(0x[\da-f]+[iu]?|\d+(?:\.\d+)?(?:e-?\d+)?[fiu]?|\w+|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|\+=|-=|->|[-+*/%<>!=&|^(){}[\],;:.])/gy;
/** From loose to tight. */
const levels = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const components = { vec2f: 'f32', vec2u: 'u32', vec4u: 'u32', array8u: 'u32' } as const;

const word = new Uint32Array(1);
const asFloat = new Float32Array(word.buffer);
const roundEven = (x: number) => {
  const down = Math.floor(x);
  const over = x - down;
  return over > 0.5 || (over === 0.5 && down % 2 !== 0) ? down + 1 : down;
};
const builtins = {
  abs: Math.abs,
  clamp: (x: number, low: number, high: number) => Math.min(Math.max(x, low), high),
  exp: (x: number) => Math.fround(Math.exp(x)),
  floor: Math.floor,
  min: Math.min,
  max: Math.max,
  round: roundEven,
  sign: Math.sign,
  sqrt: (x: number) => Math.fround(Math.sqrt(x)),
  infinity: () => Infinity,
  nan: () => Number.NaN,
};
const fromBits = (bits: number) => {
  word[0] = bits;
  return asFloat[0] as number;
};
const toBits = (float: number) => {
  asFloat[0] = float;
  return word[0] as number;
};

/** A number as its type holds it. */
const held = (js: string, type: Type): string =>
  type === 'f32' ? `Math.fround(${js})` : type === 'i32' ? `(${js} | 0)` : type === 'u32' ? `(${js} >>> 0)` : js;

class Translator {
  readonly #tokens: string[];
  readonly #returns: ReadonlyMap<string, Type>;
  #at = 0;
  #names = new Map<string, Type>();

  constructor(source: string) {
    const plain = source
      .replace(/\/\/.*/g, '')
      .replace(/vec([24])<([fu])32>/g, 'vec$1$2')
      .replace(/array<u32, 8>/g, 'array8u')
      .replace(/bitcast<(\w+)>/g, 'bitcast_$1');
    this.#tokens = [...plain.matchAll(token)].map(([, text]) => text as string);
    this.#returns = new Map(
      [...plain.matchAll(/fn (\w+)\([^)]*\) -> (\w+)/g)].map(([, name, type]) => [name as string, type as Type]),
    );
  }

  program(): string {
    let js = '';
    while (this.#at < this.#tokens.length) js += this.#function();
    return js;
  }

  get #next(): string {
    return this.#tokens[this.#at] as string;
  }
  #take(wanted?: string): string {
    const text = this.#next;
    if (wanted !== undefined && text !== wanted) throw new SyntaxError(`saw ${text}, wanted ${wanted}`);
    this.#at++;
    return text;
  }
  #found(wanted: string): boolean {
    if (this.#next !== wanted) return false;
    this.#at++;
    return true;
  }
  #declared(): string {
    const name = this.#take();
    this.#take(':');
    this.#names.set(name, this.#take() as Type);
    return name;
  }

  #function(): string {
    this.#names = new Map();
    this.#take('fn');
    const name = this.#take();
    this.#take('(');
    const args: string[] = [];
    while (!this.#found(')')) {
      args.push(this.#declared());
      this.#found(',');
    }
    this.#take('->');
    this.#take();
    return `function ${name}(${args.join(', ')}) ${this.#block()}\n`;
  }
  #block(): string {
    this.#take('{');
    let js = '';
    while (!this.#found('}')) js += this.#statement();
    return `{ ${js} }`;
  }
  #condition(): string {
    this.#take('(');
    const { js } = this.#expression();
    this.#take(')');
    return js;
  }
  #statement(): string {
    if (this.#found('if')) {
      const yes = `if (${this.#condition()}) ${this.#block()}`;
      if (!this.#found('else')) return yes;
      return `${yes} else ${this.#next === 'if' ? this.#statement() : this.#block()}`;
    }
    if (this.#found('while')) return `while (${this.#condition()}) ${this.#block()}`;
    if (this.#found('for')) {
      this.#take('(');
      const start = this.#statement();
      const { js } = this.#expression();
      this.#take(';');
      const step = `${this.#take()}${this.#take('++')}`;
      this.#take(')');
      return `for (${start} ${js}; ${step}) ${this.#block()}`;
    }
    let js: string;
    if (this.#found('return')) js = `return ${this.#expression().js}`;
    else if (this.#found('let') || this.#found('var')) {
      const name = this.#declared();
      this.#take('=');
      js = `let ${name} = ${this.#expression().js}`;
    } else {
      const name = this.#take();
      const operator = this.#take();
      const left = { js: name, type: this.#names.get(name) as Type };
      const right = this.#expression();
      js = `${name} = ${operator === '=' ? right.js : this.#binary(operator[0] as string, left, right).js}`;
    }
    this.#take(';');
    return `${js}; `;
  }

  #expression(level = 0): Typed {
    const operators = levels[level];
    if (!operators) return this.#unary();
    let left = this.#expression(level + 1);
    while (operators.includes(this.#next)) left = this.#binary(this.#take(), left, this.#expression(level + 1));
    return left;
  }
  #binary(operator: string, a: Typed, b: Typed): Typed {
    const shift = operator === '<<' || operator === '>>';
    if (a.type !== b.type && !(shift && b.type === 'u32'))
      throw new TypeError(`${a.js} ${operator} ${b.js}: ${a.type} and ${b.type}`);
    const js = `(${a.js} ${operator === '==' || operator === '!=' ? `${operator}=` : operator} ${b.js})`;
    if (/^([=!<>]=|[<>]|&&|\|\|)$/.test(operator)) return { js, type: 'bool' };
    if (a.type.startsWith('vec')) return { js: `add(${a.js}, ${b.js})`, type: a.type };
    if (operator === '>>' && a.type === 'u32') return { js: `(${a.js} >>> ${b.js})`, type: 'u32' };
    if (operator === '*' && a.type !== 'f32') return { js: held(`Math.imul(${a.js}, ${b.js})`, a.type), type: a.type };
    return { js: held(js, a.type), type: a.type };
  }
  #unary(): Typed {
    if (this.#found('-')) {
      const { js, type } = this.#unary();
      return { js: held(`(-${js})`, type), type };
    }
    if (this.#found('!')) return { js: `(!${this.#unary().js})`, type: 'bool' };
    return this.#primary();
  }
  #primary(): Typed {
    const text = this.#take();
    let value: Typed;
    if (text === '(') {
      value = this.#expression();
      this.#take(')');
    } else if (/^\d/.test(text)) {
      const hex = text.startsWith('0x');
      const type = text.endsWith('u') ? 'u32' : hex || text.endsWith('i') ? 'i32' : 'f32';
      value = { js: held(hex ? text.replace(/[iu]$/, '') : text.slice(0, -1), type), type };
    } else if (this.#found('(')) value = this.#call(text);
    else value = { js: text, type: this.#names.get(text) as Type };
    for (;;) {
      const type = components[value.type as keyof typeof components];
      if (this.#found('.')) value = { js: `${value.js}[${'xyzw'.indexOf(this.#take())}]`, type };
      else if (this.#found('[')) {
        value = { js: `${value.js}[${this.#expression().js}]`, type };
        this.#take(']');
      } else return value;
    }
  }
  #call(name: string): Typed {
    const args: Typed[] = [];
    while (!this.#found(')')) {
      args.push(this.#expression());
      this.#found(',');
    }
    const list = args.map(({ js }) => js);
    const [first, second, third] = list;
    const from = args[0]?.type;
    if (name in components) return { js: `[${list.join(', ')}]`, type: name as Type };
    if (name === 'select') return { js: `(${third} ? ${second} : ${first})`, type: from as Type };
    if (name === 'bitcast_f32') return { js: `fromBits(${first})`, type: 'f32' };
    if (name === 'bitcast_u32') return { js: `toBits(${first})`, type: 'u32' };
    if (name === 'bitcast_i32') return { js: `(toBits(${first}) | 0)`, type: 'i32' };
    if (name === 'f32' || name === 'i32' || name === 'u32') return { js: held(first as string, name), type: name };
    const returns = this.#returns.get(name) ?? (args.length ? from : 'f32');
    return { js: `${this.#returns.has(name) ? '' : 'builtins.'}${name}(${list.join(', ')})`, type: returns as Type };
  }
}

/** The functions of a program, by name. */
export function shaderOf(source: string): Shader {
  const js = new Translator(source).program();
  const names = [...js.matchAll(/^function (\w+)/gm)].map(([, name]) => name);
  const add = (a: number[], b: number[]) => a.map((value, i) => (value + (b[i] as number)) >>> 0);
  return new Function('builtins', 'fromBits', 'toBits', 'add', `${js} return { ${names.join(', ')} };`)(
    builtins,
    fromBits,
    toBits,
    add,
  );
}
