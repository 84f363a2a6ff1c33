/**
 * From stores to draws. A fragment makes a texel of an output, so each output asks: which coordinate of which part writes my
 * element? Outputs that give the same answer are written by one draw, as many as the device has targets.
 */
import {
  BackendError,
  type Expr,
  isContiguous,
  type Kernel,
  nodesOf,
  type Store,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import { Block } from './block';
import { constants } from './division';
import { readTurned, type Turned } from './kernels/turn';
import { texelsOf } from './layout';
import { atElement, atTexel, backFrom, cursor, isWhole, type Place } from './place';
import { type Pass, type Program, type Ref, type Scratch, Shader } from './shader';

/** What is being made of one kernel. */
export class Build {
  readonly kernel: Kernel;
  /** Most textures that one draw writes. */
  readonly targets: number;
  readonly steps: Program['steps'][number][] = [];
  readonly scratch: Scratch[] = [];
  /** Operands of its stores that were transposed beforehand. */
  readonly turned = new Map<Expr, Turned>();

  constructor(kernel: Kernel, targets: number) {
    this.kernel = kernel;
    this.targets = targets;
  }

  /** How a place reads what was transposed. */
  load(shader: Shader, place: Place): (expr: Expr) => readonly string[] | null {
    return (expr) => {
      const turned = this.turned.get(expr);
      return turned ? readTurned(shader, place, turned) : null;
    };
  }

  program(): Program {
    return { steps: this.steps, scratch: this.scratch };
  }

  shader(title: string): Shader {
    return new Shader(title, this.kernel.uniforms.length);
  }

  /** A texture of `size` elements a layer that lives while the kernel runs. */
  temporary(size: number, layers = 1): Ref {
    return { of: 'scratch', index: this.scratch.push({ size, layers }) - 1 };
  }
}

/** One domain and what is stored over it. */
export interface Part {
  readonly shape: readonly number[];
  readonly stores: readonly Store[];
}

/** Writes what computes the kernel's own results at a place, and tells their texts. */
export type Core = (shader: Shader, place: Place, domain: readonly number[]) => (index: number) => readonly string[];

interface Group {
  readonly outputs: number[];
  readonly size: number;
  readonly parts: { readonly shape: readonly number[]; readonly view: View; readonly stores: Store[] }[];
}

/**
 * Are the four elements of a texel written side by side? Else the code stands once, in a loop over them: what is long, or
 * small and not short, gains less by it than it costs to compile.
 */
export function sideBySide(exprs: readonly Expr[], size: number): boolean {
  const nodes = nodesOf(exprs).size;
  return nodes <= (size < 4096 ? 16 : 160);
}

/** What makes a kernel's own results: `lanesOnly` where it cannot make four side by side, `known` where sizes stay constants. */
export interface Maker {
  readonly make: Core;
  readonly lanesOnly?: boolean;
  readonly known?: boolean;
}

/** Writes all stores. */
export function storePasses(build: Build, title: string, parts: readonly Part[], core?: Maker): void {
  for (const group of groupsOf(build, parts)) {
    const exprs = group.parts.flatMap(({ stores }) => stores.map(({ expr }) => expr));
    const straight = isStraight(group);
    const pass =
      straight && !core?.lanesOnly && sideBySide(exprs, group.size)
        ? texelPass(build, title, group, core?.make)
        : elementPass(build, title, group, straight, core);
    build.steps.push(pass);
  }
}

/** All four elements side by side. */
function texelPass(build: Build, title: string, { outputs, parts, size }: Group, core?: Core): Pass {
  const { kernel } = build;
  const [{ shape, stores }] = parts as [Group['parts'][number]];
  const shader = build.shader(title);
  const place = atTexel(shader, shape);
  const acc = core?.(shader, place, shape);
  const block = new Block(shader, kernel, { ...place, ...(acc && { acc }), load: build.load(shader, place) });
  const values = stores.map((store, k) => block.stored(store.expr, dtypeOf(kernel, outputs[k] as number)));
  values.forEach((texts, k) => {
    if (k > 0) shader.line(`output${k}([${texts.join(', ')}]);`);
  });
  shader.line(`return [${values[0]?.join(', ')}];`);
  return shader.pass(refs(outputs), texelsOf(size));
}

/** Element by element: where parts share an output, where elements stay as they are, and where four copies would be too long. */
function elementPass(build: Build, title: string, group: Group, straight: boolean, core?: Maker): Pass {
  const { kernel } = build;
  const { outputs, parts, size } = group;
  const shader = build.shader(title);
  const keeps = !isWhole(
    size,
    parts.map(({ view }) => view),
  );
  lanesOf(shader, outputs.length, (put) => {
    const body = (place: Place, shape: readonly number[], stores: readonly Store[]) => {
      const acc = core?.make(shader, place, shape);
      const block = new Block(shader, kernel, { ...place, ...(acc && { acc }), load: build.load(shader, place) });
      const values = stores.map((store, k) => block.stored(store.expr, dtypeOf(kernel, outputs[k] as number)));
      for (const [k, [text]] of values.entries()) put(k, text as string);
    };
    if (straight) {
      const [{ shape, stores }] = parts as [Group['parts'][number]];
      const at = atElement(shader, shape, core?.known ? constants : shader.sizes);
      shader.line(`${at.name}(first() + lane);`);
      body(at, shape, stores);
    } else {
      parts.forEach(({ shape, view, stores }, k) => {
        const at = cursor(shader, shape.length);
        const writes = backFrom(shader, at, view);
        if (!writes)
          throw new BackendError(
            `webgl: ${title} stores through strides [${view.strides}] over [${shape}], which do not nest`,
          );
        shader.line(`${k > 0 ? 'else ' : ''}if (${writes}(first() + lane)) {`);
        body(at, shape, stores);
        shader.line('}');
      });
      if (keeps) {
        shader.line('else {');
        outputs.forEach((output, k) => {
          const sampler = shader.sampler({ of: 'output', index: output });
          shader.native(`kept${k}`, ['Integer'], 'Number', `float kept${k}(int e) { return ${sampler}(e); }`);
          put(k, `kept${k}(first() + lane)`);
        });
        shader.line('}');
      }
    }
  });
  return shader.pass(refs(outputs), texelsOf(size), keeps);
}

/** The lanes one after the other: `body` writes what puts a value into each output's texel, at element `first() + lane`. */
export function lanesOf(
  shader: Shader,
  outputs: number,
  body: (put: (output: number, text: string) => void) => void,
): void {
  const all = Array.from({ length: outputs }, (_, k) => k);
  for (const k of all) {
    const texel = `vec4 made${k};\nfloat put${k}(int lane, float v) { made${k}[lane] = v; return v; }`;
    shader.native(`put${k}`, ['Integer', 'Number'], 'Number', texel);
    shader.native(`got${k}`, [], 'Array(4)', `vec4 got${k}() { return made${k}; }`);
  }
  shader.native('first', [], 'Integer', 'int first() { return texel() << 2; }');
  shader.line('for (let lane = 0; lane < 4; lane++) {');
  body((k, text) => shader.line(`put${k}(lane, ${text});`));
  shader.line('}');
  for (const k of all.slice(1)) shader.line(`output${k}(got${k}());`);
  shader.line('return got0();');
}

/** Does one draw write all stores, each element from the same place of the domain? */
export function isOneDraw(build: Build, parts: readonly Part[]): boolean {
  const [group, ...more] = groupsOf(build, parts);
  return group !== undefined && more.length === 0 && isStraight(group);
}

function isStraight({ parts, size }: Group): boolean {
  const [first] = parts;
  return first !== undefined && parts.length === 1 && isContiguous(first.view) && sizeOf(first.shape) === size;
}

const refs = (outputs: readonly number[]): Ref[] => outputs.map((index) => ({ of: 'output', index }));
const dtypeOf = (kernel: Kernel, output: number) => (kernel.outputs[output] as Kernel['outputs'][number]).dtype;

function groupsOf({ kernel, targets }: Build, parts: readonly Part[]): Group[] {
  const groups = new Map<string, Group[]>();
  kernel.outputs.forEach(({ size }, output) => {
    const written = parts.flatMap(({ shape, stores }, part) =>
      sizeOf(shape) === 0
        ? []
        : stores
            .filter((store) => store.output === output)
            .map((store) => ({ part, shape, view: store.view, stores: [store] })),
    );
    if (written.length === 0) return;
    const key = JSON.stringify([size, written.map(({ part, view }) => [part, view])]);
    const known = groups.get(key) ?? [];
    groups.set(key, known);
    const open = known.at(-1);
    if (open && open.outputs.length < targets) {
      open.outputs.push(output);
      for (const [i, { stores }] of open.parts.entries()) stores.push(...(written[i]?.stores ?? []));
    } else known.push({ outputs: [output], size, parts: written });
  });
  return [...groups.values()].flat();
}
