/** Vectors in and out of memory: how four elements at some stride are read and written. */
import { type Arg, type Code, get, i8x16, i16x8, i32, i32x4, type Local, set, v128, when } from './assembler';
import type { Printer } from './functions';

/** One vector of a sweep: its number in the round, and how many of its lanes are there. */
export interface Step {
  readonly u: number;
  readonly lanes: 4 | 3 | 2 | 1 | Local;
}
/** A pointer into an operand, at the element of the round's first lane. */
export interface Place {
  readonly pointer: Local;
  readonly stride: number;
  readonly bytes: number;
  /** Coordinates of the last axis that have elements, where not all have. */
  readonly range: readonly [lo: Arg, hi: Arg] | null;
}

export const laneNumbers = (by = 1, from = 0): Code => i32x4.lanes([0, 1, 2, 3].map((lane) => from + lane * by));
const ones = () => i32x4.const(1);

/** The vector at a place, all of it there. */
export function loadLanes(printer: Printer, place: Place, step: Step): Code {
  const { pointer, stride, bytes } = place;
  const at = (element: number): readonly [Code, number] => {
    const offset = (4 * step.u * stride + element) * bytes;
    return offset >= 0 && !place.range ? [get(pointer), offset] : [i32.add(pointer, offset), 0];
  };
  if (bytes === 1) {
    if (stride === 1) return widen(v128.load32_zero(...at(0)));
    if (stride === 2) return evenBytes(v128.load64_zero(...at(0)));
    if (step.lanes !== 4) return gather(laneAddresses(printer, place, step, null), 1);
    return [1, 2, 3].reduce<Code>(
      (v, lane) => i32x4.replace_lane(v, lane, i32.load8_u(...at(lane * stride))),
      i32x4.splat(i32.load8_u(...at(0))),
    );
  }
  if (stride === 1) return v128.load(...at(0));
  if (stride === 2) return i32x4.shuffle(v128.load(...at(0)), v128.load(...at(4)), [0, 2, 4, 6]);
  if (stride === -1) {
    const reversed = printer.bind(v128.load(...at(-3)));
    return i32x4.shuffle(reversed, reversed, [3, 2, 1, 0]);
  }
  if (step.lanes !== 4) return gather(laneAddresses(printer, place, step, null), 4);
  return [1, 2, 3].reduce<Code>(
    (v, lane) => {
      const [address, offset] = at(lane * stride);
      return v128.load32_lane(address, v, lane, offset);
    },
    v128.load32_zero(...at(0)),
  );
}

/** Of a view with padding: as vectors where all lanes are inside. */
export function loadGuarded(printer: Printer, place: Place, position: Local, step: Step): Code {
  const [lo, hi] = place.range as readonly [Arg, Arg];
  const from = printer.scope.f.local('i32');
  printer.write(set(from, i32.add(position, 4 * step.u)));
  const inside = i32.and(i32.ge_s(from, lo), i32.lt_s(i32.add(from, 3), hi));
  const value = printer.scope.f.local('v128');
  const branch = (make: () => Code): Code => {
    const outer = printer.code;
    printer.code = [];
    const result = make();
    const inner = [printer.code, set(value, result)];
    printer.code = outer;
    return inner;
  };
  const mask = (): Code => {
    const at = printer.bind(i32x4.add(i32x4.splat(from), laneNumbers()));
    return v128.and(i32x4.ge_s(at, i32x4.splat(lo)), i32x4.lt_s(at, i32x4.splat(hi)));
  };
  const some = i32.and(i32.gt_s(i32.add(from, 4), lo), i32.lt_s(from, hi));
  const lanes = branch(() => gather(laneAddresses(printer, place, step, mask()), place.bytes));
  const partly = when(some, lanes, set(value, i32x4.const(0)));
  if (step.lanes !== 4) printer.write(partly);
  else
    printer.write(
      when(
        inside,
        branch(() => loadLanes(printer, place, step)),
        partly,
      ),
    );
  return get(value);
}

/** Addresses of the four lanes; 0 for lanes that are not there. */
function laneAddresses(printer: Printer, { pointer, stride, bytes }: Place, step: Step, mask: Code | null): Local {
  const all = i32x4.add(i32x4.splat(pointer), laneNumbers(stride * bytes, 4 * step.u * stride * bytes));
  const there = step.lanes === 4 ? null : i32x4.lt_s(laneNumbers(), i32x4.splat(step.lanes));
  const masks = mask && there ? v128.and(mask, there) : (mask ?? there);
  return printer.bind(masks ? v128.and(all, masks) : all);
}

/** Four elements from four addresses. */
export function gather(addresses: Local, bytes: number): Code {
  const lane = (i: number) => i32x4.extract_lane(addresses, i);
  if (bytes === 1) {
    return [1, 2, 3].reduce<Code>(
      (v, i) => i32x4.replace_lane(v, i, i32.load8_u(lane(i))),
      i32x4.splat(i32.load8_u(lane(0))),
    );
  }
  return [1, 2, 3].reduce<Code>((v, i) => v128.load32_lane(lane(i), v, i), v128.load32_zero(lane(0)));
}

/** Writes a vector; booleans as 0 and 1, int32 to uint8 by its low bits. */
export function storeLanes(
  printer: Printer,
  { pointer, stride, bytes }: Place,
  value: Arg,
  step: Step,
  isBool: boolean,
): void {
  const offset = 4 * step.u * stride * bytes;
  const at = (lane: number): readonly [Code, number] => {
    const total = offset + lane * stride * bytes;
    return total >= 0 ? [get(pointer), total] : [i32.add(pointer, total), 0];
  };
  const v = isBool ? v128.and(value, ones()) : value;
  if (stride === 1 && step.lanes === 4) {
    if (bytes === 4) printer.write(v128.store(get(pointer), v, offset));
    else printer.write(v128.store32_lane(get(pointer), narrow(printer.bind(v)), 0, offset));
    return;
  }
  const whole = printer.bind(v);
  const lane = (i: number): Code => {
    const [address, more] = at(i);
    return bytes === 4 ? v128.store32_lane(address, whole, i, more) : v128.store8_lane(address, whole, 4 * i, more);
  };
  if (typeof step.lanes === 'number') {
    for (let i = 0; i < step.lanes; i++) printer.write(lane(i));
    return;
  }
  printer.write(lane(0));
  printer.write(when(i32.gt_s(step.lanes, 1), [lane(1), when(i32.gt_s(step.lanes, 2), lane(2))]));
}

/** Writes two vectors side by side: a to the even and b to the odd elements of words with stride 2. */
export function storePair(printer: Printer, { pointer, stride, bytes }: Place, a: Arg, b: Arg, step: Step): void {
  const offset = 4 * step.u * stride * bytes;
  const [even, odd] = [printer.bind(a), printer.bind(b)];
  printer.write(v128.store(get(pointer), i32x4.shuffle(even, odd, [0, 4, 1, 5]), offset));
  printer.write(v128.store(get(pointer), i32x4.shuffle(even, odd, [2, 6, 3, 7]), offset + 16));
}

const widen = (v: Code): Code => i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v));
const evenBytes = (v: Code): Code =>
  i8x16.shuffle(
    v,
    i32x4.const(0),
    [0, 2, 4, 6].flatMap((byte) => [byte, 16, 16, 16]),
  );
const narrow = (v: Local): Code => i8x16.shuffle(v, v, [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]);
