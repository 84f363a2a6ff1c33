/**
 * The transforms of Winograd's convolution, from its points 0, ±p, ±q, …, ∞. With X = x² and rest(X) the product of (X − q²)
 * over the other pairs, the polynomial of a point ±p is x·(x ± p)·rest(x²): an even part and p times an odd part, which the
 * two points of a pair share. All vectors hold four tiles (or four output channels) side by side.
 */
import {
  type Arg,
  type Code,
  type Func,
  f32x4,
  get,
  i32,
  i32x4,
  type Local,
  loop,
  type Module,
  set,
  v128,
} from '../assembler';
import type { MultiplyAdd } from './tile';

/** The finite points besides 0, as ±pairs: n − 2 of them for transforms of n. */
const pointPairs: Readonly<Record<number, readonly number[]>> = { 4: [1], 6: [0.75, 1.5] };
const pairsOf = (size: number) => pointPairs[size] as readonly number[];
/** What F(m×m, 3×3) exists for. */
export type Size = 2 | 4;

/** Coefficients of Π(X − root), lowest first. */
function polynomial(roots: readonly number[]): number[] {
  let all = [1];
  for (const root of roots) all = [0, ...all].map((lower, k) => lower - root * (all[k] ?? 0));
  return all;
}

/** Σ coefficient · vector. */
function sum(terms: readonly (readonly [coefficient: number, vector: Local])[], madd: MultiplyAdd): Code {
  const [first, ...others] = terms.filter(([q]) => q !== 0).sort(([p], [q]) => Number(q === 1) - Number(p === 1));
  if (!first) return f32x4.const(0);
  const start = first[0] === 1 ? get(first[1]) : f32x4.mul(first[1], f32x4.const(first[0]));
  return others.reduce<Code>((total, [q, vector]) => {
    if (q === 1) return f32x4.add(total, vector);
    if (q === -1) return f32x4.sub(total, vector);
    return madd(vector, f32x4.const(q), total);
  }, start);
}

type Write = (k: number, value: Code) => Code;
/** even + p·odd and even − p·odd. */
const pair = (even: Local, odd: Local, p: number, k: number, write: Write, madd: MultiplyAdd): Code => [
  write(
    k,
    sum(
      [
        [1, even],
        [p, odd],
      ],
      madd,
    ),
  ),
  write(
    k + 1,
    sum(
      [
        [1, even],
        [-p, odd],
      ],
      madd,
    ),
  ),
];

/** Bᵀ·d: n vectors to n. */
export function transformB(d: readonly Local[], even: Local, odd: Local, write: Write, madd: MultiplyAdd): Code {
  const pairs = pairsOf(d.length);
  const squares = pairs.map((p) => p * p);
  const all = polynomial(squares);
  const at = (k: number) => d[k] as Local;
  return [
    write(
      0,
      sum(
        all.map((q, k) => [q, at(2 * k)]),
        madd,
      ),
    ),
    pairs.map((p, i) => {
      const rest = polynomial(squares.filter((_, j) => j !== i));
      return [
        set(
          even,
          sum(
            rest.map((q, k) => [q, at(2 * k + 2)]),
            madd,
          ),
        ),
        set(
          odd,
          sum(
            rest.map((q, k) => [q, at(2 * k + 1)]),
            madd,
          ),
        ),
        pair(even, odd, p, 2 * i + 1, write, madd),
      ];
    }),
    write(
      d.length - 1,
      sum(
        all.map((q, k) => [q, at(2 * k + 1)]),
        madd,
      ),
    ),
  ];
}

/** G·g: a filter's vectors, three or more, to `size`. */
export function transformG(
  size: number,
  g: readonly Local[],
  even: Local,
  odd: Local,
  write: Write,
  madd: MultiplyAdd,
): Code {
  const pairs = pairsOf(size);
  const squares = pairs.map((p) => p * p);
  return [
    write(0, sum([[1 / squares.reduce((product, square) => -product * square, 1), g[0] as Local]], madd)),
    pairs.map((p, i) => {
      const scale = squares.reduce((product, other, j) => (j === i ? product : product * (p * p - other)), 2 * p * p);
      const half = (parity: number) =>
        sum(
          g.flatMap((vector, k) => (k % 2 === parity ? [[p ** k / scale, vector] as const] : [])),
          madd,
        );
      return [set(even, half(0)), set(odd, half(1)), pair(even, odd, 1, 2 * i + 1, write, madd)];
    }),
    write(size - 1, get(g[g.length - 1] as Local)),
  ];
}

