import * as tensorEntry from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import * as core from '../src/core';
import { families, install } from '../src/index';

interface OpLike {
  readonly opName: string;
  readonly gradient: unknown;
  readonly notDifferentiable: string | null;
}
const isOp = (value: unknown): value is OpLike => typeof value === 'function' && 'opName' in value;
const ops = Object.entries(tensorEntry as Readonly<Record<string, unknown>>).flatMap(([name, value]) =>
  isOp(value) ? [[name, value] as const] : [],
);

describe('every op that @tessera/tensor exports', () => {
  install(families);
  it.each(ops)('%s has a gradient or says why it has none', (_, op) => {
    expect(op.gradient !== null || (op.notDifferentiable ?? '').length > 0).toBe(true);
  });
  it('is found', () => expect(ops.length).toBeGreaterThan(100));
});

describe('the families', () => {
  it('are exported by core, for who picks', () => {
    const exported = Object.values(core as Readonly<Record<string, unknown>>);
    expect(families.filter((family) => !exported.includes(family))).toEqual([]);
  });
});
