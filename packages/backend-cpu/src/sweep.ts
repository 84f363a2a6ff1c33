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
  i8x16,
  i16x8,
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
import { philox16 } from './random';

/** One vector of a sweep: its number in the round, and how many of its lanes are there. */
export interface Step {
  readonly u: number;
  readonly lanes: 4 | 3 | 2 | 1 | Local;
}
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

/** A pointer into an operand, at the element of the round's first lane. */
interface Place {
  readonly pointer: Local;
  readonly stride: number;
  readonly bytes: number;
  /** Coordinates of the last axis that have elements, where not all have. */
  readonly range: readonly [lo: Arg, hi: Arg] | null;
}

export const laneNumbers = (by = 1, from = 0): Code => vectorConst([0, 1, 2, 3].map((lane) => from + lane * by));
const vectorConst = (values: readonly number[]): Code => [
  0xfd,
  0x0c,
  [...new Uint8Array(new Int32Array(values).buffer)],
];
const ones = () => i32x4.const(1);

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
      [...words].reverse().map((word): Code => [0x21, unsigned(word.index)]),
    ]);
    this.#quads.set(node, words);
    return words[0];
  }

  #asCompute(node: LoadNode, value: Code): Code {
    return this.scope.kernel.inputs[node.input]?.dtype === 'bool' ? i32x4.ne(value, i32x4.const(0)) : value;
  }

  #load(node: LoadNode, step: Step): Code {
    const place = this.#places.get(node);
    if (place) return place.range ? this.#loadGuarded(place, step) : this.#loadLanes(place, step);
    // The same for all lanes.
    const bytes = this.#bytes(node);
    const base = i32.load(this.scope.args, 4 * argWords(this.scope.kernel).input(node.input));
    let address = i32.add(base, this.#linear(node.view, bytes, false));
    const ok = this.#outerValid(node.view);
    if (ok) address = select(address, 0, ok);
    return bytes === 4 ? v128.load32_splat(address) : i32x4.splat(i32.load8_u(address));
  }

  #loadLanes(place: Place, step: Step): Code {
    const { pointer, stride, bytes } = place;
    const at = (element: number): readonly [Code, number] => {
      const offset = (4 * step.u * stride + element) * bytes;
      return offset >= 0 && !place.range ? [get(pointer), offset] : [i32.add(pointer, offset), 0];
    };
    if (bytes === 1) {
      if (stride === 1) return widen(v128.load32_zero(...at(0)));
      if (stride === 2) return evenBytes(v128.load64_zero(...at(0)));
      if (step.lanes !== 4) return this.#gather(this.#laneAddresses(place, step, null), 1);
      return [1, 2, 3].reduce<Code>(
        (v, lane) => i32x4.replace_lane(v, lane, i32.load8_u(...at(lane * stride))),
        i32x4.splat(i32.load8_u(...at(0))),
      );
    }
    if (stride === 1) return v128.load(...at(0));
    if (stride === 2) return i32x4.shuffle(v128.load(...at(0)), v128.load(...at(4)), [0, 2, 4, 6]);
    if (stride === -1) {
      const reversed = this.printer.bind(v128.load(...at(-3)));
      return i32x4.shuffle(reversed, reversed, [3, 2, 1, 0]);
    }
    if (step.lanes !== 4) return this.#gather(this.#laneAddresses(place, step, null), 4);
    return [1, 2, 3].reduce<Code>(
      (v, lane) => {
        const [address, offset] = at(lane * stride);
        return v128.load32_lane(address, v, lane, offset);
      },
      v128.load32_zero(...at(0)),
    );
  }

  /** Of a view with padding: as vectors where all lanes are inside. */
  #loadGuarded(place: Place, step: Step): Code {
    const [lo, hi] = place.range as readonly [Arg, Arg];
    const position = this.#position as Local;
    const { printer } = this;
    const from = this.scope.f.local('i32');
    printer.write(set(from, i32.add(position, 4 * step.u)));
    const inside = i32.and(i32.ge_s(from, lo), i32.lt_s(i32.add(from, 3), hi));
    const value = this.scope.f.local('v128');
    const branch = (make: () => Code): Code => {
      const outer = printer.code;
      printer.code = [];
      const result = make();
      const inner = [printer.code, set(value, result)];
      printer.code = outer;
      return inner;
    };
    const mask = (): Code => {
      const at = printer.bind(i32x4.add(i32x4.splat(from), laneNumbers()));
      return v128.and(i32x4.ge_s(at, i32x4.splat(lo)), i32x4.lt_s(at, i32x4.splat(hi)));
    };
    const some = i32.and(i32.gt_s(i32.add(from, 4), lo), i32.lt_s(from, hi));
    const lanes = branch(() => this.#gather(this.#laneAddresses(place, step, mask()), place.bytes));
    const partly = when(some, lanes, set(value, i32x4.const(0)));
    if (step.lanes !== 4) printer.write(partly);
    else
      printer.write(
        when(
          inside,
          branch(() => this.#loadLanes(place, step)),
          partly,
        ),
      );
    return get(value);
  }

  /** Addresses of the four lanes; 0 for lanes that are not there. */
  #laneAddresses({ pointer, stride, bytes }: Place, step: Step, mask: Code | null): Local {
    const all = i32x4.add(i32x4.splat(pointer), laneNumbers(stride * bytes, 4 * step.u * stride * bytes));
    const there = step.lanes === 4 ? null : i32x4.lt_s(laneNumbers(), i32x4.splat(step.lanes));
    const masks = mask && there ? v128.and(mask, there) : (mask ?? there);
    return this.printer.bind(masks ? v128.and(all, masks) : all);
  }

  #gather(addresses: Local, bytes: number): Code {
    const lane = (i: number) => i32x4.extract_lane(addresses, i);
    if (bytes === 1) {
      return [1, 2, 3].reduce<Code>(
        (v, i) => i32x4.replace_lane(v, i, i32.load8_u(lane(i))),
        i32x4.splat(i32.load8_u(lane(0))),
      );
    }
    return [1, 2, 3].reduce<Code>((v, i) => v128.load32_lane(lane(i), v, i), v128.load32_zero(lane(0)));
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
    return this.#gather(this.printer.bind(mask ? v128.and(all, mask) : all), bytes);
  }

  // ---- results ----

  /** Where a store goes. Call before `emit`. */
  destination(output: number, view: View): Place {
    const dtype = this.scope.kernel.outputs[output]?.dtype;
    const bytes = dtype === 'bool' || dtype === 'uint8' ? 1 : 4;
    const before = this.printer.code.length;
    const place = this.#place(i32.load(this.scope.args, 4 * argWords(this.scope.kernel).output(output)), view, bytes);
    this.#prelude.push(...this.printer.code.splice(before));
    return place;
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

  /** Writes a vector; booleans as 0 and 1, int32 to uint8 by its low bits. */
  store({ pointer, stride, bytes }: Place, value: Arg, step: Step, isBool: boolean): void {
    const { printer } = this;
    const offset = 4 * step.u * stride * bytes;
    const at = (lane: number): readonly [Code, number] => {
      const total = offset + lane * stride * bytes;
      return total >= 0 ? [get(pointer), total] : [i32.add(pointer, total), 0];
    };
    const v = isBool ? v128.and(value, ones()) : value;
    if (stride === 1 && step.lanes === 4) {
      if (bytes === 4) printer.write(v128.store(get(pointer), v, offset));
      else printer.write(v128.store32_lane(get(pointer), narrow(printer.bind(v)), 0, offset));
      return;
    }
    const whole = printer.bind(v);
    const lane = (i: number): Code => {
      const [address, more] = at(i);
      return bytes === 4 ? v128.store32_lane(address, whole, i, more) : v128.store8_lane(address, whole, 4 * i, more);
    };
    if (typeof step.lanes === 'number') {
      for (let i = 0; i < step.lanes; i++) printer.write(lane(i));
      return;
    }
    printer.write(lane(0));
    printer.write(when(i32.gt_s(step.lanes, 1), [lane(1), when(i32.gt_s(step.lanes, 2), lane(2))]));
  }

  /** Writes two vectors side by side: a to the even and b to the odd elements of words with stride 2. */
  storePair({ pointer, stride, bytes }: Place, a: Arg, b: Arg, step: Step): void {
    const { printer } = this;
    const offset = 4 * step.u * stride * bytes;
    const [even, odd] = [printer.bind(a), printer.bind(b)];
    printer.write(v128.store(get(pointer), i32x4.shuffle(even, odd, [0, 4, 1, 5]), offset));
    printer.write(v128.store(get(pointer), i32x4.shuffle(even, odd, [2, 6, 3, 7]), offset + 16));
  }

  // ---- the loop ----

  /** All of it: `body` writes what is done with one vector. */
  emit(wanted: number, body: (step: Step) => void): Code {
    const unroll = [...this.#uses.keys()].some((node) => this.#isQuad(node)) ? 4 * Math.ceil(wanted / 4) : wanted;
    const { printer } = this;
    const { count } = this.#stretch;
    const vectors = (steps: readonly Step[], elements: number): Code => {
      printer.code = [];
      this.#round = steps[0]?.lanes === 4 ? steps.length : 0;
      for (const step of steps) {
        this.#memo = new Map();
        body(step);
      }
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

function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >> 7)];
}
const isPadded = ({ valid, shape }: View, axis: number): boolean => {
  const range = valid?.[axis];
  return !!range && (range[0] > 0 || range[1] < (shape[axis] as number));
};
/** Four bytes to four words, and back. */
const widen = (v: Code): Code => i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v));
const evenBytes = (v: Code): Code =>
  i8x16.shuffle(
    v,
    i32x4.const(0),
    [0, 2, 4, 6].flatMap((byte) => [byte, 16, 16, 16]),
  );
const narrow = (v: Local): Code => i8x16.shuffle(v, v, [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]);
