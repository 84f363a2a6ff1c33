/**
 * The vector loop: expressions over a stretch of the last axis of a domain.
 *
 *      start             start + count       prelude: pointers, and all that does not vary along the axis
 *        │▒▒▒▒│▒▒▒▒│▒▒▒▒│▒▒▒▒│▒▒│            then unroll × 4 lanes a round, 4 lanes a round, and 1 … 3 lanes at the end
 *
 * How an operand is read follows from its stride along the axis: 0 once, before the loop; 1 as vectors; −1 reversed; 2 as
 * the even lanes of two vectors; any other lane by lane. Lanes outside of a view's valid range (or of a load's computed
 * coordinates) are read from address 0, where zeros are.
 */
import type { Compute, View } from '@tessera/tensor/backend';
import {
  type Arg,
  brIf,
  type Code,
  f32x4,
  get,
  i32,
  i32x4,
  type Local,
  repeat,
  select,
  set,
  v128,
  when,
} from './assembler';
import type { Affine, ApplyNode, LoadNode, Node } from './domain';
import { argWords, Printer, type Scope } from './functions';
import { gather, laneNumbers, loadGuarded, loadLanes, type Place, type Step, storeLanes } from './lanes';
import { philox16 } from './random';

/** Where the kernel's own results come from. */
export interface Accs {
  /** Does acc(index) differ from lane to lane? */
  varies(index: number): boolean;
  value(index: number, step: Step, dtype: Compute): Arg;
}
export const noAccs: Accs = {
  varies: () => false,
  value: () => {
    throw new TypeError('an expression asks for a result where there is none yet');
  },
};

export interface Stretch {
  readonly shape: readonly number[];
  /** Coordinates of all axes but the last. */
  readonly coords: readonly (Local | number)[];
  readonly start: Local | number;
  readonly count: Local | number;
  /** Is `start`, where it is a local, always a multiple of 4? */
  readonly aligned?: boolean;
  /** Addresses of operands that do not lie where the kernel's inputs do. */
  readonly bases?: ReadonlyMap<Node, Local>;
}

export class Sweep {
  readonly scope: Scope;
  readonly printer: Printer;
  readonly #stretch: Stretch;
  readonly #accs: Accs;
  readonly #prelude: Code[] = [];
  /** What moves along: locals and by how much an element. */
  readonly #moving: { local: Local; by: number }[] = [];
  readonly #varies = new Map<Node, boolean>();
  readonly #uses = new Map<Node, number>();
  readonly #prepared = new Set<Node>();
  readonly #fixed = new Map<Node, Local>();
  readonly #places = new Map<Node, Place>();
  readonly #affines = new Map<Node, Local>();
  #position: Local | null = null;
  #memo = new Map<Node, Arg>();
  /** Vectors in the round that is being written, and what of it came four vectors at a time. */
  #round = 0;
  readonly #quads = new Map<Node, readonly Local[]>();

  constructor(scope: Scope, stretch: Stretch, roots: readonly Node[], accs: Accs = noAccs) {
    this.scope = scope;
    this.#stretch = stretch;
    this.#accs = accs;
    this.printer = new Printer(scope);
    for (const root of roots) this.#count(root);
    for (const root of roots) this.#prepare(root);
    this.#prelude.push(...this.printer.code);
  }

  // ---- what varies, and what is made before the loop ----

