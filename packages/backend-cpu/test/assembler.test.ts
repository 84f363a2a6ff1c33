import { describe, expect, it } from 'vitest';
import {
  block,
  br,
  brIf,
  type Code,
  f32,
  f32x4,
  f64,
  features,
  i8x16,
  i32,
  i32x4,
  i64,
  loop,
  Module,
  memory,
  repeat,
  select,
  set,
  type Type,
  tee,
  v128,
  when,
} from '../src/assembler';

const page = new WebAssembly.Memory({ initial: 1 });

/** What a function of that body returns. */
function run(result: Type, body: (f: ReturnType<Module['func']>) => Code, ...args: number[]): unknown {
  const module = new Module({ shared: false });
  const f = module.func(
    args.map(() => 'i32'),
    [result],
    'f',
  );
  f.emit(body(f));
  const made = new WebAssembly.Module(module.bytes() as Uint8Array<ArrayBuffer>);
  const { exports } = new WebAssembly.Instance(made, { env: { memory: page } });
  return (exports['f'] as (...args: number[]) => unknown)(...args);
}

describe('assembler', () => {
  it('writes constants of every type, over their whole range', () => {
    for (const x of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 2 ** 31 - 1, -(2 ** 31)])
      expect(run('i32', () => i32.const(x))).toBe(x);
    expect(run('i32', () => i32.const(0x9e3779b9))).toBe(0x9e3779b9 | 0);
    expect(run('i64', () => i64.const(-(2n ** 63n)))).toBe(-(2n ** 63n));
    expect(run('f32', () => f32.const(0.1))).toBe(Math.fround(0.1));
    expect(run('f64', () => f64.const(-1e300))).toBe(-1e300);
  });

  it('takes locals, numbers and code as arguments', () => {
    const area = run('i32', (f) => [set(f.local('i32'), 7), i32.add(i32.mul(f.params[0]!, 10), f.params[1]!)], 4, 2);
    expect(area).toBe(42);
    expect(run('i32', (f) => select(1, 2, f.params[0]!), 0)).toBe(2);
    expect(run('f32', () => f32.convert_i32_s(3))).toBe(3);
  });

  it('loops, branches and calls', () => {
    const sum = (from: number, to: number) =>
      run(
        'i32',
        (f) => {
          const [i, total] = [f.local('i32'), f.local('i32')];
          return [loop(i, f.params[0]!, f.params[1]!, 1, set(total, i32.add(total, i))), i32.add(total, 0)];
        },
        from,
        to,
      );
    expect([sum(0, 5), sum(3, 4), sum(4, 4), sum(5, 1)]).toEqual([10, 3, 0, 0]);
    expect(
      run(
        'i32',
        (f) => [
          block(repeat(brIf(1, i32.gt_s(tee(f.params[0]!, i32.mul(f.params[0]!, 2)), 100)), br(0))),
          i32.add(f.params[0]!, 0),
        ],
        3,
      ),
    ).toBe(192);
    expect(
      run('i32', (f) => [when(f.params[0]!, set(f.params[0]!, 5), set(f.params[0]!, 6)), i32.add(f.params[0]!, 0)], 0),
    ).toBe(6);
    const module = new Module({ shared: false });
    const square = module.func(['i32'], ['i32']);
    square.emit(i32.mul(square.params[0]!, square.params[0]!));
    module.func([], ['i32'], 'f').emit(square.call(9));
    const made = new WebAssembly.Module(module.bytes() as Uint8Array<ArrayBuffer>);
    const { exports } = new WebAssembly.Instance(made, { env: { memory: page } });
    expect((exports['f'] as () => number)()).toBe(81);
  });

  it('reaches memory by scalars, vectors and lanes', () => {
    const floats = new Float32Array(page.buffer);
    floats.set([1, 2, 3, 4, 5, 6, 7, 8]);
    const lane = (code: Code) => run('f32', () => f32x4.extract_lane(code, 2));
    expect(lane(v128.load(0, 16))).toBe(7);
    expect(lane(v128.load32_splat(4))).toBe(2);
    expect(lane(v128.load32_lane(0, v128.load(0), 2, 28))).toBe(8);
    expect(lane(i32x4.shuffle(v128.load(0), v128.load(16), [0, 4, 5, 1]))).toBe(6);
    expect(
      lane(
        i8x16.shuffle(
          v128.load(0),
          v128.load(16),
          [...Array(16).keys()].map((i) => 31 - i),
        ),
      ),
    ).not.toBe(1);
    expect(lane(f32x4.replace_lane(f32x4.const(2), 2, 0.5))).toBe(0.5);
    run('i32', () => [
      v128.store(64, f32x4.sqrt(f32x4.splat(9)), 16),
      v128.store32_lane(96, v128.load(0), 3),
      memory.copy(128, 0, 8),
      memory.fill(132, 0, 4),
      i32.const(0),
    ]);
    expect([floats[20], floats[23], floats[24], floats[32], floats[33]]).toEqual([3, 3, 4, 1, 0]);
  });

  it('names only operations that the engine knows', () => {
    const { relaxed } = features();
    const arity = (name: string) => {
      if (/^(eqz|clz|ctz|popcnt|abs|neg|ceil|floor|trunc|nearest|sqrt|not|any_true|all_true|bitmask|splat)$/.test(name))
        return 1;
      if (/_i\d|_f\d/.test(name) && !/narrow|extmul/.test(name)) return 1;
      return /bitselect|relaxed/.test(name) ? 3 : 2;
    };
    for (const [name, operation] of [...Object.entries(f32x4), ...Object.entries(i32x4), ...Object.entries(i8x16)]) {
      if (/lane|shuffle|const|splat/.test(name) || (/relaxed/.test(name) && !relaxed)) continue;
      const args: Code[] = Array.from({ length: arity(name) }, () => f32x4.const(1));
      if (/^sh[lr]/.test(name)) args[1] = i32.const(1);
      const module = new Module({ shared: false });
      module.func([]).emit((operation as (...args: Code[]) => Code)(...args), [0x1a]);
      expect(WebAssembly.validate(module.bytes() as Uint8Array<ArrayBuffer>), name).toBe(true);
    }
  });

  it('finds the features of this engine', () => {
    expect(features()).toMatchObject({ simd: true, threads: true });
  });
});
