/** What the formulas of shaders compute, rounded to float32 after each operation. A device adds what its own exp and sqrt are off by. */
import { describe, expect, it } from 'vitest';
import type { ExprOp } from '../src/ir';
import { casts, functionOf } from '../src/numbers';
import { philox4x32 } from '../src/philox';
import { formulas } from '../src/shading';
import { shaderOf } from './wgsl';

const shader = shaderOf(Object.values(formulas).join('\n'));
const of = (op: string) => (shader[`${op}Of`] ?? shader[op]) as (...args: number[]) => number;
const ulp = (y: number) => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(y) || 2 ** -126)), -126) - 23);

/** Numbers of [0, 1), the same in each run. */
function draws(): () => number {
  let seed = 1;
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}
/** Floats between two ends: half of them evenly, half by magnitude. */
function* between(low: number, high: number): Generator<number> {
  const next = draws();
  const most = Math.log(Math.max(Math.abs(low), Math.abs(high)));
  for (let i = 0; i < 5000; i++) {
    const size = Math.exp(-18 + next() * (most + 18));
    const x = Math.fround(i % 2 ? low + next() * (high - low) : next() < 0.5 ? size : -size);
    if (x >= low && x <= high) yield x;
  }
}

describe('formulas', () => {
  const smooth: readonly (readonly [op: ExprOp, low: number, high: number, ulps: number])[] = [
    ['exp', -87, 88, 0.6],
    ['expm1', -20, 88, 2.5],
    ['log', 1e-37, 3e38, 1],
    ['log1p', -0.99999, 1e10, 2.5],
    ['asin', -1, 1, 2.5],
    ['acos', -1, 1, 2],
    ['atan', -1e30, 1e30, 3],
    ['sinh', -20, 20, 4],
    ['cosh', -20, 20, 3],
    ['sinh', -88, 88, 25], // the exponent is rounded
    ['cosh', -88, 88, 25],
    ['tanh', -20, 20, 1.5],
    ['asinh', -1e30, 1e30, 3],
    ['acosh', 1, 1e30, 3],
    ['atanh', -0.99999, 0.99999, 4],
    ['erf', -5, 5, 8],
    ['erfinv', -0.99999, 0.99999, 4],
  ];
  it.each(smooth)('%s from %d to %d is off by at most %d ulps', (op, low, high, ulps) => {
    const right = functionOf(op, 'float32');
    for (const x of between(low, high)) {
      const wanted = right(x, 0, 0, 0);
      const miss = Math.abs(of(op)(x) - wanted) / ulp(wanted);
      if (miss > ulps) expect.fail(`${op}(${x}) is ${of(op)(x)}, wanted ${wanted}: ${miss} ulps`);
    }
  });

  const turning: readonly (readonly [op: 'sin' | 'cos', most: number, miss: number])[] = [
    ['sin', 1e4, 1.2e-7],
    ['cos', 1e4, 1.2e-7],
    ['sin', 1e6, 1.2e-7],
    ['cos', 1e6, 1.2e-7],
    ['sin', 3e38, 1.2e-7],
    ['cos', 3e38, 1.2e-7],
  ];
  it.each(turning)('%s to %d is off by at most %d', (op, most, miss) => {
    for (const x of between(-most, most))
      if (Math.abs(of(op)(x) - Math[op](x)) > miss) expect.fail(`${op}(${x}) is ${of(op)(x)}, wanted ${Math[op](x)}`);
  });

  const edges = [0, -0, 1, -1, 0.5, 2, -2, 1e-30, 1e30, -1e30, Infinity, -Infinity, Number.NaN].map(Math.fround);
  const ops: readonly ExprOp[] = [...new Set([...smooth.map(([op]) => op), 'sin', 'cos', 'tan', 'sign'] as const)];
  it.each(ops)('%s is NaN and infinite where it should be', (op) => {
    for (const x of edges) {
      const wanted = Math.fround(functionOf(op, 'float32')(x, 0, 0, 0));
      expect(kind(of(op)(x)), `${op}(${x})`).toBe(kind(wanted));
    }
  });
  const pairs: readonly ExprOp[] = ['min', 'max', 'pow', 'atan2', 'mod'];
  it.each(pairs)('%s is, of any two', (op) => {
    for (const a of edges)
      for (const b of edges) {
        if (op === 'mod' && Math.abs(b) === Infinity) continue; // a itself, or past b where signs differ
        const wanted = Math.fround(functionOf(op, 'float32')(a, b, 0, 0));
        expect(kind(of(op)(a, b)), `${op}(${a}, ${b})`).toBe(kind(wanted));
        if (op === 'min' || op === 'max') expect(of(op)(a, b) + 0).toBe(wanted + 0);
      }
  });

  it('take remainders without rounding', () => {
    const next = draws();
    for (let i = 0; i < 20_000; i++) {
      const [a, b] = [
        Math.fround((next() - 0.5) * 10 ** (12 * next())),
        Math.fround((next() - 0.5) * 10 ** (4 * next())),
      ];
      const wanted = Math.fround(functionOf('mod', 'float32')(a, b, 0, 0));
      expect(of('mod')(a, b) + 0, `${a} mod ${b}`).toBe(wanted + 0);
    }
  });
  it('divide whole numbers as the reference does, by zero and the least by −1 too', () => {
    const whole = [0, 1, -1, 2, -2, 7, -7, 1000, 0x7fffffff, -0x7fffffff, -0x80000000];
    for (const a of whole)
      for (const b of whole) {
        expect(of('divideWhole')(a, b) + 0, `${a} / ${b}`).toBe(functionOf('div', 'int32')(a, b, 0, 0) + 0);
        expect(of('moduloWhole')(a, b) + 0, `${a} mod ${b}`).toBe(functionOf('mod', 'int32')(a, b, 0, 0) + 0);
      }
  });
  it('convert to whole numbers within their range', () => {
    for (const x of [...edges, 2.7, -2.7, 2147483520, 2147483648, -2147483648, -2147483904, 1e20])
      expect(of('toInt')(x) + 0, `${x}`).toBe(casts.int32(x, 0, 0, 0) + 0);
  });
  it('draw the random words of Philox, bit for bit', () => {
    const words = new Int32Array(4);
    for (let i = 0; i < 1000; i++) {
      const [key0, key1, stream] = [Math.imul(i, 0x9e3779b1), ~i, Math.imul(i, 0x85ebca6b)];
      philox4x32(key0, key1, i >>> 2, 0, stream, 0, words);
      expect(of('philox')(key0, key1, stream, i)).toBe(words[i & 3]);
    }
  });
});

/** All that is asked where values are compared elsewhere. */
const kind = (x: number): string => (Number.isNaN(x) ? 'NaN' : Number.isFinite(x) ? 'finite' : `${x}`);