/** Aᵀ·t: n vectors to m. `locals` are two a pair. */
export function transformA(
  m: number,
  t: readonly Local[],
  locals: readonly Local[],
  write: Write,
  madd: MultiplyAdd,
): Code {
  const pairs = pairsOf(t.length);
  const at = (k: number) => t[k] as Local;
  const sums = locals.slice(0, pairs.length);
  const differences = locals.slice(pairs.length, 2 * pairs.length);
  return [
    pairs.map((_, i) => [
      set(sums[i] as Local, f32x4.add(at(2 * i + 1), at(2 * i + 2))),
      set(differences[i] as Local, f32x4.sub(at(2 * i + 1), at(2 * i + 2))),
    ]),
    Array.from({ length: m }, (_, k) => {
      const powers = pairs.map((p, i) => [p ** k, (k % 2 ? differences : sums)[i] as Local] as const);
      const ends = [
        ...(k === 0 ? [[1, at(0)] as const] : []),
        ...(k === m - 1 ? [[1, at(t.length - 1)] as const] : []),
      ];
      return write(k, sum([...ends, ...powers], madd));
    }),
  ];
}

/** Four vectors' columns as rows, in `rows` itself; `spare` are four more. */
export function transpose(rows: readonly Local[], spare: readonly Local[]): Code {
  const [a, b, c, d] = rows as [Local, Local, Local, Local];
  const [p, q, r, s] = spare as [Local, Local, Local, Local];
  const [low, high, first, last] = [
    [0, 4, 1, 5],
    [2, 6, 3, 7],
    [0, 1, 4, 5],
    [2, 3, 6, 7],
  ] as const;
  return [
    set(p, i32x4.shuffle(a, b, low)),
    set(q, i32x4.shuffle(c, d, low)),
    set(r, i32x4.shuffle(a, b, high)),
    set(s, i32x4.shuffle(c, d, high)),
    set(a, i32x4.shuffle(p, q, first)),
    set(b, i32x4.shuffle(p, q, last)),
    set(c, i32x4.shuffle(r, s, first)),
    set(d, i32x4.shuffle(r, s, last)),
  ];
}

/** U = G·w·Gᵀ of four channels' taps, its places `placeBytes` apart; `put` moves on by `step` bytes. */
export const transformWeight =
  (m: Size, placeBytes: number, step: number, backward: boolean, madd: MultiplyAdd) =>
  (f: Func, put: Local, loads: readonly Code[]): Code => {
    // the input's gradient counts the taps from the last
    const taps = backward ? [...loads].reverse() : loads;
    const size = m + 2;
    const g = f.locals('v128', 3);
    const [even, odd] = f.locals('v128', 2) as [Local, Local];
    const half = Array.from({ length: size }, () => f.locals('v128', 3));
    return [
      [0, 1, 2].map((s) => [
        g.map((tap, r) => set(tap, taps[3 * r + s] as Code)),
        transformG(size, g, even, odd, (k, value) => set(half[k]?.[s] as Local, value), madd),
      ]),
      half.map((row, i) =>
        transformG(size, row, even, odd, (k, value) => v128.store(put, value, placeBytes * (i * size + k)), madd),
      ),
      set(put, i32.add(put, step)),
    ];
  };

