import { beforeAll, describe, expect, it } from 'vitest';
import { einsum, meta, type Shape, setBackend, tensor } from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

/** The sum of products as the equation says it, by loops over every label; `...` is written out as letters beforehand. */
function loops(equation: string, ...operands: readonly Plain[]): Plain {
  const [left = '', output = ''] = equation.split('->');
  const terms = left.split(',');
  const sizes = new Map<string, number>();
  terms.forEach((term, i) => {
    [...term].forEach((label, axis) => {
      sizes.set(label, Math.max(sizes.get(label) ?? 1, operands[i]?.shape[axis] as number));
    });
  });
  const summed = [...sizes.keys()].filter((label) => !output.includes(label));
  return table(
    [...output].map((label) => sizes.get(label) as number),
    (...place) => {
      const at = new Map([...output].map((label, axis) => [label, place[axis] as number]));
      const walk = (depth: number): number => {
        if (depth === summed.length)
          return terms.reduce((product, term, i) => {
            const operand = operands[i] as Plain;
            return (
              product *
              operand.at(...[...term].map((l, axis) => (operand.shape[axis] === 1 ? 0 : (at.get(l) as number))))
            );
          }, 1);
        let total = 0;
        for (let k = 0; k < (sizes.get(summed[depth] as string) as number); k++) {
          at.set(summed[depth] as string, k);
          total += walk(depth + 1);
        }
        return total;
      };
      return walk(0);
    },
  );
}

describe('einsum', () => {
  it.each<[string, readonly (readonly number[])[]]>([
    ['ij->ji', [[2, 3]]],
    ['ij->', [[2, 3]]],
    ['ij->j', [[2, 3]]],
    ['ii->', [[3, 3]]],
    ['ii->i', [[3, 3]]],
    ['iji->ji', [[3, 2, 3]]],
    [
      'ik,kj->ij',
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      'ik,jk->ji',
      [
        [2, 3],
        [4, 3],
      ],
    ],
    [
      'bik,bkj->bij',
      [
        [2, 2, 3],
        [2, 3, 4],
      ],
    ],
    [
      'bhqd,bhkd->bhqk',
      [
        [2, 3, 2, 4],
        [2, 3, 5, 4],
      ],
    ],
    ['i,j->ij', [[2], [3]]],
    ['i,i->', [[4], [4]]],
    [
      'ij,ij->i',
      [
        [2, 3],
        [2, 3],
      ],
    ],
    [
      'ij,kl->il',
      [
        [2, 3],
        [4, 2],
      ],
    ],
    [
      'abc,cd,bde->ae',
      [
        [2, 3, 4],
        [4, 2],
        [3, 2, 3],
      ],
    ],
    [
      'ijk,jik->k',
      [
        [2, 3, 4],
        [3, 2, 4],
      ],
    ],
    [
      'bik,bkj->bij',
      [
        [2, 2, 3],
        [1, 3, 4],
      ],
    ],
    [',ij->ij', [[], [2, 3]]],
    [
      'ik,kj->ij',
      [
        [2, 0],
        [0, 3],
      ],
    ],
  ])('%s of %j is the loops over its labels', async (equation, shapes) => {
    const operands = shapes.map((shape, i) => scattered(shape, i));
    await expectNear(einsum(equation, ...operands.map((operand) => operand.tensor)), loops(equation, ...operands));
  });

  it.each<[string, string, readonly (readonly number[])[]]>([
    ['ij', 'ij->ij', [[2, 3]]],
    ['ba', 'ba->ab', [[2, 3]]],
    [
      'ik,kj',
      'ik,kj->ij',
      [
        [2, 3],
        [3, 4],
      ],
    ],
    ['ii', 'ii->', [[3, 3]]],
    [' i j , j -> i ', 'ij,j->i', [[2, 3], [3]]],
    ['...ij->...ji', 'abij->abji', [[2, 3, 4, 2]]],
    [
      '...ik,...kj',
      'aik,akj->aij',
      [
        [2, 2, 3],
        [2, 3, 4],
      ],
    ],
    [
      '...ik,kj->...ij',
      'abik,kj->abij',
      [
        [2, 1, 2, 3],
        [3, 4],
      ],
    ],
    [
      '...k,...k->...',
      'abk,bk->ab',
      [
        [2, 3, 4],
        [3, 4],
      ],
    ],
    ['i...->i', 'iab->i', [[2, 3, 4]]],
    ['...i->i...', 'abi->iab', [[2, 3, 4]]],
  ])('%s means %s', async (equation, long, shapes) => {
    const operands = shapes.map((shape, i) => scattered(shape, i));
    await expectNear(einsum(equation, ...operands.map((operand) => operand.tensor)), loops(long, ...operands));
  });

  it('takes integers', async () => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { dtype: 'int32' },
    );
    expect(await einsum('ij,jk->ik', x, x).toArray()).toEqual([
      [7, 10],
      [15, 22],
    ]);
  });

  it.each<[string, readonly Shape[], Shape]>([
    [
      'bik,kj->bij',
      [
        [null, 2, 3],
        [3, 4],
      ],
      [null, 2, 4],
    ],
    ['nchw->nhwc', [[null, 3, null, null]], [null, null, null, 3]],
    [
      'bik,bjk->bij',
      [
        [null, 2, 3],
        [8, 4, 3],
      ],
      [8, 2, 4],
    ],
  ])('%s carries unknown sizes through', (equation, shapes, shape) =>
    expect(einsum(equation, ...shapes.map((s) => meta(s))).shape).toEqual(shape),
  );

  it.each<[string, readonly Shape[], string]>([
    ['ij->ik', [[2, 3]], "ArgumentError: einsum 'ij->ik': the output has 'k', which no operand has"],
    ['ij->ii', [[2, 3]], "ArgumentError: einsum 'ij->ii': the output has 'i' twice"],
    ['ij,jk', [[2, 3]], "ArgumentError: einsum 'ij,jk': 1 operands for 2 terms; wants one operand a term"],
    ['ij->j->i', [[2, 3]], "ArgumentError: einsum 'ij->j->i': more than one '->'; wants at most one"],
    ['i1->i', [[2, 3]], "ArgumentError: einsum 'i1->i': the term 'i1'; wants letters a-z, A-Z and at most one '...'"],
    [
      'ijk->i',
      [[2, 3]],
      "ShapeError: einsum 'ijk->i': the term 'ijk' for shape [2,3]; wants one letter an axis, or '...'",
    ],
    [
      'ik,kj->ij',
      [
        [2, 3],
        [4, 5],
      ],
      "ShapeError: einsum 'ik,kj->ij': 'k' is 3 and 4 in shapes [2,3] and [4,5]; one label has one size, or 1",
    ],
  ])('%s of %j is refused', (equation, shapes, error) =>
    expect(thrown(() => einsum(equation, ...shapes.map((s) => meta(s))))).toBe(error),
  );
});
