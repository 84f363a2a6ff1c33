/**
 * Copies of images in which a convolution needs no edges: padded with zeros, and with a stride s taken apart into s phases,
 * so that neighbouring outputs read neighbouring elements whatever the stride.
 *
 *   source row        x₀ x₁ x₂ x₃ x₄          (padding 1, stride 2)
 *   phase 0           0  x₁ x₃ 0              element t is x[t·stride + phase − padding]
 *   phase 1           x₀ x₂ x₄ 0
 *
 * Tap r of output p reads phase (r·dilation) mod stride at t = p + ⌊r·dilation / stride⌋: a fixed distance. The gradient of a
 * strided convolution reads g with zeros between its elements instead (`spread`).
 */
import {
  type Arg,
  type Code,
  type Func,
  f32,
  i32,
  i32x4,
  type Local,
  loop,
  type Module,
  set,
  v128,
  when,
} from '../assembler';

/** One axis as the taps walk it: u = t·step + phase − before, and the source's element is u / spread. */
export interface PlaneAxis {
  readonly size: number;
  readonly step: number;
  readonly phases: readonly number[];
  readonly before: number;
  readonly spread: number;
}

/** Where each tap of an axis reads: which of its phases, and how many elements on. */
export interface AxisTap {
  readonly phase: number;
  readonly ahead: number;
}

/** The axis of a convolution with those sizes, and its taps. */
export function planeAxis(size: number, kernel: number, stride: number, dilation: number, before: number) {
  const used = [...new Set(Array.from({ length: kernel }, (_, r) => (r * dilation) % stride))].sort((a, b) => a - b);
  const axis: PlaneAxis = { size, step: stride, phases: used, before, spread: 1 };
  const taps = Array.from(
    { length: kernel },
    (_, r): AxisTap => ({ phase: used.indexOf((r * dilation) % stride), ahead: Math.floor((r * dilation) / stride) }),
  );
  return { axis, taps };
}

/** Planes of one channel: [slice][phase of y][phase of x][rows][width], in elements. */
export interface PlaneShape {
  readonly depth: PlaneAxis;
  readonly y: PlaneAxis;
  readonly x: PlaneAxis;
  /** For each slice, how many elements of the depth axis it lies ahead, and its phase. */
  readonly slices: readonly AxisTap[];
  readonly rows: number;
  /** A multiple of 4. */
  readonly width: number;
  /** Elements from one channel to the next, in the planes and in the source. */
  readonly channel: number;
  readonly sourceChannel: number;
  /** Source elements from one slice, and from one row, to the next; elements of a row are neighbours. */
  readonly sourceSlice: number;
  readonly sourceRow: number;
}

/** Elements of a channel, rounded up to an odd number of 64-byte lines, so that channels spread over a cache's sets. */
export function channelSize(elements: number): number {
  const lines = Math.ceil(elements / 16);
  return 16 * (lines % 2 ? lines : lines + 1);
}
export const tapOffset = (shape: PlaneShape, slice: number, y: AxisTap, x: AxisTap): number =>
  (((slice * shape.y.phases.length + y.phase) * shape.x.phases.length + x.phase) * shape.rows + y.ahead) * shape.width +
  x.ahead;
export const planeElements = (shape: Pick<PlaneShape, 'slices' | 'y' | 'x' | 'rows' | 'width'>): number =>
  shape.slices.length * shape.y.phases.length * shape.x.phases.length * shape.rows * shape.width;

