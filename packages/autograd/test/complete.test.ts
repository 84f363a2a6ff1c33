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

/** Exports that give a promise, one way of calling them at least: the type checker finds them all, so a new one wants its line. */
type Exports = typeof tensorEntry;
type AsyncName = {
  [Name in keyof Exports]: Exports[Name] extends (...inputs: never) => Promise<unknown> ? Name : never;
}[keyof Exports];
const counts = 'reads how many there are; with `size` it is made of ops, which have their gradients or reasons';
const factors = 'computes on the host, outside of the graph: what comes back is a new tensor';
const reasons: Readonly<Record<AsyncName, string>> = {
  allclose: 'gives a boolean',
  bincount: counts,
  eigh: factors,
  equal: 'gives a boolean',
  format: 'gives text',
  inverse: factors,
  maskedSelect: counts,
  nonzero: counts,
  print: 'gives nothing',
  realize: 'runs what is pending',
  solve: factors,
  to: 'copies values to another backend, outside of the graph',
  toImage: 'gives bytes',
  unique: counts,
  warmup: 'gives nothing',
};

describe('every async function that @tessera/tensor exports', () => {
  const isAsync = (value: unknown): boolean => value instanceof Function && value.constructor.name === 'AsyncFunction';
  const declared = Object.entries(tensorEntry).flatMap(([name, value]) => (isAsync(value) ? [name] : []));

  it('says why it has no gradient', () => {
    expect(declared).toContain('solve');
    expect(declared.filter((name) => !Object.hasOwn(reasons, name))).toEqual([]);
  });
  it.each(Object.entries(reasons))('%s is no op with a gradient: it %s', (name) => {
    const value = (tensorEntry as Readonly<Record<string, unknown>>)[name];
    expect(value).toBeInstanceOf(Function);
    expect(isOp(value)).toBe(false);
  });
});

describe('the families', () => {
  it('are exported by core, for who picks', () => {
    const exported = Object.values(core as Readonly<Record<string, unknown>>);
    expect(families.filter((family) => !exported.includes(family))).toEqual([]);
  });
});