  varies(node: Node): boolean {
    const known = this.#varies.get(node);
    if (known !== undefined) return known;
    const made = this.#variesAnew(node);
    this.#varies.set(node, made);
    return made;
  }
  #variesAnew(node: Node): boolean {
    const last = this.#stretch.shape.length - 1;
    switch (node.op) {
      case 'affine':
        return node.strides[last] !== 0;
      case 'load': {
        if (node.at) return node.at.some((at) => this.varies(at));
        return node.view.strides[last] !== 0 || isPadded(node.view, last);
      }
      case 'apply':
        return node.args.some((arg) => this.varies(arg));
      case 'acc':
        return this.#accs.varies(node.index);
      default:
        return false;
    }
  }

  #count(node: Node): void {
    const uses = this.#uses.get(node) ?? 0;
    this.#uses.set(node, uses + 1);
    if (uses > 0) return;
    if (node.op === 'apply') for (const arg of node.args) this.#count(arg);
    if (node.op === 'load') for (const at of node.at ?? []) this.#count(at);
  }

  /** Makes places for what varies, and computes what does not. */
  #prepare(node: Node): void {
    if (this.#prepared.has(node)) return;
    this.#prepared.add(node);
    if (!this.varies(node)) {
      if (node.op === 'const') return;
      const first: Step = { u: 0, lanes: 4 };
      if (node.op === 'apply') for (const arg of node.args) this.#prepare(arg);
      if (node.op === 'load') for (const at of node.at ?? []) this.#prepare(at);
      this.#fixed.set(node, this.printer.bind(this.#make(node, first)));
    } else if (node.op === 'affine') {
      const local = this.#local(this.#linear(node, 1, true));
      this.#affines.set(node, local);
      this.#moving.push({ local, by: node.strides[node.strides.length - 1] as number });
    } else if (node.op === 'load') {
      if (node.at) for (const at of node.at) this.#prepare(at);
      else this.#places.set(node, this.#place(this.#base(node), node.view, this.#bytes(node)));
    } else if (node.op === 'apply') {
      for (const arg of node.args) this.#prepare(arg);
    }
  }

  #bytes({ input }: LoadNode): number {
    const dtype = this.scope.kernel.inputs[input]?.dtype;
    return dtype === 'bool' || dtype === 'uint8' ? 1 : 4;
  }

  #local(value: Code): Local {
    const local = this.scope.f.local('i32');
    this.printer.write(set(local, value));
    return local;
  }

  /** scale · (offset + Σ coordinates · strides), with or without the last axis. */
  #linear({ strides, offset }: Pick<Affine, 'strides' | 'offset'>, scale: number, withLast: boolean): Code {
    const { coords, start } = this.#stretch;
    let known = offset;
    let sum: Code | null = null;
    const all = withLast ? [...coords, start] : coords;
    all.forEach((coord, axis) => {
      const stride = strides[axis] as number;
      if (stride === 0) return;
      if (typeof coord === 'number') {
        known += coord * stride;
        return;
      }
      const by = (stride * scale) | 0;
      const term = by === 1 ? get(coord) : i32.mul(coord, by);
      sum = sum ? i32.add(sum, term) : term;
    });
    const base = (known * scale) | 0;
    if (!sum) return i32.const(base);
    return base === 0 ? sum : i32.add(sum, base);
  }

  #base(node: LoadNode): Code {
    const own = this.#stretch.bases?.get(node);
    return own ? get(own) : i32.load(this.scope.args, 4 * argWords(this.scope.kernel).input(node.input));
  }

  #place(base: Code, view: View, bytes: number): Place {
    const last = view.strides.length - 1;
    const stride = view.strides[last] as number;
    const pointer = this.#local(i32.add(base, this.#linear(view, bytes, true)));
    this.#moving.push({ local: pointer, by: stride * bytes });
    return { pointer, stride, bytes, range: this.#range(view) };
  }

  /** The valid coordinates along the last axis; none where an outer coordinate is not valid. */
  #range(view: View): Place['range'] {
    if (!view.valid) return null;
    const last = view.strides.length - 1;
    const ok = this.#outerValid(view);
    const [lo, hi] = view.valid[last] as readonly [number, number];
    if (!isPadded(view, last) && !ok) return null;
    this.#needPosition();
    if (!ok) return [lo, hi];
    return [lo, this.#local(select(hi, lo, ok))];
  }
  #outerValid(view: View): Code | null {
    let ok: Code | null = null;
    this.#stretch.coords.forEach((coord, axis) => {
      const range = view.valid?.[axis];
      if (!range || !isPadded(view, axis)) return;
      const [lo, hi] = range;
      const at = typeof coord === 'number' ? i32.const(coord) : get(coord);
      const inside = i32.lt_u(i32.sub(at, lo), hi - lo);
      ok = ok ? i32.and(ok, inside) : inside;
    });
    return ok;
  }
  #needPosition(): void {
    if (this.#position) return;
    const { start } = this.#stretch;
    this.#position = this.#local(typeof start === 'number' ? i32.const(start) : get(start));
    this.#moving.push({ local: this.#position, by: 1 });
  }

  // ---- values ----

  /** The value of a root (or of anything below one) at a step. */
  value(node: Node, step: Step): Arg {
    const fixed = this.#fixed.get(node) ?? this.#memo.get(node);
    if (fixed) return fixed;
    const code = this.#make(node, step);
    if (node.op === 'const' || (this.#uses.get(node) as number) < 2) return code;
    const local = this.printer.bind(code);
    this.#memo.set(node, local);
    return local;
  }

  #make(node: Node, step: Step): Arg {
    switch (node.op) {
      case 'const':
        if (node.dtype === 'float32') return f32x4.const(node.value);
        return i32x4.const(node.dtype === 'bool' ? -(node.value !== 0) : node.value);
      case 'uniform': {
        const address = 4 * argWords(this.scope.kernel).uniform(node.index);
        const value = v128.load32_splat(this.scope.args, address);
        return node.dtype === 'bool' ? i32x4.ne(value, i32x4.const(0)) : value;
      }
      case 'acc':
        return this.#accs.value(node.index, step, node.dtype);
      case 'affine': {
        const local = this.#affines.get(node);
        if (!local) return i32x4.splat(this.#linear(node, 1, false));
        const stride = node.strides[node.strides.length - 1] as number;
        return i32x4.add(i32x4.splat(local), laneNumbers(stride, 4 * step.u * stride));
      }
      case 'load':
        return this.#asCompute(node, node.at ? this.#gatherAt(node, step) : this.#load(node, step));
      case 'apply':
        if (this.#isQuad(node) && (step.u & -4) + 4 <= this.#round) return this.#quad(node, step);
        return this.printer.apply(
          node,
          node.args.map((arg) => this.value(arg, step)),
        );
    }
  }

  /** Random words of consecutive indices whose first is a multiple of 4: sixteen of them cost as much as four others. */
  #isQuad(node: Node): node is ApplyNode {
    if (node.op !== 'apply' || node.fn !== 'philox') return false;
    const [key0, key1, stream, index] = node.args as [Node, Node, Node, Node];
    if (index.op !== 'affine' || [key0, key1, stream].some((arg) => this.varies(arg))) return false;
    const { start, aligned } = this.#stretch;
    const strides = index.strides.slice(0, -1);
    const whole = typeof start === 'number' ? start % 4 === 0 : aligned === true;
    return whole && index.strides[strides.length] === 1 && [index.offset, ...strides].every((x) => x % 4 === 0);
  }
  #quad(node: ApplyNode, step: Step): Arg {
    const made = this.#quads.get(node);
    if (made && step.u % 4 !== 0) return made[step.u % 4] as Local;
    const { printer } = this;
    const [key0, key1, stream] = node.args.slice(0, 3).map((arg) => this.value(arg, step)) as [Arg, Arg, Arg];
    const first = i32x4.splat(this.#affines.get(node.args[3] as Node) as Local);
    const indices = i32x4.add(first, laneNumbers(4, 4 * step.u));
    const words = this.scope.f.locals('v128', 4) as [Local, Local, Local, Local];
    printer.write([
      philox16(this.scope.module).call(key0, key1, stream, indices),
      [...words].reverse().map((word): Code => [0x21, word.index]),
    ]);
    this.#quads.set(node, words);
    return words[0];
  }

  #asCompute(node: LoadNode, value: Code): Code {
    return this.scope.kernel.inputs[node.input]?.dtype === 'bool' ? i32x4.ne(value, i32x4.const(0)) : value;
  }

  #load(node: LoadNode, step: Step): Code {
    const place = this.#places.get(node);
    if (place) {
      const { printer } = this;
      return place.range ? loadGuarded(printer, place, this.#position as Local, step) : loadLanes(printer, place, step);
    }
    // The same for all lanes.
    const bytes = this.#bytes(node);
    const base = i32.load(this.scope.args, 4 * argWords(this.scope.kernel).input(node.input));
    let address = i32.add(base, this.#linear(node.view, bytes, false));
    const ok = this.#outerValid(node.view);
    if (ok) address = select(address, 0, ok);
    return bytes === 4 ? v128.load32_splat(address) : i32x4.splat(i32.load8_u(address));
  }

  /** At computed coordinates, each checked against the view. */
  #gatherAt(node: LoadNode, step: Step): Code {
    const { view } = node;
    const bytes = this.#bytes(node);
    let mask: Code | null = null;
    let sum: Code = i32x4.const(view.offset * bytes);
    (node.at as readonly Node[]).forEach((expr, axis) => {
      const [lo, hi] = [
        Math.max(0, view.valid?.[axis]?.[0] ?? 0),
        Math.min(view.shape[axis] as number, view.valid?.[axis]?.[1] ?? Infinity),
      ];
      const at = this.printer.bind(this.value(expr, step));
      const inside = i32x4.lt_u(lo === 0 ? at : i32x4.sub(at, i32x4.const(lo)), i32x4.const(Math.max(0, hi - lo)));
      mask = mask ? v128.and(mask, inside) : inside;
      const stride = (view.strides[axis] as number) * bytes;
      if (stride !== 0) sum = i32x4.add(sum, stride === 1 ? at : i32x4.mul(at, i32x4.const(stride)));
    });
    const base = i32x4.splat(i32.load(this.scope.args, 4 * argWords(this.scope.kernel).input(node.input)));
    const all = i32x4.add(base, sum);
    return gather(this.printer.bind(mask ? v128.and(all, mask) : all), bytes);
  }

  // ---- results ----

  /** Where a store goes. Call before `emit`. */
  destination(output: number, view: View): Place {
    const dtype = this.scope.kernel.outputs[output]?.dtype;
    const bytes = dtype === 'bool' || dtype === 'uint8' ? 1 : 4;
    return this.place(i32.load(this.scope.args, 4 * argWords(this.scope.kernel).output(output)), view, bytes);
  }
  /** A place of one's own: a view of elements of so many bytes from `base` on. Call before `emit`. */
  place(base: Code, view: View, bytes: number): Place {
    const before = this.printer.code.length;
    const place = this.#place(base, view, bytes);
    this.#prelude.push(...this.printer.code.splice(before));
    return place;
  }
  store(place: Place, value: Arg, step: Step, isBool: boolean): void {
    storeLanes(this.printer, place, value, step, isBool);
  }
  /** A pointer of one's own that moves along, `by` bytes an element. */
  pointer(from: Arg, by: number): Local {
    const local = this.scope.f.local('i32');
    this.#prelude.push(set(local, from));
    this.#moving.push({ local, by });
    return local;
  }
  /** The coordinate of the round's first lane along the swept axis. */
  position(): Local {
    const before = this.printer.code.length;
    this.#needPosition();
    this.#prelude.push(...this.printer.code.splice(before));
    return this.#position as Local;
  }

  // ---- the loop ----

  /**
   * All of it: `body` writes what is done with one vector. What it returns is written behind all vectors of the round: stores
   * that wait so long let the engine compute the vectors side by side, where each alone would wait for its own results.
   */
  emit(wanted: number, body: (step: Step) => (() => void) | undefined): Code {
    const unroll = [...this.#uses.keys()].some((node) => this.#isQuad(node)) ? 4 * Math.ceil(wanted / 4) : wanted;
    const { printer } = this;
    const { count } = this.#stretch;
    const vectors = (steps: readonly Step[], elements: number): Code => {
      printer.code = [];
      this.#round = steps[0]?.lanes === 4 ? steps.length : 0;
      const endings = steps.map((step) => {
        this.#memo = new Map();
        return body(step);
      });
      for (const end of endings) end?.();
      if (elements > 0) {
        for (const { local, by } of this.#moving) {
          if (by !== 0) printer.write(set(local, i32.add(local, by * elements)));
        }
      }
      return printer.code;
    };
    const full = (n: number): Step[] => Array.from({ length: n }, (_, u) => ({ u, lanes: 4 }));
    if (typeof count === 'number') {
      const whole = count >> 2;
      const rest = (count & 3) as 0 | 1 | 2 | 3;
      const rounds = whole > 2 * unroll ? Math.floor(whole / unroll) : 0;
      const code: Code[] = [...this.#prelude];
      if (rounds > 0) {
        const i = this.scope.f.local('i32');
        const round = vectors(full(unroll), 4 * unroll);
        code.push(set(i, rounds), repeat(round, set(i, i32.sub(i, 1)), brIf(0, i)));
      }
      const left = whole - rounds * unroll;
      if (left > 0) code.push(vectors(full(left), rest ? 4 * left : 0));
      if (rest) code.push(vectors([{ u: 0, lanes: rest }], 0));
      return code;
    }
    const left = this.scope.f.local('i32');
    const rounds = (n: number): Code => {
      const more = () => i32.ge_s(left, 4 * n);
      return when(more(), repeat(vectors(full(n), 4 * n), set(left, i32.sub(left, 4 * n)), brIf(0, more())));
    };
    return [
      ...this.#prelude,
      set(left, count),
      unroll > 1 ? rounds(unroll) : [],
      rounds(1),
      when(left, vectors([{ u: 0, lanes: left }], 0)),
    ];
  }
}

const isPadded = ({ valid, shape }: View, axis: number): boolean => {
  const range = valid?.[axis];
  return !!range && (range[0] > 0 || range[1] < (shape[axis] as number));
};
/** Four bytes to four words, and back. */
