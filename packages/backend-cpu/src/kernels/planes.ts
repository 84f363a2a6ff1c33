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
  const rowCopies = shape.x.phases.map((phase) => rowCopy(module, shape.x, phase, width));
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [from, to, channels, y, depth] = f.params as [Local, Local, Local, Local, Local];
  const [c, t, at, slice, row, ok, inside] = f.locals('i32', 7) as [Local, Local, Local, Local, Local, Local, Local];
  /** Sets `into` to the source coordinate of t on that axis, `flag` to whether it exists. */
  const coordinate = (axis: PlaneAxis, phase: number, t: Arg, into: Local, flag: Local): Code => [
    set(into, i32.add(i32.mul(t, axis.step), phase - axis.before)),
    axis.spread === 1
      ? set(flag, i32.lt_u(into, axis.size))
      : [
          set(flag, i32.eqz(i32.rem_s(into, axis.spread))),
          set(into, i32.div_s(into, axis.spread)),
          set(flag, i32.and(flag, i32.lt_u(into, axis.size))),
        ],
  ];
  f.emit(
    loop(c, 0, channels, 1, [
      set(at, to),
      shape.slices.map((tap) => [
        coordinate(shape.depth, shape.depth.phases[tap.phase] as number, i32.add(depth, tap.ahead), slice, inside),
        shape.y.phases.map((phaseY) =>
          shape.x.phases.map((_, phaseX) =>
            loop(t, 0, rows, 1, [
              coordinate(shape.y, phaseY, i32.add(y, t), row, ok),
              when(
                i32.and(ok, inside),
                (rowCopies[phaseX] as Func).call(
                  i32.add(from, i32.add(i32.mul(slice, 4 * shape.sourceSlice), i32.mul(row, 4 * shape.sourceRow))),
                  at,
                ),
                Array.from({ length: width / 4 }, (_, v) => v128.store(at, i32x4.const(0), 16 * v)),
              ),
              set(at, i32.add(at, 4 * width)),
            ]),
          ),
        ),
      ]),
      set(from, i32.add(from, 4 * shape.sourceChannel)),
      set(to, i32.add(to, 4 * shape.channel)),
    ]),
  );
  return f;
}

/** (from, to): one row of a phase, `width` elements with zeros where the source has none. */
function rowCopy(module: Module, axis: PlaneAxis, phase: number, width: number): Func {
  const f = module.func(['i32', 'i32']);
  const [from, to] = f.params as [Local, Local];
  const i = f.local('i32');
  const { size, step, before, spread } = axis;
  const zero = (element: number) => v128.store(to, i32x4.const(0), 4 * element);
  if (spread > 1) {
    // element j goes to j·spread + before
    const first = Math.max(0, Math.ceil(-before / spread));
    const last = Math.min(size, Math.floor((width - 1 - before) / spread) + 1);
    for (let v = 0; v < width; v += 4) f.emit(zero(v));
    f.emit(
      loop(
        i,
        first,
        last,
        1,
        f32.store(i32.add(to, i32.mul(i, 4 * spread)), f32.load(i32.add(from, i32.mul(i, 4))), 4 * before),
      ),
    );
    return f;
  }
  const shift = phase - before;
  const lo = Math.min(width, Math.max(0, Math.ceil(-shift / step)));
  const hi = Math.max(lo, Math.min(width, Math.ceil((size - shift) / step)));
  for (let v = 0; v < width; v += 4) if (v < lo || v + 4 > hi) f.emit(zero(v));
  const source = (t: number) => 4 * (t * step + shift);
  /** Four elements at once: contiguous, every second, or one by one. */
  const four = (base: Local | null, t: number): Code => {
    const [src, dst] = base ? [i32.add(from, i32.mul(base, step)), i32.add(to, base)] : [from, to];
    if (step === 1) return v128.store(dst, v128.load(src, source(t)), 4 * t);
    if (step === 2)
      return v128.store(
        dst,
        i32x4.shuffle(v128.load(src, source(t)), v128.load(src, source(t + 2) - 4), [0, 2, 5, 7]),
        4 * t,
      );
    return [0, 1, 2, 3].map((e) => f32.store(dst, f32.load(src, source(t + e)), 4 * (t + e)));
  };
  const whole = (hi - lo) >> 2;
  if (whole > 8) f.emit(loop(i, 0, 16 * whole, 16, four(i, lo)));
  else for (let v = 0; v < whole; v++) f.emit(four(null, lo + 4 * v));
  if ((hi - lo) & 3) {
    if (whole > 0) f.emit(four(null, hi - 4));
    else for (let t = lo; t < hi; t++) f.emit(f32.store(to, f32.load(from, source(t)), 4 * t));
  }
  return f;
}
