/** Every exercise of testkit against finite differences, to its order; and that the exercises leave no op out. */
import * as tensorEntry from '@tessera/tensor';
import { type Node, onesLike, setBackend, type Tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { type Exercise, exercises, toTensor } from '@tessera/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, families, install, vjp } from '../src/index';

const backend = reference({ dtype: 'float64' });
beforeAll(() => setBackend(backend));

const isFloat = ({ dtype }: { dtype: string }): boolean => dtype.startsWith('float');
const differentiable = ({ orders = 2, cases }: Exercise): boolean =>
  orders > 0 && cases.some((inputs) => inputs.some(isFloat));

describe.each(Object.entries(exercises()))('finite differences: %s', (_, family) => {
  it.each(family.filter(differentiable).map((exercise) => [exercise.name, exercise] as const))(
    '%s',
    async (_, { f, cases, orders = 2 }) => {
      for (const inputs of cases) {
        // at infinities there is no difference to take; at 1e4 the two values round apart
        const tame = inputs.every(({ data }) => data.every((value) => Math.abs(value) < 1e3));
        if (!tame || inputs.some(({ data }) => data.length > 2000)) continue;
        await checkGradients(
          (...xs) => f(...xs) as Tensor,
          inputs.map((sample) => toTensor(sample)),
          {
            backend,
            order: orders as 1 | 2,
            directions: 1,
          },
        );
      }
    },
  );
});

interface OpLike {
  readonly gradient: unknown;
}
/** Exports that are ops, by name. */
const ops = Object.entries(tensorEntry as Readonly<Record<string, unknown>>).filter(
  (entry): entry is [string, OpLike] =>
    typeof entry[1] === 'function' && 'opName' in entry[1] && 'gradient' in entry[1],
);
/** The ops in the graphs of these tensors. */
function opsOf(tensors: readonly Tensor[], into = new Set<unknown>()): Set<unknown> {
  const seen = new Set<Node>();
  const stack = tensors.map(({ node }) => node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    into.add(node.op);
    stack.push(...node.inputs.map((input) => input.node));
  }
  return into;
}

describe('the exercises', () => {
  it('reach every op', () => {
    const reached = new Set<unknown>();
    for (const { f, cases } of Object.values(exercises()).flat())
      for (const inputs of cases) {
        const value = f(...inputs.map((sample) => toTensor(sample)));
        opsOf(Array.isArray(value) ? (value as Tensor[]) : [value as Tensor], reached);
      }
    const missing = ops.filter(([, op]) => !reached.has(op) && !op.gradient).map(([name]) => name);
    expect(missing).toEqual([]);
  });

  it('reach every op with a gradient', () => {
    install(families);
    const reached = new Set<unknown>();
    for (const { f, cases } of Object.values(exercises()).flat().filter(differentiable))
      for (const inputs of cases) {
        // the nodes of the gradient too: some ops are there only for it
        const given = inputs.map((sample) => toTensor(sample));
        const floats = given.filter(isFloat);
        const g = (...xs: Tensor[]): Tensor[] => {
          const value = f(...given.map((input) => (isFloat(input) ? (xs.shift() as Tensor) : input)));
          return Array.isArray(value) ? (value as Tensor[]) : [value as Tensor];
        };
        const { value, pullback } = vjp((...xs) => g(...xs).filter(isFloat), floats);
        opsOf([...value, ...pullback(value.map((y) => onesLike(y)))], reached);
      }
    const missing = ops.filter(([, op]) => op.gradient && !reached.has(op)).map(([name]) => name);
    expect(missing).toEqual([]);
  });
});
