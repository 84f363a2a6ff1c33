/**
 * WebAssembly, written as TypeScript expressions that read like its text format:
 *
 *   const module = new Module({ shared: false });
 *   const f = module.func(['i32', 'i32'], [], 'double');           // exported as 'double'
 *   const [from, to] = f.params; const p = f.local('i32');
 *   f.emit(loop(p, from, to, 16, [v128.store(p, f32x4.mul(v128.load(p), f32x4.const(2)))]));
 *   new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
 *
 * Code is a tree of bytes, flattened once at the end, so pieces of code are plain values. An argument is code, a local
 * (its value) or a number (a constant of the operation's type, i32 for addresses and counts). Names are the standard's.
 */

export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
/** Bytes, in any nesting. */
export type Code = Uint8Array | readonly (number | Code)[];
/** A parameter or local variable of one function. */
export class Local {
  readonly type: Type;
  readonly index: Code;
  /** The code that leaves its value: one array, however often it is used. */
  readonly get: Code;
  constructor(type: Type, index: number) {
    this.type = type;
    this.index = unsigned(index);
    this.get = [0x20, this.index];
  }
}
export type Arg = Code | Local | number;

const typeByte = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;

/** Unsigned and signed LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return bytes;
}
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (; value < -64 || value > 63; value >>= 7) bytes.push((value & 127) | 128);
  bytes.push(value & 127);
  return bytes;
}
function signed64(value: bigint): number[] {
  const bytes: number[] = [];
  for (; value < -64n || value > 63n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  bytes.push(Number(value & 127n));
  return bytes;
}

/** The bytes of a 4-byte word. */
const word = (value: number): Code => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
const view = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(8));
function float(value: number): Code {
  view.setFloat32(0, value);
  return word(view.getInt32(0));
}
function double(value: number): Code {
  view.setFloat64(0, value);
  return [word(view.getInt32(4)), word(view.getInt32(0))];
}

const constants = {
  i32: (value: number): Code => [0x41, signed(value | 0)],
  i64: (value: number | bigint): Code => [0x42, signed64(BigInt.asIntN(64, BigInt(value)))],
  f32: (value: number): Code => [0x43, float(value)],
  f64: (value: number): Code => [0x44, double(value)],
  v128: (): Code => {
    throw new TypeError('assembler: a number is no v128; use i32x4.const or f32x4.const');
  },
};

/** The code that leaves an argument's value on the stack. */
const value = (arg: Arg, type: Type): Code =>
  arg instanceof Local ? arg.get : typeof arg === 'number' ? constants[type](arg) : arg;
export const get = (local: Local): Code => local.get;
export const set = (local: Local, to: Arg): Code => [value(to, local.type), 0x21, local.index];
/** Computes a value and forgets it. */
export const drop = (code: Code): Code => [code, 0x1a];
/** Sets a local and leaves its value. */
export const tee = (local: Local, to: Arg): Code => [value(to, local.type), 0x22, local.index];

// ---- tables of operations: names in the order of their opcodes, '-' where one is left out ----

type Words<S extends string, Known = never> = S extends `${infer Word} ${infer Rest}`
  ? Words<Rest, Known | Word>
  : Exclude<Known | S, '-'>;
type Table<S extends string> = Readonly<Record<Words<S>, (...args: Arg[]) => Code>>;

/** Operations without immediates, whose arguments go on the stack; `type` is that of number arguments. */
function table<S extends string>(type: Type, first: number, names: S, encode = (opcode: number): Code => [opcode]) {
  const entries = names.split(' ').map((name, i) => {
    const opcode = encode(first + i);
    const operation = (a: Arg, b?: Arg, c?: Arg): Code => {
      if (b === undefined) return [value(a, type), opcode];
      if (c === undefined) return [value(a, type), value(b, type), opcode];
      return [value(a, type), value(b, type), value(c, type), opcode];
    };
    return [name, operation] as const;
  });
  return Object.fromEntries(entries.filter(([name]) => name !== '-')) as Table<S>;
}
const simdOpcode = (opcode: number): Code => [0xfd, unsigned(opcode)];
const simd = <S extends string>(first: number, names: S) => table('i32', first, names, simdOpcode);