/** (from, to, channels, y, depth): fills the planes whose row 0 belongs to output row y of output slice `depth`. */
export function packPlanes(module: Module, shape: PlaneShape): Func {
  const { rows, width } = shape;
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [from, to, channels, y, depth] = f.params as [Local, Local, Local, Local, Local];
  const [c, t, at, slice, row, source, i] = f.locals('i32', 7) as [Local, Local, Local, Local, Local, Local, Local];
  const zeroRows = (until: Arg): Code =>
    loop(t, t, until, 1, [
      Array.from({ length: width / 4 }, (_, v) => v128.store(at, i32x4.const(0), 16 * v)),
      set(at, i32.add(at, 4 * width)),
    ]);
  const least = (into: Local, most: Arg): Code => when(i32.gt_s(into, most), set(into, most));
  const most = (into: Local, least: Arg): Code => when(i32.lt_s(into, least), set(into, least));

  // rows first … last − 1 of a phase exist; what does not vary between channels is found once
  const phases = shape.y.phases.map((phase) => {
    const [first, last] = f.locals('i32', 2) as [Local, Local];
    const { step, before, size, spread } = shape.y;
    const shift = phase - before;
    if (spread > 1) return { shift, first, last };
    f.emit(
      set(first, i32.sub(Math.ceil(-shift / step), y)),
      most(first, 0),
      least(first, rows),
      set(last, i32.sub(Math.ceil((size - shift) / step), y)),
      most(last, first),
      least(last, rows),
    );
    return { shift, first, last };
  });
  const slices = shape.slices.map((tap) => {
    const { step, before, size, spread, phases } = shape.depth;
    const [place, inside] = f.locals('i32', 2) as [Local, Local];
    f.emit(
      set(place, i32.add(i32.mul(i32.add(depth, tap.ahead), step), (phases[tap.phase] as number) - before)),
      set(inside, i32.and(i32.lt_u(place, size * spread), spread > 1 ? i32.eqz(i32.rem_u(place, spread)) : 1)),
      spread > 1 ? set(place, i32.div_s(place, spread)) : [],
      set(place, i32.mul(place, 4 * shape.sourceSlice)),
    );
    return { place, inside };
  });
  /** The rows of one phase of y and x: zeros, what there is, zeros. */
  const plane = ({ shift, first, last }: (typeof phases)[number], phaseX: number): Code => {
    const { step, size, spread } = shape.y;
    const next: Code = [set(at, i32.add(at, 4 * width)), set(source, i32.add(source, 4 * step * shape.sourceRow))];
    if (spread === 1)
      return [
        zeroRows(first),
        set(source, i32.add(slice, i32.mul(i32.add(i32.mul(i32.add(y, t), step), shift), 4 * shape.sourceRow))),
        loop(t, t, last, 1, [rowCopy(shape.x, phaseX, width, source, at, i), next]),
        zeroRows(rows),
      ];
    return loop(t, 0, rows, 1, [
      set(row, i32.add(i32.add(y, t), shift)),
      when(
        i32.and(i32.eqz(i32.rem_s(row, spread)), i32.lt_u(row, size * spread)),
        [
          set(source, i32.add(slice, i32.mul(i32.div_s(row, spread), 4 * shape.sourceRow))),
          rowCopy(shape.x, phaseX, width, source, at, i),
        ],
        Array.from({ length: width / 4 }, (_, v) => v128.store(at, i32x4.const(0), 16 * v)),
      ),
      set(at, i32.add(at, 4 * width)),
    ]);
  };
  f.emit(
    loop(c, 0, channels, 1, [
      set(at, to),
      slices.map(({ place, inside }) => [
        set(slice, i32.add(from, place)),
        when(
          inside,
          phases.map((phase) => shape.x.phases.map((phaseX) => [set(t, 0), plane(phase, phaseX)])),
          [set(t, 0), zeroRows(rows * phases.length * shape.x.phases.length)],
        ),
      ]),
      set(from, i32.add(from, 4 * shape.sourceChannel)),
      set(to, i32.add(to, 4 * shape.channel)),
    ]),
  );
  return f;
}

/** One row of a phase, `width` elements with zeros where the source has none. */
function rowCopy(axis: PlaneAxis, phase: number, width: number, from: Local, to: Local, i: Local): Code {
  const { size, step, before, spread } = axis;
  const zero = (element: number) => v128.store(to, i32x4.const(0), 4 * element);
  const code: Code[] = [];
  if (spread > 1) {
    // element j goes to j·spread + before
    const first = Math.max(0, Math.ceil(-before / spread));
    const last = Math.min(size, Math.floor((width - 1 - before) / spread) + 1);
    for (let v = 0; v < width; v += 4) code.push(zero(v));
    const place = f32.store(i32.add(to, i32.mul(i, 4 * spread)), f32.load(i32.add(from, i32.mul(i, 4))), 4 * before);
    return [...code, loop(i, first, last, 1, place)];
  }
  const shift = phase - before;
  const lo = Math.min(width, Math.max(0, Math.ceil(-shift / step)));
  const hi = Math.max(lo, Math.min(width, Math.ceil((size - shift) / step)));
  for (let v = 0; v < width; v += 4) if (v < lo || v + 4 > hi) code.push(zero(v));
  const source = (t: number) => 4 * (t * step + shift);
  /** Four elements at once: contiguous, every second, or one by one. */
  const four = (moved: Local | null, t: number): Code => {
    const [src, dst] = moved ? [i32.add(from, i32.mul(moved, step)), i32.add(to, moved)] : [from, to];
    if (step === 1) return v128.store(dst, v128.load(src, source(t)), 4 * t);
    if (step === 2) {
      const [low, high] = [v128.load(src, source(t)), v128.load(src, source(t + 2) - 4)];
      return v128.store(dst, i32x4.shuffle(low, high, [0, 2, 5, 7]), 4 * t);
    }
    return [0, 1, 2, 3].map((e) => f32.store(dst, f32.load(src, source(t + e)), 4 * (t + e)));
  };
  const whole = (hi - lo) >> 2;
  if (whole > 8) code.push(loop(i, 0, 16 * whole, 16, four(i, lo)));
  else for (let v = 0; v < whole; v++) code.push(four(null, lo + 4 * v));
  if ((hi - lo) & 3) {
    if (whole > 0) code.push(four(null, hi - 4));
    else for (let t = lo; t < hi; t++) code.push(f32.store(to, f32.load(from, source(t)), 4 * t));
  }
  return code;
}
