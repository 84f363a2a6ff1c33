/**
 * gpu.js, and all that leans on its insides. A kernel's source is JavaScript, which gpu.js turns into GLSL and builds into a
 * program; what JavaScript cannot say is native GLSL beside it. Textures, uniforms and draws are ours: of a kernel of gpu.js
 * only its program is used. Its fields are no public API: its version is pinned, and gpujs.browser.test.ts fails when they change.
 */
import { BackendError } from '@tessera/tensor/backend';
import type { Format } from './layout';

/** What values are in the JavaScript that gpu.js reads. */
export type Type = 'Number' | 'Integer' | 'Boolean' | 'Array(4)';

/** A GLSL function that the JavaScript may call. */
export interface Native {
  readonly name: string;
  readonly args: readonly Type[];
  readonly returns: Type;
}

export interface KernelSource {
  /** `function kernel() { … return [r, g, b, a]; }`; further outputs by `output1([r, g, b, a])`, … */
  readonly source: string;
  /**
   * GLSL: declarations, and the functions that `natives` names, each before whoever calls it. A texture is a `uniform TEXTURE t;`
   * that `FETCH(t, ivec2(x, y))` reads four floats of, whatever its format.
   */
  readonly glsl: string;
  readonly natives: readonly Native[];
  /** How many textures it writes. */
  readonly outputs: number;
}

/** The fields of a kernel of gpu.js that are used here. */
interface GpuJsKernel {
  build(): unknown;
  getFragmentShader(args: unknown): string;
  compiledVertexShader: string | null;
  texture: unknown;
  mappedTextures: unknown;
  drawBuffersMap: readonly number[] | null;
  program: WebGLProgram | null;
  buffer: WebGLBuffer | null;
  framebuffer: WebGLFramebuffer | null;
  vertShader: WebGLShader | null;
  fragShader: WebGLShader | null;
}
interface GpuJs {
  createKernel(source: string, settings: object): { readonly kernel: GpuJsKernel };
  createKernelMap(outputs: object, source: string, settings: object): { readonly kernel: GpuJsKernel };
  /** Every kernel it made. */
  readonly kernels: unknown[];
}
interface Library {
  readonly GPU: new (settings: object) => GpuJs;
}

/** A program that is being made. */
export interface Building {
  readonly program: WebGLProgram;
  /**
   * Waits until it is there.
   * @throws BackendError with the compiler's words where the source is none
   */
  check(): void;
}

/** One vertex an attribute, at a fixed place: gpu.js' own shader scales by the largest texture of any kernel. */
const vertexShader = `#version 300 es
precision highp float;
layout(location = 0) in vec2 aPos;
void main() { gl_Position = vec4(aPos, 0.0, 1.0); }`;

const begin = '// tessera: kernel';

export class GpuJsCompiler {
  readonly #gl: WebGL2RenderingContext;
  readonly #gpu: GpuJs;
  readonly #format: Format;
  /** One strip of four vertices for all kernels: gpu.js' destroy() of the last kernel would delete that of all others. */
  readonly #vertices: WebGLBuffer;

  private constructor(gl: WebGL2RenderingContext, gpu: GpuJs, format: Format) {
    this.#gl = gl;
    this.#gpu = gpu;
    this.#format = format;
    this.#vertices = gl.createBuffer();
  }

  /** Loads gpu.js and binds it to our context. The canvas it gets is a stub: it would grow to the largest texture. */
  static async make({ gl, format }: { gl: WebGL2RenderingContext; format: Format }): Promise<GpuJsCompiler> {
    const { GPU } = await load();
    const gpu = new GPU({ mode: 'webgl2', canvas: { width: 1, height: 1 }, context: unasked(gl) });
    return new GpuJsCompiler(gl, gpu, format);
  }

