/** Winograd's transforms along one axis, of six places: four tiles, or four channels, side by side. */
import { type Code, type Func, i32, type Local, type Module, set, v128 } from '../assembler';
import type { MultiplyAdd } from './tile';
import { loadPatchRows, transformA, transformB, transformG, transpose } from './transforms';

const size = 6;
/** Elements from one part of the taps to the next. */
const partStep = 4;

interface Image {
  readonly parts: number;
  /** Along a column, or along a row. */
  readonly down: boolean;
  readonly width: number;
  readonly placeBytes: number;
  readonly partBytes: number;
}

/** (x0 … x3, v): patches of four tiles → places of each part. */
export function lineImage(
  module: Module,
  { parts, down, width, placeBytes, partBytes }: Image,
  madd: MultiplyAdd,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const tiles = f.params.slice(0, 4) as [Local, Local, Local, Local];
  const v = f.params[4] as Local;
  const d = f.locals('v128', 8);
  const spare = f.locals('v128', 4);
  const [even, odd] = f.locals('v128', 2) as [Local, Local];
  const column = (offset: number): Code =>
    tiles
      .slice(1)
      .reduce<Code>(
        (vector, tile, l) => v128.load32_lane(tile, vector, l + 1, offset),
        v128.load32_zero(tiles[0], offset),
      );
  f.emit(
    Array.from({ length: parts }, (_, part) => [
      down
        ? d.slice(0, size).map((vector, k) => set(vector, column(4 * width * (partStep * part + k))))
        : loadPatchRows(tiles, d, spare, size, 4 * partStep * part),
      transformB(
        d.slice(0, size),
        even,
        odd,
        (place, value) => v128.store(v, value, part * partBytes + place * placeBytes),
        madd,
      ),
    ]),
  );
  return f;
}

interface Weight {
  /** Taps a part. */
  readonly each: number;
  readonly parts: number;
  readonly place: number;
  readonly part: number;
  readonly step: number;
}

/** Taps of four channels → places of each part; behind the last tap there are zeros. */
export function lineWeight(
  f: Func,
  put: Local,
  taps: readonly Local[],
  { each, parts, place, part, step }: Weight,
  madd: MultiplyAdd,
): Code {
  const zero = f.local('v128');
  const [even, odd] = f.locals('v128', 2) as [Local, Local];
  return [
    Array.from({ length: parts }, (_, p) => {
      const g = Array.from({ length: each }, (_, t) => taps[each * p + t] ?? zero);
      return transformG(size, g, even, odd, (k, value) => v128.store(put, value, p * part + k * place), madd);
    }),
    set(put, i32.add(put, step)),
  ];
}

interface Output {
  readonly made: number;
  readonly down: boolean;
  readonly rowBytes: number;
}

/** (m, y0 … y3): sums → outputs of four tiles; M's places are 128 bytes apart. */
export function lineOutput(module: Module, { made, down, rowBytes }: Output, madd: MultiplyAdd): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const from = f.params[0] as Local;
  const tiles = f.params.slice(1, 5);
  const t = f.locals('v128', size);
  const y = f.locals('v128', 4);
  const spare = f.locals('v128', 4);
  /** The first elements of a row, and no more. */
  const row = (tile: Local, value: Local): Code =>
    made === 4 ? v128.store(tile, value) : [v128.store64_lane(tile, value, 0), v128.store32_lane(tile, value, 2, 8)];
  f.emit(
    t.map((vector, k) => set(vector, v128.load(from, 128 * k))),
    transformA(made, t, spare, (k, value) => set(y[k] as Local, value), madd),
    down
      ? y.slice(0, made).map((value, k) => tiles.map((tile, l) => v128.store32_lane(tile, value, l, k * rowBytes)))
      : [transpose(y, spare), tiles.map((tile, l) => row(tile, y[l] as Local))],
  );
  return f;
}
