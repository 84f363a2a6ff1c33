/**
 * Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers, as Easy as 1, 2, 3; SC 2011): four counters at once, a
 * lane each, of which one word each is wanted.
 */
import { type Func, get, i32x4, i64x2, type Local, type Module, set, v128 } from './assembler';

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
/** The golden ratio and √3 − 1, in 2⁻³²: what the key grows by each round. */
const weyl = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

const made = new WeakMap<Module, Func>();

/** The module's subroutine (key0, key1, stream, index) → words. */
export function philox(module: Module): Func {
  const known = made.get(module);
  if (known) return known;
  const f = module.func(['v128', 'v128', 'v128', 'v128'], ['v128']);
  made.set(module, f);
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
  // Word index & 3 of each block: bit 1 picks the pair, bit 0 within it.
  const bit = (n: number) => i32x4.ne(v128.and(index, i32x4.const(n)), i32x4.const(0));
  f.emit(v128.bitselect(v128.bitselect(d, c, bit(1)), v128.bitselect(b, a, bit(1)), bit(2)));
  return f;
}