/** Address and immediate; the format has no negative offsets, so those are added to the address. */
const place = (address: Arg, offset: number, opcode: Code, log2: number, ...between: Code[]): Code =>
  offset < 0
    ? [value(address, 'i32'), constants.i32(offset), 0x6a, between, opcode, log2, 0]
    : [value(address, 'i32'), between, opcode, log2, unsigned(offset)];
const load =
  (log2: number, opcode: Code) =>
  (address: Arg, offset = 0): Code =>
    place(address, offset, opcode, log2);
const store =
  (type: Type, log2: number, opcode: Code) =>
  (address: Arg, what: Arg, offset = 0): Code =>
    place(address, offset, opcode, log2, value(what, type));

const integers = 'eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
const integerMath = 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr';
const floats = 'eq ne lt gt le ge';
const floatMath = 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign';

export const i32 = /* @__PURE__ */ (() => ({
  const: constants.i32,
  ...table('i32', 0x45, integers),
  ...table('i32', 0x67, integerMath),
  ...table('i64', 0xa7, 'wrap_i64'),
  ...table('f32', 0xbc, 'reinterpret_f32'),
  ...table('f32', 0, 'trunc_sat_f32_s trunc_sat_f32_u', (opcode) => [0xfc, opcode]),
  load: load(2, [0x28]),
  load8_s: load(0, [0x2c]),
  load8_u: load(0, [0x2d]),
  load16_s: load(1, [0x2e]),
  load16_u: load(1, [0x2f]),
  store: store('i32', 2, [0x36]),
  store8: store('i32', 0, [0x3a]),
  store16: store('i32', 1, [0x3b]),
  atomic_load: load(2, [0xfe, 0x10]),
  atomic_store: store('i32', 2, [0xfe, 0x17]),
  atomic_add: store('i32', 2, [0xfe, 0x1e]),
}))();
export const i64 = /* @__PURE__ */ (() => ({
  const: constants.i64,
  ...table('i64', 0x50, integers),
  ...table('i64', 0x79, integerMath),
  ...table('i32', 0xac, 'extend_i32_s extend_i32_u'),
  load: load(3, [0x29]),
  store: store('i64', 3, [0x37]),
}))();
export const f32 = /* @__PURE__ */ (() => ({
  const: constants.f32,
  ...table('f32', 0x5b, floats),
  ...table('f32', 0x8b, floatMath),
  ...table('i32', 0xb2, 'convert_i32_s convert_i32_u'),
  ...table('f64', 0xb6, 'demote_f64'),
  ...table('i32', 0xbe, 'reinterpret_i32'),
  load: load(2, [0x2a]),
  store: store('f32', 2, [0x38]),
}))();
export const f64 = /* @__PURE__ */ (() => ({
  const: constants.f64,
  ...table('f64', 0x61, floats),
  ...table('f64', 0x99, floatMath),
  ...table('i32', 0xb7, 'convert_i32_s convert_i32_u'),
  ...table('f32', 0xbb, 'promote_f32'),
  load: load(3, [0x2b]),
  store: store('f64', 3, [0x39]),
}))();

/** Lane operations: extract_lane(v, lane), replace_lane(v, lane, x), and the constant with x in every lane. */
const lanes = (type: 'i32' | 'f32', extract: number) => ({
  const: (x: number): Code => {
    const lane = type === 'i32' ? word(x | 0) : float(x);
    return [simdOpcode(12), lane, lane, lane, lane];
  },
  extract_lane: (v: Arg, lane: number): Code => [value(v, 'v128'), simdOpcode(extract), lane],
  replace_lane: (v: Arg, lane: number, x: Arg): Code => [
    value(v, 'v128'),
    value(x, type),
    simdOpcode(extract + 1),
    lane,
  ],
});
const memoryLane =
  (log2: number, opcode: number) =>
  (address: Arg, v: Arg, lane: number, offset = 0): Code => [
    place(address, offset, simdOpcode(opcode), log2, value(v, 'v128')),
    lane,
  ];

