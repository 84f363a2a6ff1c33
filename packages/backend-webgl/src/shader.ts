/**
 * One kernel of gpu.js under construction: the lines of its JavaScript, and the GLSL that these call: textures, numbers,
 * places and loads. A fragment makes the four elements of one texel, its lanes.
 */
import { BackendError } from '@tessera/tensor/backend';
import { constants, divisions, type Sizes } from './division';
import { type Caller, floatBits } from './expression';
import { type FunctionName, functions, signatureOf, withDependencies } from './functions';
import type { KernelSource, Native, Type } from './gpujs';

/** A texture that a pass reads or writes: of an operand of the kernel, or one that lives only while the kernel runs. */
export type Ref =
  | { readonly of: 'input'; readonly index: number }
  | { readonly of: 'output'; readonly index: number }
  | { readonly of: 'scratch'; readonly index: number };

/** One draw: a kernel of gpu.js, what it reads in the order of its samplers, and what it writes. */
export interface Pass {
  /** What it is, for errors and readers. */
  readonly title: string;
  readonly source: KernelSource;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
  /** Texels that are drawn. */
  readonly texels: number;
  /** Does it leave elements of its outputs as they are? Then it also reads them. */
  readonly keeps: boolean;
  /** What its uniform `sizes` holds. */
  readonly sizes: Int32Array;
}

/** Work between passes that the host does: it reads textures, and writes others. */
export interface HostStep {
  readonly title: string;
  readonly reads: readonly { readonly ref: Ref; readonly size: number }[];
  readonly writes: readonly { readonly ref: Ref; readonly size: number }[];
  /** From the words read to those written; words as they lie in textures. */
  run(read: readonly Float32Array[]): Float32Array[];
}

/** A texture that lives while a kernel runs: elements of each layer, and layers. */
export interface Scratch {
  readonly size: number;
  readonly layers: number;
}

export interface Program {
  readonly steps: readonly (Pass | HostStep)[];
  readonly scratch: readonly Scratch[];
}

const sameRef = (a: Ref, b: Ref): boolean => a.of === b.of && a.index === b.index;

interface Optional {
  readonly text: string;
  /** What calls it; null of what stands there in any case. */
  readonly called: RegExp | null;
}

/** Element e of those in a texel. An index that is no constant takes an emulator more than twice as long. */
const pick =
  'float pick(vec4 x, int e) { vec2 two = mix(x.xy, x.zw, bvec2((e & 2) != 0)); return mix(two.x, two.y, (e & 1) != 0); }';

/** Uniforms of sizes that a shader has at most: every device has room for them and for the numbers. */
const mostSizes = 512;

export class Shader implements Caller {
  readonly title: string;
  /** The lines of `function kernel()`. */
  readonly lines: string[] = [];
  readonly inputs: Ref[] = [];
  readonly #glsl: (Optional | (() => string))[] = [];
  readonly #natives = new Map<string, Native>();
  readonly #used = new Set<FunctionName>();
  readonly #constants = new Map<number, string>();
  readonly #sizes: number[] = [];
  readonly #uniforms: number;
  #names = 0;

  /** @param uniforms how many numbers the kernel is handed at each run */
  constructor(title: string, uniforms: number) {
    this.title = title;
    this.#uniforms = uniforms;
    this.#offer(...divisions, pick);
    this.#offer('int texel() { return (int(gl_FragCoord.y) << own_bits) + int(gl_FragCoord.x); }');
  }

  name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  line(...lines: string[]): void {
    this.lines.push(...lines);
  }

  /** A value with a name, to be used more than once. An Integer would become a float here. */
  bind(text: string, prefix = 'v'): string {
    const name = this.name(prefix);
    this.line(`const ${name} = ${text};`);
    return name;
  }

  use(name: FunctionName): FunctionName {
    this.#used.add(name);
    return name;
  }

  bits(bits: number): string {
    let name = this.#constants.get(bits);
    if (!name) {
      name = `bits${(bits >>> 0).toString(16)}`;
      this.#constants.set(bits, name);
      this.native(name, [], 'Number', `float ${name}() { return uintBitsToFloat(${bits >>> 0}u); }`);
    }
    return `${name}()`;
  }

  /**
   * Sizes as uniforms, one more each time one is asked for: what shapes have in common is their code. Where nothing else tells
   * programs apart, they are one program.
   */
  readonly sizes: Sizes = {
    known: false,
    int: (value) => this.#size(value) ?? constants.int(value),
    part: (by) => {
      const bits = this.#size(floatBits(1 / by));
      return bits ? `intBitsToFloat(${bits})` : constants.part(by);
    },
  };

