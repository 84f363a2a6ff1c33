/**
 * Transforms of whole maps of 2×2 under 3×3 kernels and a padding of 1. Along an axis each output is a sum of two taps, and three
 * products do for four (Karatsuba), so nine in place of the plain convolution's 36, of which 20 are with zeros:
 *
 *   y₀ = w₁x₀ + w₂x₁        x̂ = (x₀, x₀ + x₁, x₁)   ŵ = (w₀ − w₁, w₁, w₂ − w₁)   m = x̂·ŵ   y = (m₁ + m₂, m₀ + m₁)
 *   y₁ = w₀x₀ + w₁x₁
 *   ∂w = (g₁x₀, g₀x₀ + g₁x₁, g₀x₁)                 ĝ = (g₁, g₀ + g₁, g₀)        m = x̂·ĝ   ∂w = (m₀, m₁ − m₀ − m₂, m₂)
 */
import { type Code, type Func, f32x4, get, i32x4, type Local, type Module, set, v128 } from '../assembler';
import { storeNines, transpose } from './transforms';

type Nine = readonly Local[];
const at = (list: readonly Local[], i: number) => list[i] as Local;

/** (x0 … x3, v): the maps of four tiles, rows `width` elements apart; `backward` for the gradient that makes weights. */
export function wholeImage(module: Module, width: number, placeBytes: number, backward = false): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const tiles = f.params.slice(0, 4);
  const v = at(f.params, 4);
  const maps = f.locals('v128', 4);
  const spare = f.locals('v128', 4);
  const [a, b, c, d] = maps as [Local, Local, Local, Local];
  const [ac, bd] = spare as [Local, Local];
  const store = (place: number, value: Code) => v128.store(v, value, placeBytes * (backward ? 8 - place : place));
  const row = (place: number, left: Local, right: Local): Code => [
    store(place, get(left)),
    store(place + 1, f32x4.add(left, right)),
    store(place + 2, get(right)),
  ];
  f.emit(
    tiles.map((tile, l) => set(at(maps, l), i32x4.shuffle(v128.load(tile), v128.load(tile, 4 * width), [0, 1, 4, 5]))),
    transpose(maps, spare),
    set(ac, f32x4.add(a, c)),
    set(bd, f32x4.add(b, d)),
    row(0, a, b),
    row(3, ac, bd),
    row(6, c, d),
  );
  return f;
}

/** (m, y0 … y3): y of four tiles, whose four elements are neighbours; M's places are 128 bytes apart. */
export function wholeOutput(module: Module): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const from = at(f.params, 0);
  const tiles = f.params.slice(1, 5);
  const half = f.locals('v128', 6);
  const y = f.locals('v128', 4);
  const spare = f.locals('v128', 4);
  const m = (place: number) => v128.load(from, 128 * place);
  f.emit(
    [0, 1, 2].map((k) => [
      set(at(spare, 0), m(3 + k)),
      set(at(half, k), f32x4.add(at(spare, 0), m(6 + k))),
      set(at(half, 3 + k), f32x4.add(at(spare, 0), m(k))),
    ]),
    [0, 1].map((i) => [
      set(at(y, 2 * i), f32x4.add(at(half, 3 * i + 1), at(half, 3 * i + 2))),
      set(at(y, 2 * i + 1), f32x4.add(at(half, 3 * i), at(half, 3 * i + 1))),
    ]),
    transpose(y, spare),
    tiles.map((tile, l) => v128.store(tile, at(y, l))),
  );
  return f;
}

/** ŵ of four channels' taps. */
export function wholeWeight(w: Nine, store: (place: number, value: Code) => Code): Code {
  /** (w₀ − w₁, w₁, w₂ − w₁) of three vectors, in place. */
  const three = (i: number, j: number, k: number): Code => [
    set(at(w, i), f32x4.sub(at(w, i), at(w, j))),
    set(at(w, k), f32x4.sub(at(w, k), at(w, j))),
  ];
  return [
    [0, 1, 2].map((s) => three(s, 3 + s, 6 + s)),
    [0, 3, 6].map((r) => three(r, r + 1, r + 2)),
    w.map((value, place) => store(place, get(value))),
  ];
}

/** (m, w0 … w3): ∂w of four channels, each in a row of nine; M's places are 128 bytes apart. */
export function wholeGradient(module: Module): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const from = at(f.params, 0);
  const rows = f.params.slice(1, 5);
  const w = f.locals('v128', 9);
  const spare = f.locals('v128', 4);
  const three = (i: number, j: number, k: number): Code =>
    set(at(w, j), f32x4.sub(at(w, j), f32x4.add(at(w, i), at(w, k))));
  f.emit(
    w.map((value, place) => set(value, v128.load(from, 128 * place))),
    [0, 1, 2].map((s) => three(s, 3 + s, 6 + s)),
    [0, 3, 6].map((r) => three(r, r + 1, r + 2)),
    storeNines(rows, w, spare),
  );
  return f;
}
