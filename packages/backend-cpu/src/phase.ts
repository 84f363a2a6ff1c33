/** The frame of a phase: chunks of equal work, cut by shape alone. */

import type { Kernel } from '@tessera/tensor/backend';
import { type Code, i32, type Local, loop, type Module, select, set } from './assembler';
import type { Scope } from './functions';

export interface Phase {
  readonly name: string;
  readonly chunks: number;
}

/** 64 kB of float32 an operand: some µs of work, and a chunk's operands fit a core's cache together. */
export const chunkElements = 16384;

/** A phase over units of work, each of about `unitElements`; chunks of several where they are small. */
export function unitPhase(
  module: Module,
  kernel: Kernel,
  name: string,
  units: number,
  unitElements: number,
  body: (scope: Scope, unit: Local) => Code,
): Phase {
  const f = module.func(['i32', 'i32', 'i32'], [], name);
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const perChunk = Math.max(1, Math.floor(chunkElements / Math.max(1, unitElements)));
  const [unit, end] = f.locals('i32', 2) as [Local, Local];
  f.emit(
    set(end, i32.mul(hi, perChunk)),
    set(end, select(end, units, i32.lt_u(end, units))),
    loop(unit, i32.mul(lo, perChunk), end, 1, body({ module, f, args, kernel }, unit)),
  );
  return { name, chunks: Math.ceil(units / perChunk) };
}

/** A phase over `size` elements in row-major order: code for each stretch of at most `chunkElements`. */
export function flatPhase(
  module: Module,
  kernel: Kernel,
  name: string,
  size: number,
  body: (scope: Scope, start: Local, count: Local) => Code,
): Phase {
  return unitPhase(module, kernel, name, Math.ceil(size / chunkElements), chunkElements, (scope, unit) => {
    const [start, count] = scope.f.locals('i32', 2) as [Local, Local];
    return [
      set(start, i32.mul(unit, chunkElements)),
      set(count, i32.sub(size, start)),
      set(count, select(count, chunkElements, i32.lt_s(count, chunkElements))),
      body(scope, start, count),
    ];
  });
}
