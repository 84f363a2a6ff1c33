/** WebAssembly that does nothing but what is to be known: multiply-adds in registers, or a copy. */
import { f32x4, i32, loop, Module, memory, set, v128 } from '../../packages/backend-cpu/src/assembler';
import type { Limit } from './work.ts';

/**
 * Chains of multiply-adds side by side, x ← x·a + b. V8 has 15 vector registers on x64 and 13 + a + b fill them: with 14 one
 * lives in memory, with fewer the loop waits for its own results (AMD Zen 4, GFLOP/s of mul and add: 8 chains 37, 12 chains
 * 50, 13 chains 58, 14 chains 28 to 47; the fused one 59 from 9 chains on).
 */
const chains = 13;
const unrolled = 2;
export const flopsPerRound = chains * unrolled * 4 * 2;
/** Bytes copied by one worker at a time: more than the caches hold. */
export const copyBytes = 64 * 2 ** 20;

/** A module with `run(rounds)`; a round is `flopsPerRound` operations, or `bytes` copied. */
export function limitCode(limit: Limit, bytes: number): Uint8Array<ArrayBuffer> {
  const module = new Module({ shared: false });
  const run = module.func(['i32'], [], 'run');
  const rounds = run.params[0] as (typeof run.params)[number];
  const round = run.local('i32');
  if (limit === 'copy') {
    run.emit(loop(round, 0, rounds, 1, memory.copy(bytes, 0, bytes)));
    return module.bytes() as Uint8Array<ArrayBuffer>;
  }
  const values = run.locals('v128', chains);
  const [a, b] = [run.local('v128'), run.local('v128')];
  const multiplyAdd = (x: typeof a) =>
    limit === 'relaxed' ? f32x4.relaxed_madd(x, a, b) : f32x4.add(f32x4.mul(x, a), b);
  run.emit(set(a, f32x4.const(0.999)), set(b, f32x4.const(0.001)));
  run.emit(values.map((x, i) => set(x, f32x4.const(i))));
  const body = Array.from({ length: unrolled }, () => values.map((x) => set(x, multiplyAdd(x))));
  run.emit(loop(round, 0, rounds, 1, body));
  run.emit(values.map((x, i) => v128.store(i32.const(0), x, 16 * i))); // or it would not be computed
  return module.bytes() as Uint8Array<ArrayBuffer>;
}