/** Vectors of the first `size` elements, 4 or 6, at four places `offset` bytes on; there are eight of `d`. */
export function loadPatchRows(
  tiles: readonly Local[],
  d: readonly Local[],
  spare: readonly Local[],
  size: number,
  offset = 0,
): Code {
  const [p, q] = spare as [Local, Local];
  const [d4, d5, d6, d7] = d.slice(4, 8) as [Local, Local, Local, Local];
  const four = [tiles.map((tile, l) => set(d[l] as Local, v128.load(tile, offset))), transpose(d.slice(0, 4), spare)];
  if (size === 4) return four;
  return [
    tiles.map((tile, l) => set(d[4 + l] as Local, v128.load64_zero(tile, offset + 16))),
    four,
    set(p, i32x4.shuffle(d4, d5, [0, 4, 1, 5])),
    set(q, i32x4.shuffle(d6, d7, [0, 4, 1, 5])),
    set(d4, i32x4.shuffle(p, q, [0, 1, 4, 5])),
    set(d5, i32x4.shuffle(p, q, [2, 3, 6, 7])),
  ];
}

/** (x0 … x3, v, pass): V = Bᵀ·x·B of four patches, at [place]; `pass` holds what the first pass made. */
export function inputTransform(
  module: Module,
  size: number,
  width: number,
  placeBytes: number,
  madd: MultiplyAdd,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const tiles = f.params.slice(0, 4);
  const [v, pass] = f.params.slice(4) as [Local, Local];
  const d = f.locals('v128', Math.max(8, size));
  const spare = f.locals('v128', 4);
  const [even, odd] = f.locals('v128', 2) as [Local, Local];
  const i = f.local('i32');
  const advance = (local: Local, bytes: number) => set(local, i32.add(local, bytes));
  f.emit(
    loop(i, 0, size, 1, [
      loadPatchRows(tiles, d, spare, size),
      transformB(d.slice(0, size), even, odd, (k, value) => v128.store(pass, value, 16 * k), madd),
      tiles.map((tile) => advance(tile, 4 * width)),
      advance(pass, 16 * size),
    ]),
    advance(pass, -16 * size * size),
    loop(i, 0, size, 1, [
      d.slice(0, size).map((vector, k) => set(vector, v128.load(pass, 16 * size * k))),
      transformB(d.slice(0, size), even, odd, (k, value) => v128.store(v, value, placeBytes * size * k), madd),
      advance(pass, 16),
      advance(v, placeBytes),
    ]),
  );
  return f;
}

/** (m, y0 … y3, pass): y = Aᵀ·M·A of four tiles of an output channel; M's places are 128 bytes apart. */
export function outputTransform(module: Module, m: Size, rowBytes: number, madd: MultiplyAdd): Func {
  const size = m + 2;
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [from, ...rest] = f.params as [Local, ...Local[]];
  const tiles = rest.slice(0, 4);
  const pass = rest[4] as Local;
  const t = f.locals('v128', size);
  const y = f.locals('v128', 4);
  const spare = f.locals('v128', 4);
  const i = f.local('i32');
  const advance = (local: Local, bytes: number) => set(local, i32.add(local, bytes));
  const store = (tile: Arg, l: number): Code =>
    m === 4 ? v128.store(tile, y[l] as Local) : v128.store64_lane(tile, (l < 2 ? spare[0] : spare[1]) as Local, l & 1);
  f.emit(
    loop(i, 0, size, 1, [
      t.map((vector, k) => set(vector, v128.load(from, 128 * size * k))),
      transformA(m, t, spare, (k, value) => v128.store(pass, value, 16 * size * k), madd),
      advance(from, 128),
      advance(pass, 16),
    ]),
    advance(pass, -16 * size),
    loop(i, 0, m, 1, [
      t.map((vector, k) => set(vector, v128.load(pass, 16 * k))),
      transformA(m, t, spare, (k, value) => set(y[k] as Local, value), madd),
      m === 4
        ? transpose(y, spare)
        : [
            set(spare[0] as Local, i32x4.shuffle(y[0] as Local, y[1] as Local, [0, 4, 1, 5])),
            set(spare[1] as Local, i32x4.shuffle(y[0] as Local, y[1] as Local, [2, 6, 3, 7])),
          ],
      tiles.map((tile, l) => [store(tile, l), advance(tile, rowBytes)]),
      advance(pass, 16 * size),
    ]),
  );
  return f;
}

