/**
 * Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers, as Easy as 1, 2, 3; SC 2011): four counters at once, a
 * lane each. Of consecutive indices that begin a block all four words of each are used; else one of each.
 */
import { type Code, type Func, get, i32x4, i64x2, type Local, type Module, set, v128 } from './assembler';

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
/** The golden ratio and √3 − 1, in 2⁻³²: what the key grows by each round. */
const weyl = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

type Finish = (f: Func, words: readonly [Local, Local, Local, Local], index: Local) => Code;

function subroutine(cache: WeakMap<Module, Func>, module: Module, results: number, finish: Finish): Func {
  const known = cache.get(module);
  if (known) return known;
  const f = module.func(['v128', 'v128', 'v128', 'v128'], new Array<'v128'>(results).fill('v128'));
  cache.set(module, f);
  const [key0, key1, stream, index] = f.params as [Local, Local, Local, Local];
  const [a, b, c, d, a2, c2] = f.locals('v128', 6) as [Local, Local, Local, Local, Local, Local];
  /** Upper words of the unsigned products. */
  const high = (x: Local, by: number) =>
    i32x4.shuffle(
      i64x2.extmul_low_i32x4_u(x, i32x4.const(by)),
      i64x2.extmul_high_i32x4_u(x, i32x4.const(by)),
      [1, 3, 5, 7],
    );
  f.emit(set(a, i32x4.shr_u(index, 2)), set(b, i32x4.const(0)), set(c, get(stream)), set(d, i32x4.const(0)));
  for (let round = 0; round < rounds; round++) {
    f.emit(
      set(a2, v128.xor(v128.xor(high(c, multipliers[1]), b), key0)),
      set(c2, v128.xor(v128.xor(high(a, multipliers[0]), d), key1)),
      set(b, i32x4.mul(c, i32x4.const(multipliers[1]))),
      set(d, i32x4.mul(a, i32x4.const(multipliers[0]))),
      set(a, get(a2)),
      set(c, get(c2)),
      set(key0, i32x4.add(key0, i32x4.const(weyl[0]))),
      set(key1, i32x4.add(key1, i32x4.const(weyl[1]))),
    );
  }
  f.emit(finish(f, [a, b, c, d], index));
  return f;
}

const single = /* @__PURE__ */ new WeakMap<Module, Func>();
const quadruple = /* @__PURE__ */ new WeakMap<Module, Func>();

/** The module's subroutine (key0, key1, stream, index) → the word of each index. */
export const philox = (module: Module): Func =>
  subroutine(single, module, 1, (_, [a, b, c, d], index) => {
    // Word index & 3 of each block: bit 1 picks the pair, bit 0 within it.
    const bit = (n: number) => i32x4.ne(v128.and(index, i32x4.const(n)), i32x4.const(0));
    return v128.bitselect(v128.bitselect(d, c, bit(1)), v128.bitselect(b, a, bit(1)), bit(2));
  });

/** (key0, key1, stream, [i, i + 4, i + 8, i + 12]), i a multiple of 4 → the words of i … i + 15, four vectors. */
export const philox16 = (module: Module): Func =>
  subroutine(quadruple, module, 4, (f, [a, b, c, d]) => {
    // Lane l has the words of block l: turn the square.
    const [lowAB, lowCD, highAB, highCD] = f.locals('v128', 4) as [Local, Local, Local, Local];
    return [
      set(lowAB, i32x4.shuffle(a, b, [0, 4, 1, 5])),
      set(lowCD, i32x4.shuffle(c, d, [0, 4, 1, 5])),
      set(highAB, i32x4.shuffle(a, b, [2, 6, 3, 7])),
      set(highCD, i32x4.shuffle(c, d, [2, 6, 3, 7])),
      i32x4.shuffle(lowAB, lowCD, [0, 1, 4, 5]),
      i32x4.shuffle(lowAB, lowCD, [2, 3, 6, 7]),
      i32x4.shuffle(highAB, highCD, [0, 1, 4, 5]),
      i32x4.shuffle(highAB, highCD, [2, 3, 6, 7]),
    ];
  });