  /**
   * Begins with a program: the browser makes it while the next is written, and `check` waits for it.
   * @throws BackendError where gpu.js does not read the source
   */
  build({ source, glsl, natives, outputs }: KernelSource): Building {
    const gl = this.#gl;
    const settings = {
      output: [1, 1],
      precision: 'single',
      tactic: 'precision', // else mediump on mobile devices
      pipeline: true,
      immutable: false,
      returnType: 'Array(4)',
      fixIntegerDivisionAccuracy: false,
      loopMaxIterations: 0x7fffffff, // of loops whose bound is no constant; 1000 by default, and silently
      injectedNative: `${begin}\n${glsl}\n`,
      nativeFunctions: natives.map(({ name, args, returns }) => ({
        name,
        source: `// ${name}`, // stands in glsl: gpu.js would order it as it likes
        argumentTypes: Object.fromEntries(args.map((type, i) => [`a${i}`, type])),
        returnType: returns,
      })),
    };
    const more = Array.from({ length: outputs - 1 }, (_, i) => `output${i + 1}`);
    const mapped = Object.fromEntries(more.map((name) => [name, passThrough(name)]));
    const made = more.length
      ? this.#gpu.createKernelMap(mapped, source, settings)
      : this.#gpu.createKernel(source, settings);
    const { kernel } = made;
    // It would make textures of its own; these are never drawn to.
    const none = { texture: null, delete() {}, beforeMutate: () => false };
    kernel.texture = none;
    kernel.mappedTextures = more.map(() => none);
    kernel.drawBuffersMap = [];
    kernel.compiledVertexShader = vertexShader;
    kernel.buffer = this.#vertices;
    const whole = kernel.getFragmentShader;
    let text = '';
    kernel.getFragmentShader = (args) => {
      text = trim(whole.call(kernel, args), this.#format);
      return text;
    };
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#vertices);
    gl.bufferData(gl.ARRAY_BUFFER, 64, gl.STATIC_DRAW);
    try {
      kernel.build();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError(`webgl: gpu.js builds no kernel: ${message}\n${source}`, { cause });
    } finally {
      const { kernels } = this.#gpu;
      kernels.splice(0, kernels.length); // it would keep every kernel
    }
    const { program, framebuffer, vertShader, fragShader } = kernel;
    if (!program || !fragShader)
      throw new BackendError('webgl: gpu.js made no program; another version of it than 2.24.1?');
    gl.deleteFramebuffer(framebuffer);
    gl.deleteShader(vertShader);
    const check = () => {
      const made = gl.getProgramParameter(program, gl.LINK_STATUS);
      const why = made ? '' : gl.getShaderInfoLog(fragShader) || gl.getProgramInfoLog(program) || '';
      gl.deleteShader(fragShader);
      if (made) return;
      gl.deleteProgram(program);
      throw new BackendError(`webgl: gpu.js builds no kernel: ${withLine(why, text)}\n${source}`);
    };
    return { program, check };
  }
}

/**
 * The context as gpu.js sees it: it asks whether each shader compiles and where its attributes are, and would wait for the
 * answers; `check` asks once, later.
 */
function unasked(gl: WebGL2RenderingContext): WebGL2RenderingContext {
  const answers: Readonly<Record<PropertyKey, unknown>> = {
    getShaderParameter: () => true,
    useProgram() {}, // browsers ask whether it links
    getAttribLocation: (_: WebGLProgram, name: string) => (name === 'aPos' ? 0 : -1), // as the vertex shader says
  };
  return new Proxy(gl, {
    get(target, name) {
      const value = Object.hasOwn(answers, name) ? answers[name] : Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const passThrough = (name: string) => `function ${name}(v) { return v; }`;

/** @throws BackendError that names the directive, where the page's policy keeps gpu.js out. */
async function load(): Promise<Library> {
  const refused: SecurityPolicyViolationEvent[] = [];
  const note = (event: SecurityPolicyViolationEvent) => refused.push(event);
  const scope = globalThis as Pick<GlobalEventHandlers, 'addEventListener' | 'removeEventListener'>;
  scope.addEventListener('securitypolicyviolation', note);
  try {
    const found = (await import('gpu.js')) as unknown as Library & { readonly default?: Library };
    return found.GPU ? found : (found.default as Library);
  } catch (cause) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // the event may come behind
    const at = refused.find(({ effectiveDirective }) => effectiveDirective.startsWith('script-src'));
    const why = at
      ? `the page's content security policy (${at.effectiveDirective}) keeps out ${at.blockedURI}; allow it in script-src, or use @tessera/backend-webgpu, which loads no further script, or @tessera/backend-cpu`
      : `${cause instanceof Error ? cause.message : cause}; is its script served, and allowed by script-src of the page's content security policy? Else use @tessera/backend-webgpu or @tessera/backend-cpu`;
    throw new BackendError(`webgl: gpu.js could not be loaded: ${why}`, { cause });
  } finally {
    scope.removeEventListener('securitypolicyviolation', note);
  }
}

/** gpu.js puts 500 lines of its own functions before a kernel, which cost half of the compile time; ours calls none of them. */
function trim(shader: string, { floats }: Format): string {
  const at = shader.indexOf(begin);
  const main = shader.indexOf('void main(void)', at);
  if (at < 0 || main < 0) throw new BackendError('webgl: gpu.js writes another shader than 2.24.1 does');
  const head = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;
precision highp sampler2DArray;
precision highp usampler2DArray;
#define TEXTURE ${floats ? 'sampler2D' : 'usampler2D'}
#define TEXTURES ${floats ? 'sampler2DArray' : 'usampler2DArray'}
#define FETCH(texture, place) ${floats ? 'texelFetch(texture, place, 0)' : 'uintBitsToFloat(texelFetch(texture, place, 0))'}
const int LOOP_MAX = 0x7fffffff;
`;
  const body = shader
    .slice(main)
    .split('\n')
    .filter((line) => !/^\s*(index|threadId) =/.test(line))
    .join('\n');
  const kernel = shader.slice(at, main) + body;
  if (floats) return head + kernel;
  const asBits = kernel
    .replace(/\bout vec4 (data\d+);/g, 'out uvec4 $1;')
    .replace(/^(\s*data\d+ = )(.*);$/gm, '$1floatBitsToUint($2);');
  return head + asBits;
}

/** What the compiler says, with the line of GLSL that it names. */
function withLine(message: string, text: string): string {
  const line = /ERROR: \d+:(\d+)/.exec(message)?.[1];
  return line ? `${message}\n${text.split('\n')[Number(line) - 1]}` : message;
}