/** (g0 … g3, u, pass): U = G·g·Gᵀ of four 4×4 patches of a gradient, at [place]. */
export function gradientTransform(
  module: Module,
  size: number,
  width: number,
  placeBytes: number,
  madd: MultiplyAdd,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const patches = f.params.slice(0, 4);
  const [u, pass] = f.params.slice(4) as [Local, Local];
  const g = f.locals('v128', 4);
  const spare = f.locals('v128', 4);
  const [even, odd] = f.locals('v128', 2) as [Local, Local];
  const i = f.local('i32');
  const advance = (local: Local, bytes: number) => set(local, i32.add(local, bytes));
  f.emit(
    loop(i, 0, 4, 1, [
      patches.map((patch, l) => set(g[l] as Local, v128.load(patch))),
      transpose(g, spare),
      transformG(size, g, even, odd, (k, value) => v128.store(pass, value, 16 * k), madd),
      patches.map((patch) => advance(patch, 4 * width)),
      advance(pass, 16 * size),
    ]),
    advance(pass, -16 * size * 4),
    loop(i, 0, size, 1, [
      g.map((vector, k) => set(vector, v128.load(pass, 16 * size * k))),
      transformG(size, g, even, odd, (k, value) => v128.store(u, value, placeBytes * size * k), madd),
      advance(pass, 16),
      advance(u, placeBytes),
    ]),
  );
  return f;
}

/** (m, w0 … w3, pass): w = Aᵀ·M·A, 3×3, of four channels, each written in a row of nine; M's places are 128 bytes apart. */
export function weightTransform(module: Module, size: number, madd: MultiplyAdd): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [from, ...rest] = f.params as [Local, ...Local[]];
  const rows = rest.slice(0, 4);
  const pass = rest[4] as Local;
  const t = f.locals('v128', size);
  const w = f.locals('v128', 9);
  const spare = f.locals('v128', 4);
  const i = f.local('i32');
  const advance = (local: Local, bytes: number) => set(local, i32.add(local, bytes));
  f.emit(
    loop(i, 0, size, 1, [
      t.map((vector, k) => set(vector, v128.load(from, 128 * size * k))),
      transformA(3, t, spare, (k, value) => v128.store(pass, value, 16 * size * k), madd),
      advance(from, 128),
      advance(pass, 16),
    ]),
    advance(pass, -16 * size),
    [0, 1, 2].map((r) => [
      t.map((vector, k) => set(vector, v128.load(pass, 16 * (r * size + k)))),
      transformA(3, t, spare, (k, value) => set(w[3 * r + k] as Local, value), madd),
    ]),
    storeNines(rows, w, spare),
  );
  return f;
}

/** Nine vectors, each of one tap of four channels, as four rows of nine taps. Destroys the vectors. */
export function storeNines(rows: readonly Local[], taps: readonly Local[], spare: readonly Local[]): Code {
  const four = (first: number): Code => {
    const some = taps.slice(first, first + 4);
    return [transpose(some, spare), rows.map((row, l) => v128.store(row, some[l] as Local, 4 * first))];
  };
  return [four(0), four(4), rows.map((row, l) => v128.store32_lane(row, taps[8] as Local, l, 32))];
}

/** The other way: vectors of what lies in four rows of as many, one after the other at `from`. */
export function loadTaps(from: Local, taps: readonly Local[], spare: readonly Local[]): Code {
  const row = 4 * taps.length;
  const whole = taps.length & -4;
  const fours = Array.from({ length: whole / 4 }, (_, i): Code => {
    const some = taps.slice(4 * i, 4 * i + 4);
    return [some.map((tap, l) => set(tap, v128.load(from, row * l + 16 * i))), transpose(some, spare)];
  });
  const ones = taps.slice(whole).map((tap, i) =>
    set(
      tap,
      [1, 2, 3].reduce<Code>(
        (vector, l) => v128.load32_lane(from, vector, l, row * l + 4 * (whole + i)),
        v128.load32_zero(from, 4 * (whole + i)),
      ),
    ),
  );
  return [fours, ones];
}
