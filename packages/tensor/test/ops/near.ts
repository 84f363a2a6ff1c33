/** Expected values that allow for rounding, in nested arrays: a part of `precision` of each, or of 1. NaN is NaN. */
import { expect } from 'vitest';

type Nested = number | boolean | readonly Nested[];

export function near(wanted: Nested, precision = 1e-12): unknown {
  if (Array.isArray(wanted)) return (wanted as readonly Nested[]).map((entry) => near(entry, precision));
  if (typeof wanted === 'boolean' || !Number.isFinite(wanted)) return wanted;
  return expect.closeTo(
    wanted as number,
    Math.max(0, -Math.log10(precision * Math.max(1, Math.abs(wanted as number)))),
  );
}