  #size(value: number): string | null {
    const at = this.#sizes.length;
    if (at === mostSizes) return null;
    this.#sizes.push(value);
    return `sizes[${at >> 2}].${'xyzw'[at & 3]}`;
  }

  /** GLSL that stands before the kernel; a function is asked for it when all lines are written. */
  declare(glsl: string | (() => string)): void {
    this.#glsl.push(typeof glsl === 'string' ? { text: glsl, called: null } : glsl);
  }

  /** Functions that stand there if what is declared later calls them: what nobody calls is compiled all the same. */
  #offer(...functions: readonly string[]): void {
    for (const text of functions) this.#glsl.push({ text, called: new RegExp(`\\b${/(\w+)\(/.exec(text)?.[1]}\\(`) });
  }

  /** What is declared, in order, without the functions that nothing after them calls. */
  #declared(): string[] {
    const parts = this.#glsl.map((part) => (typeof part === 'function' ? { text: part(), called: null } : part));
    const kept: string[] = [];
    for (const { text, called } of parts.reverse()) {
      if (!called || kept.some((later) => called.test(later))) kept.push(text);
    }
    return kept.reverse();
  }

  /** A GLSL function that the JavaScript calls. */
  native(name: string, args: readonly Type[], returns: Type, glsl: string): string {
    this.#natives.set(name, { name, args, returns });
    this.declare(glsl);
    return name;
  }

  /**
   * The texture's functions for GLSL: `sN_texel(t)`, the four floats of a texel, and `sN(e)`, one element. `sN_bits` is known
   * when the program is made.
   * @throws BackendError where the kernel reads more textures than the device binds
   */
  sampler(ref: Ref): string {
    const at = this.inputs.findIndex((other) => sameRef(other, ref));
    if (at >= 0) return `s${at}`;
    const name = `s${this.inputs.push(ref) - 1}`;
    this.declare(`uniform TEXTURE ${name}_texture;`);
    this.#offer(
      `vec4 ${name}_texel(int t) { return FETCH(${name}_texture, ivec2(t & ((1 << ${name}_bits) - 1), t >> ${name}_bits)); }`,
      `float ${name}(int e) { return pick(FETCH(${name}_texture, ivec2((e >> 2) & ((1 << ${name}_bits) - 1), e >> (${name}_bits + 2))), e); }`,
    );
    return name;
  }

  /** The functions of a texture of layers: `sN_texel(layer, t)` and `sN(layer, e)`. */
  layers(ref: Ref): string {
    const at = this.inputs.findIndex((other) => sameRef(other, ref));
    if (at >= 0) return `s${at}`;
    const name = `s${this.inputs.push(ref) - 1}`;
    this.declare(`uniform TEXTURES ${name}_texture;`);
    this.#offer(
      `vec4 ${name}_texel(int layer, int t) { return FETCH(${name}_texture, ivec3(t & ((1 << ${name}_bits) - 1), t >> ${name}_bits, layer)); }`,
      `float ${name}(int layer, int e) { return pick(${name}_texel(layer, e >> 2), e); }`,
    );
    return name;
  }

  /** Number `index` of those handed in, as its bits. */
  number(index: number): string {
    return `numbers[${index >> 2}].${'xyzw'[index & 3]}`;
  }

  /** @param targets how many texels a fragment makes: one an output, or one a layer of the only one */
  pass(outputs: readonly Ref[], texels: number, keeps = false, targets = outputs.length): Pass {
    const vectors = Math.ceil(this.#uniforms / 4);
    const used = withDependencies(this.#used).map((name) => ({ name, source: functions[name].trim() }));
    const parts = this.#declared();
    const sizes = new Int32Array(Math.ceil(this.#sizes.length / 4) * 4);
    sizes.set(this.#sizes);
    const glsl = [
      `// ${this.title}`,
      ...(vectors ? [`uniform highp uvec4 numbers[${vectors}];`] : []),
      ...(sizes.length ? [`uniform highp ivec4 sizes[${sizes.length / 4}];`] : []),
      ...used.map(({ source }) => source),
      ...parts,
    ].join('\n');
    const natives = [
      ...used.filter(({ name }) => this.#used.has(name)).map(({ name, source }) => signatureOf(name, source)),
      ...this.#natives.values(),
    ];
    const source = `function kernel() {\n${this.lines.map((line) => `  ${line}`).join('\n')}\n}`;
    return {
      title: this.title,
      source: { source, glsl, natives, outputs: targets },
      inputs: this.inputs,
      outputs,
      texels,
      keeps,
      sizes,
    };
  }
}

/** @throws BackendError where a pass binds more textures than there are units */
export function checkUnits({ title, inputs }: Pass, most: number): void {
  if (inputs.length <= most) return;
  throw new BackendError(
    `webgl: ${title} reads ${inputs.length} textures, this device binds ${most}; read an intermediate value (await x.data()) to cut what is fused`,
  );
}