export const v128 = /* @__PURE__ */ (() => ({
  ...simd(77, 'not and andnot or xor bitselect any_true'),
  load: load(4, simdOpcode(0)),
  load8x8_s: load(3, simdOpcode(1)),
  load8x8_u: load(3, simdOpcode(2)),
  load16x4_s: load(3, simdOpcode(3)),
  load16x4_u: load(3, simdOpcode(4)),
  load8_splat: load(0, simdOpcode(7)),
  load32_splat: load(2, simdOpcode(9)),
  load64_splat: load(3, simdOpcode(10)),
  load32_zero: load(2, simdOpcode(92)),
  load64_zero: load(3, simdOpcode(93)),
  store: store('v128', 4, simdOpcode(11)),
  load32_lane: memoryLane(2, 86),
  load64_lane: memoryLane(3, 87),
  store8_lane: memoryLane(0, 88),
  store16_lane: memoryLane(1, 89),
  store32_lane: memoryLane(2, 90),
  store64_lane: memoryLane(3, 91),
}))();
export const i8x16 = /* @__PURE__ */ (() => ({
  ...simd(14, 'swizzle splat'),
  ...simd(96, 'abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u'),
  ...simd(35, 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...simd(107, 'shl shr_s shr_u add - - sub'),
  /** Byte i of the result is byte `bytes[i]` of a (0–15) and b (16–31). */
  shuffle: (a: Arg, b: Arg, bytes: readonly number[]): Code => [
    value(a, 'v128'),
    value(b, 'v128'),
    simdOpcode(13),
    bytes,
  ],
}))();
export const i16x8 = /* @__PURE__ */ (() => ({
  ...simd(16, 'splat'),
  ...simd(
    133,
    'narrow_i32x4_s narrow_i32x4_u extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u',
  ),
  ...simd(139, 'shl shr_s shr_u add - - sub - - - mul'),
}))();
export const i32x4 = /* @__PURE__ */ (() => ({
  ...lanes('i32', 27),
  ...simd(17, 'splat'),
  ...simd(55, 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...simd(
    160,
    'abs neg - all_true bitmask - - extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u',
  ),
  ...simd(171, 'shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u'),
  ...simd(248, 'trunc_sat_f32x4_s trunc_sat_f32x4_u - - trunc_sat_f64x2_s_zero'),
  /** The constant of these four. */
  lanes: (values: readonly number[]): Code => [simdOpcode(12), values.map(word)],
  /** Lane i of the result is lane `pick[i]` of a (0–3) and b (4–7). */
  shuffle: (a: Arg, b: Arg, pick: readonly number[]): Code =>
    i8x16.shuffle(
      a,
      b,
      pick.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
    ),
}))();
export const i64x2 = /* @__PURE__ */ (() => ({
  const: (x: bigint): Code => {
    const lane = [word(Number(BigInt.asIntN(32, x))), word(Number(BigInt.asIntN(32, x >> 32n)))];
    return [simdOpcode(12), lane, lane];
  },
  ...table('i64', 18, 'splat', simdOpcode),
  ...simd(199, 'extend_low_i32x4_s'),
  ...simd(203, 'shl shr_s shr_u add - - sub - - - mul'),
  ...simd(220, 'extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u'),
}))();
export const f32x4 = /* @__PURE__ */ (() => ({
  ...lanes('f32', 31),
  ...table('f32', 19, 'splat', simdOpcode),
  ...simd(65, floats),
  ...simd(103, 'ceil floor trunc nearest'),
  ...simd(224, 'abs neg - sqrt add sub mul div min max pmin pmax'),
  ...simd(250, 'convert_i32x4_s convert_i32x4_u'),
  /** a·b + c and c − a·b, rounded once or twice as the machine likes; only where features().relaxed. */
  ...simd(0x105, 'relaxed_madd relaxed_nmadd'),
}))();
export const f64x2 = /* @__PURE__ */ (() => ({
  const: (x: number): Code => {
    const lane = double(x);
    return [simdOpcode(12), lane, lane];
  },
  /** The first two floats; the other two are 0. */
  demote: simd(94, 'demote_zero').demote_zero,
  ...simd(95, 'promote_low_f32x4'),
  ...simd(148, 'nearest'),
  ...simd(240, 'add sub mul div min max'),
  ...simd(254, 'convert_low_i32x4_s'),
}))();

/** condition ? a : b without a branch; a and b of one type, numbers being i32. */
export const select = (a: Arg, b: Arg, condition: Arg): Code => [
  value(a, 'i32'),
  value(b, 'i32'),
  value(condition, 'i32'),
  0x1b,
];
export const memory = {
  copy: (to: Arg, from: Arg, bytes: Arg): Code => [
    value(to, 'i32'),
    value(from, 'i32'),
    value(bytes, 'i32'),
    0xfc,
    10,
    0,
    0,
  ],
  fill: (to: Arg, byte: Arg, bytes: Arg): Code => [
    value(to, 'i32'),
    value(byte, 'i32'),
    value(bytes, 'i32'),
    0xfc,
    11,
    0,
  ],
};

// ---- control; `br` leaves (block, when) or repeats (repeat) the depth-th construct around it ----

export const block = (...body: Code[]): Code => [0x02, 0x40, body, 0x0b];
export const repeat = (...body: Code[]): Code => [0x03, 0x40, body, 0x0b];
export const br = (depth: number): Code => [0x0c, depth];
export const brIf = (depth: number, condition: Arg): Code => [value(condition, 'i32'), 0x0d, depth];
export const when = (condition: Arg, yes: Code, no: Code = []): Code => [
  value(condition, 'i32'),
  [0x04, 0x40, yes],
  no.length ? [0x05, no] : [],
  0x0b,
];
/** for (local = from; local < to; local += step) body, on signed i32; `to` must be a number, a local or cheap code. */
export function loop(local: Local, from: Arg, to: Arg, step: number, body: Code): Code {
  const round: Code = [body, set(local, i32.add(local, step))];
  if (typeof from === 'number' && typeof to === 'number') {
    if (from >= to) return [];
    if (from + step >= to) return [set(local, from), round];
    return [set(local, from), repeat(round, brIf(0, i32.lt_s(local, to)))];
  }
  return [set(local, from), when(i32.lt_s(local, to), repeat(round, brIf(0, i32.lt_s(local, to))))];
}

// ---- functions and modules ----

/** One function: code is appended with `emit`, locals are made as they are needed. */
export class Func {
  readonly params: readonly Local[];
  readonly index: number;
  readonly results: readonly Type[];
  readonly #locals: Local[] = [];
  readonly #code: Code[] = [];

  constructor(index: number, params: readonly Type[], results: readonly Type[]) {
    this.index = index;
    this.params = params.map((type, i) => new Local(type, i));
    this.results = results;
  }
  local(type: Type): Local {
    const local = new Local(type, this.params.length + this.#locals.length);
    this.#locals.push(local);
    return local;
  }
  locals(type: Type, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }
  emit(...code: Code[]): void {
    this.#code.push(...code);
  }
  call(...args: Arg[]): Code {
    return [args.map((arg, i) => value(arg, (this.params[i] as Local).type)), 0x10, unsigned(this.index)];
  }
  /** Signature and body as the binary wants them. */
  signature(): Code {
    return [
      0x60,
      vector(this.params.map(({ type }) => typeByte[type])),
      vector(this.results.map((type) => typeByte[type])),
    ];
  }
  body(): Code {
    return sized([vector(this.#locals.map(({ type }) => [1, typeByte[type]])), this.#code, 0x0b]);
  }
}

const vector = (items: Code): Code => [unsigned(items.length), items];
const sized = (code: Code): Code => {
  const bytes = flatten(code);
  return [unsigned(bytes.length), bytes];
};
const text = (string: string): Code => vector(new TextEncoder().encode(string));
function flatten(code: Code): Uint8Array {
  let bytes = new Uint8Array(4096);
  let end = 0;
  const reserve = (more: number): void => {
    if (end + more <= bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * bytes.length, end + more));
    larger.set(bytes);
    bytes = larger;
  };
  const write = (items: Code): void => {
    if (items instanceof Uint8Array) {
      reserve(items.length);
      bytes.set(items, end);
      end += items.length;
      return;
    }
    reserve(items.length); // at least the numbers among them
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as number | Code;
      if (typeof item !== 'number') write(item);
      else {
        if (end === bytes.length) reserve(1);
        bytes[end++] = item;
      }
    }
  };
  write(code);
  return bytes.subarray(0, end);
}

const maxPages = 65536; // 4 GiB

/** A module whose only import is the memory, `env.memory`. */
export class Module {
  readonly #functions: Func[] = [];
  readonly #exports: Code[] = [];
  readonly #shared: boolean;

  constructor(options: { readonly shared: boolean }) {
    this.#shared = options.shared;
  }
  func(params: readonly Type[], results: readonly Type[] = [], name?: string): Func {
    const f = new Func(this.#functions.length, params, results);
    this.#functions.push(f);
    if (name !== undefined) this.#exports.push([text(name), 0x00, unsigned(f.index)]);
    return f;
  }
  bytes(): Uint8Array {
    const functions = this.#functions;
    const limits = this.#shared ? [0x03, 0, unsigned(maxPages)] : [0x00, 0];
    return flatten([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      [1, sized(vector(functions.map((f) => f.signature())))],
      [2, sized(vector([[text('env'), text('memory'), 0x02, limits]]))],
      [3, sized(vector(functions.map((f) => unsigned(f.index))))],
      [7, sized(vector(this.#exports))],
      [10, sized(vector(functions.map((f) => f.body())))],
    ]);
  }
}

/** What this engine's WebAssembly can do, found by asking it to validate tiny modules. */
export function features(): { simd: boolean; relaxed: boolean; threads: boolean } {
  const valid = (shared: boolean, code: Code) => {
    const module = new Module({ shared });
    module.func([]).emit(code, [0x1a]);
    return WebAssembly.validate(module.bytes() as Uint8Array<ArrayBuffer>);
  };
  const zero = i32x4.const(0);
  return {
    simd: valid(false, i32x4.add(zero, zero)),
    relaxed: valid(false, f32x4.relaxed_madd(zero, zero, zero)),
    threads: typeof SharedArrayBuffer !== 'undefined' && valid(true, i32.atomic_load(0)),
  };
}

/** What kernels are generated for: fused multiply-add or not, a shared memory or not. */
export interface Target {
  readonly relaxed: boolean;
  readonly shared: boolean;
}

/**
 * A kernel made ready: its module, and the phases to run in order, all workers meeting between them. A phase is an export
 * (args, lo, hi) that does chunks lo … hi−1; chunks are cut by shape alone, so any sharing-out gives the same bits.
 * `args` points to i32 words: addresses of the inputs, of the outputs, of the scratch that the run's workers share
 * (`sharedScratch` bytes), of this worker's own (`threadScratch` bytes), then the uniforms. Blocks are 64-byte aligned,
 * and 64 bytes behind each may be read.
 */
export interface CpuKernel {
  readonly bytes: Uint8Array;
  readonly phases: readonly { readonly name: string; readonly chunks: number }[];
  readonly sharedScratch: number;
  readonly threadScratch: number;
}
