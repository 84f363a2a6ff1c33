/** The register tile of the direct convolution: up to 4 output channels by two vectors of outputs. */
import { type Code, type Func, i32, type Local, loop, type Module, set, v128 } from '../assembler';
import { accumulators, type MultiplyAdd, tileSteps } from './tile';

/** Taps up to this many are unrolled; beyond, their offsets come from a table. */
export const maxUnrolledTaps = 64;

export interface ConvTile {
  readonly rows: number;
  /** Bytes from an output's own place in the planes to where each tap reads. */
  readonly offsets: readonly number[];
  /** Bytes from one channel of the planes to the next, and from one output channel to the next. */
  readonly channel: number;
  readonly cRow: number;
  /** Elements from one output to the next. */
  readonly step: number;
}

/** (w, x0, x1, c0, c1, channels, table): sums over channels and taps, `table` being the address of the taps' offsets. */
export function convTile(module: Module, { rows, offsets, channel, cRow, step }: ConvTile, madd: MultiplyAdd): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [w, x0, x1, c0, c1, channels, table] = f.params as [Local, Local, Local, Local, Local, Local, Local];
  const acc = accumulators(f, rows);
  const scratch = { a: f.locals('v128', rows), b: f.locals('v128', 2) };
  const [c, t, y0, y1] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const splat = (row: number, tap: number) => v128.load32_splat(w, 16 * tap + 4 * row);
  const taps = offsets.length;
  const unrolled: Code = [
    tileSteps(taps, acc, scratch, madd, splat, (vector, tap) => v128.load(vector ? x1 : x0, offsets[tap]), c),
    set(w, i32.add(w, 16 * taps)),
  ];
  const byTable = loop(t, 0, taps, 1, [
    set(y0, i32.load(i32.add(table, i32.shl(t, 2)))),
    set(y1, i32.add(x1, y0)),
    set(y0, i32.add(x0, y0)),
    tileSteps(1, acc, scratch, madd, splat, (vector) => v128.load(vector ? y1 : y0), c),
    set(w, i32.add(w, 16)),
  ]);
  const store = (to: Local, value: Local, row: number): Code =>
    step === 1
      ? v128.store(to, value, row * cRow)
      : [0, 1, 2, 3].map((lane) => v128.store32_lane(to, value, lane, row * cRow + 4 * step * lane));
  f.emit(
    // outputs that no tap reaches are 0
    taps === 0
      ? []
      : loop(c, 0, channels, 1, [
          taps > maxUnrolledTaps ? byTable : unrolled,
          set(x0, i32.add(x0, channel)),
          set(x1, i32.add(x1, channel)),
        ]),
    acc.map(([first, second], row) => [store(c0, first as Local, row), store(c1, second as Local, row)]),
  );
  return f;
}
