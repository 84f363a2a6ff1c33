/** Maps: functions at their corners, dtypes, views, gathers, parts, shapes. */
import {
  applyMoves,
  contiguous,
  type DType,
  type Expr,
  type ExprOp,
  expr as e,
  type Move,
  type Store,
  type View,
} from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { Case, corners, float, int, one, pairs, two, wholeCorners } from './case';

/** A map with one part over one axis. */
function elementwise(
  title: string,
  dtype: DType,
  columns: readonly (readonly number[])[],
  make: (...x: Expr[]) => Expr[],
) {
  const c = new Case();
  const shape = [columns[0]?.length ?? 0];
  const x = columns.map((data) => c.load(shape, { dtype, data }));
  return c.done(title, { kind: 'map', parts: [{ shape, stores: make(...x).map((expr) => c.store(shape, expr)) }] });
}

export function maps(): KernelCase[] {
  const steps: ExprOp[] = ['neg', 'abs', 'sign', 'floor', 'ceil', 'round', 'trunc', 'isNan'];
  const smooth: readonly (readonly [ExprOp, readonly number[]])[] = [
    ['exp', [0, 1, -1, 88, -87, Infinity, -Infinity, Number.NaN, 200, -200, 1e-8]],
    ['expm1', [0, 1e-8, -1e-8, 1e-3, 1, -20, -Infinity, Infinity, Number.NaN]],
    ['log', [1, 0, -0, -1, 2, 1e-30, 1e30, 1.0001, 0.9999, Infinity, Number.NaN]],
    ['log1p', [0, 1e-8, -1e-8, 1e-3, -0.5, -1, -2, 1e10, Infinity, Number.NaN]],
    ['sqrt', [0, 1, 2, 1e-30, 1e30, -1, Infinity, Number.NaN]],
    ['sin', [0, 0.5, -0.5, 1, 3, Math.fround(Math.PI), -3, 20, -20, -9e3, 2e4, 1e6, -3e10, 1e38, Infinity, Number.NaN]],
    [
      'cos',
      [0, 0.5, -0.5, 1, Math.fround(Math.PI / 2), 3, -3, 20, -20, -9e3, 2e4, 1e6, -3e10, 1e38, Infinity, Number.NaN],
    ],
    ['tan', [0, 0.5, -0.5, 1, -1.25, 3, 1e6, Infinity, Number.NaN]],
    ['asin', [0, 0.5, -0.5, 0.99, 1, -1, 1.5, Number.NaN]],
    ['acos', [0, 0.5, -0.5, 0.99, 1, -1, 1.5, Number.NaN]],
    ['atan', [0, 0.5, -1, 100, 1e30, Infinity, -Infinity, Number.NaN]],
    ['sinh', [0, 1e-6, 0.5, -2, 10, Infinity, -Infinity, Number.NaN]],
    ['cosh', [0, 1e-6, 0.5, -2, 10, Infinity, -Infinity, Number.NaN]],
    ['tanh', [0, 1e-6, -1e-3, 0.5, -2, 10, -100, Infinity, -Infinity, Number.NaN]],
    ['asinh', [0, 1e-6, 0.5, -2, 100, -1e5, Infinity, Number.NaN]],
    ['acosh', [1, 1.5, 2, 100, 1e5, 0.5, Infinity, Number.NaN]],
    ['atanh', [0, 1e-6, 0.5, -0.9, 1, -1, 2, Number.NaN]],
    ['erf', [0, 1e-6, 0.3, -0.5, 1, -2, 3, 6, Infinity, -Infinity, Number.NaN]],
    ['erfinv', [0, 1e-6, 0.3, -0.5, 0.9, -0.99, 0.9999, 1, -1, 2, Number.NaN]],
  ];
  const binary: ExprOp[] = ['add', 'sub', 'mul', 'div', 'min', 'max', 'eq', 'ne', 'lt', 'le', 'gt', 'ge'];
  const whole: ExprOp[] = [
    'add',
    'sub',
    'mul',
    'div',
    'mod',
    'min',
    'max',
    'and',
    'or',
    'xor',
    'eq',
    'ne',
    'lt',
    'le',
    'gt',
    'ge',
  ];
  const cases: KernelCase[] = [
    ...steps.map((fn) => elementwise(`${fn} of floats, at corners`, 'float32', [corners], (x) => [one(fn, x as Expr)])),
    ...smooth.map(([fn, data]) =>
      elementwise(`${fn}, at corners`, 'float32', [data.map(Math.fround)], (x) => [one(fn, x as Expr)]),
    ),
    ...binary.map((fn) =>
      elementwise(`${fn} of floats, corners with corners`, 'float32', pairs(corners, corners), (a, b) => [
        two(fn, a as Expr, b as Expr),
      ]),
    ),
    ...whole.map((fn) =>
      elementwise(`${fn} of int32 wraps and never traps`, 'int32', pairs(wholeCorners, wholeCorners), (a, b) => [
        two(fn, a as Expr, b as Expr),
      ]),
    ),
    elementwise('neg, abs and sign of int32', 'int32', [wholeCorners], (x) =>
      (['neg', 'abs', 'sign'] as const).map((fn) => one(fn, x as Expr)),
    ),
    elementwise('shifts of int32 by 0 to 31', 'int32', pairs(wholeCorners, [0, 1, 4, 15, 31]), (a, b) =>
      (['shl', 'shr', 'shru'] as const).map((fn) => two(fn, a as Expr, b as Expr)),
    ),
    elementwise(
      'mod of floats has the sign of the divisor',
      'float32',
      pairs([5.5, -5.5, 0, 3, -3, 0.25], [2, -2, 0.5, -3]),
      (a, b) => [two('mod', a as Expr, b as Expr)],
    ),
    elementwise(
      'pow takes negative bases to whole powers, and 0 and 1 as IEEE 754 says',
      'float32',
      pairs([-2, -1, 0, 0.5, 1, 3, Infinity, Number.NaN], [0, 1, 2, 3, -1, -2, 0.5, Infinity, -Infinity, Number.NaN]),
      (a, b) => [two('pow', a as Expr, b as Expr)],
    ),
    elementwise('atan2 in all four quadrants', 'float32', pairs([0.5, -0.5, 3, -3], [1, -1, 0, 0.25, -8]), (a, b) => [
      two('atan2', a as Expr, b as Expr),
    ]),
    elementwise(
      'cast of floats to int32 truncates and saturates, NaN to 0; to bool, what is not 0',
      'float32',
      [[...corners, 3e10, -3e10, 2147483520, -2147483648, 0.99, -0.99]],
      (x) => [e.cast(x as Expr, 'int32'), e.cast(x as Expr, 'bool')],
    ),
    elementwise(
      'cast of int32 to float rounds, to bool says what is not 0',
      'int32',
      [[...wholeCorners, 16777217, -16777219]],
      (x) => [e.cast(x as Expr, 'float32'), e.cast(x as Expr, 'bool')],
    ),
    elementwise('cast of bool gives 0 and 1', 'bool', [[0, 1, 1, 0]], (x) => [
      e.cast(x as Expr, 'float32'),
      e.cast(x as Expr, 'int32'),
    ]),
    elementwise(
      'bits are those of the float, the sign of zero too',
      'float32',
      [[0, -0, 1, -1.5, Infinity, -Infinity, 3.4e38]],
      (x) => [
        e.apply('bits', [x as Expr], 'int32'),
        e.apply('bits', [e.apply('bits', [x as Expr], 'int32')], 'float32'),
      ],
    ),
    elementwise(
      'and, or, xor of bools',
      'bool',
      [
        [0, 0, 1, 1],
        [0, 1, 0, 1],
      ],
      (a, b) => (['and', 'or', 'xor', 'eq', 'ne'] as const).map((fn) => two(fn, a as Expr, b as Expr)),
    ),
    elementwise(
      'select takes one side, whatever is on the other',
      'float32',
      [corners, corners.map(() => Number.NaN)],
      (a, b) => [
        e.select(two('gt', a as Expr, float(0)), a as Expr, b as Expr),
        e.select(one('isNan', b as Expr), a as Expr, b as Expr),
      ],
    ),
  ];

  const philox = new Case();
  const draw = two('add', e.index(0), int(0));
  const key0 = philox.uniform('int32', 0x13198a2e);
  cases.push(
    philox.done('philox gives four words a counter, the same everywhere', {
      kind: 'map',
      parts: [
        {
          shape: [37],
          stores: [
            philox.store(
              [37],
              e.apply('philox', [key0, philox.uniform('int32', -5), philox.uniform('int32', 3), draw]),
            ),
          ],
        },
        { shape: [4], stores: [philox.store([4], e.apply('philox', [int(0), int(0), int(0), e.index(0)]))] },
      ],
    }),
  );

  const wide = new Case();
  const bytes = wide.load([300], { dtype: 'int32' });
  cases.push(
    wide.done('uint8 widens to int32 and keeps the low 8 bits when stored', {
      kind: 'map',
      parts: [
        { shape: [300], stores: [wide.store([300], e.mul(bytes, int(7)), 'uint8')] },
        { shape: [301], stores: [wide.store([301], e.mul(wide.load([301], { dtype: 'uint8' }), int(1000)))] },
      ],
    }),
  );

  const half = new Case();
  const values = half.load([77], { data: Array.from({ length: 77 }, (_, i) => Math.fround(1.37 ** (i - 50))) });
  cases.push(
    half.done('float16 widens to float32 and rounds when stored', {
      kind: 'map',
      parts: [
        { shape: [77], stores: [half.store([77], values, 'float16')] },
        { shape: [1003], stores: [half.store([1003], e.mul(half.load([1003], { dtype: 'float16' }), float(1.1)))] },
      ],
    }),
  );

  const moved = new Case();
  const shape = [5, 7, 6];
  const views: Move[][] = [
    [{ type: 'permute', axes: [2, 0, 1] }],
    [
      { type: 'slice', start: [4, 0, 5], step: [-1, 1, -1], size: [5, 7, 6] },
      { type: 'permute', axes: [2, 0, 1] },
    ],
    [
      { type: 'slice', start: [0, 1, 0], step: [1, 2, 1], size: [5, 3, 4] },
      { type: 'pad', before: [0, 2, 1], after: [0, 2, 1] },
      { type: 'permute', axes: [2, 0, 1] },
    ],
    [
      { type: 'slice', start: [0, 3, 0], step: [1, 1, 1], size: [5, 1, 6] },
      { type: 'expand', shape: [5, 7, 6] },
      { type: 'permute', axes: [2, 0, 1] },
    ],
  ];
  cases.push(
    moved.done('loads are transposed, flipped, padded with zeros and broadcast by their views', {
      kind: 'map',
      parts: views.map((moves) => ({
        shape: [6, 5, 7],
        stores: [moved.store([6, 5, 7], moved.load(shape, { moves }))],
      })),
    }),
  );

  const outside = new Case();
  const padding: Move[] = [
    { type: 'pad', before: [1, 0], after: [0, 0] },
    { type: 'slice', start: [0, 0], step: [1, 1], size: [1, 1] },
    { type: 'expand', shape: [1, 9] },
  ];
  const zeros = outside.load([1, 1], { moves: padding });
  cases.push(
    outside.done('a load of padding alone, before the first element', {
      kind: 'map',
      parts: [{ shape: [1, 9], stores: [outside.store([1, 9], e.add(outside.load([1, 9]), zeros))] }],
    }),
  );

  // Large and of whole texels: backends that turn squares of them do so here.
  const across = new Case();
  const sum = (domain: readonly number[], moves: Move[]) => {
    const turned = across.load([4, 76, 64], { moves });
    return e.add(e.mul(turned, float(0.5)), across.load(domain));
  };
  cases.push(
    across.done('large loads that lie across', {
      kind: 'map',
      parts: [
        {
          shape: [4, 64, 76],
          stores: [across.store([4, 64, 76], sum([4, 64, 76], [{ type: 'permute', axes: [0, 2, 1] }]))],
        },
        {
          shape: [60, 72, 4],
          stores: [
            across.store(
              [60, 72, 4],
              sum(
                [60, 72, 4],
                [
                  { type: 'slice', start: [0, 4, 4], step: [1, 1, 1], size: [4, 72, 60] },
                  { type: 'permute', axes: [2, 1, 0] },
                ],
              ),
            ),
          ],
        },
      ],
    }),
  );

  const cat = new Case();
  const whole12 = contiguous([3, 12]);
  const slice = (start: number, size: number) =>
    applyMoves(whole12, [{ type: 'slice', start: [0, start], step: [1, 1], size: [3, size] }]) as View;
  const left = cat.storeTo(slice(0, 4), cat.load([3, 4]), 'float32', 36);
  const middle: Store = { output: 0, view: slice(4, 1), expr: cat.load([3, 1]) };
  const right: Store = { output: 0, view: slice(7, 5), expr: cat.load([3, 5]) };
  cases.push(
    cat.done('parts write their own slices of one output and leave the rest alone', {
      kind: 'map',
      parts: [
        { shape: [3, 4], stores: [left] },
        { shape: [3, 1], stores: [middle] },
        { shape: [3, 5], stores: [right] },
        { shape: [3, 0], stores: [{ output: 0, view: slice(5, 0), expr: float(9) }] },
      ],
    }),
  );

  const gather = new Case();
  const table = gather.input('float32', 6 * 5);
  const rows = gather.load([9], { dtype: 'int32', data: [0, 5, 3, -1, 6, 2, 2, 1000, -1000] });
  const rowsView = applyMoves(contiguous([9]), [
    { type: 'reshape', shape: [9, 1] },
    { type: 'expand', shape: [9, 5] },
  ]) as View;
  const wanted: Expr = { ...(rows as Extract<Expr, { op: 'load' }>), view: rowsView };
  const flipped = applyMoves(contiguous([6, 5]), [
    { type: 'slice', start: [5, 0], step: [-1, 1], size: [6, 5] },
  ]) as View;
  cases.push(
    gather.done('loads at computed places read 0 outside of the view', {
      kind: 'map',
      parts: [
        {
          shape: [9, 5],
          stores: [
            gather.store([9, 5], gather.at(table, contiguous([6, 5]), [wanted, e.index(1)])),
            gather.store([9, 5], gather.at(table, flipped, [wanted, e.index(1)])),
          ],
        },
      ],
    }),
  );

  const adam = new Case();
  const rate = adam.uniform('float32', 0.125);
  const parts = [1030, 3, 1].map((size) => {
    const [weight, gradient, moment] = [
      adam.input('float32', size),
      adam.input('float32', size),
      adam.input('float32', size),
    ];
    const view = contiguous([size]);
    const next = e.add(e.mul(adam.at(moment, view), float(0.9)), e.mul(adam.at(gradient, view), float(0.1)));
    const stores = [
      adam.storeOver(weight, view, e.sub(adam.at(weight, view), e.mul(rate, next))),
      adam.storeOver(moment, view, next),
    ];
    return { shape: [size], stores };
  });
  cases.push(
    adam.done('an optimizer updates weights and moments in place, all tensors in one kernel', { kind: 'map', parts }),
  );

  const deep = new Case();
  let shared = deep.load([40]);
  for (let i = 0; i < 40; i++) shared = e.mul(e.add(shared, shared), float(0.5)); // 2⁴⁰ nodes as a tree
  cases.push(
    deep.done('a shared expression is computed once', {
      kind: 'map',
      parts: [{ shape: [40], stores: [deep.store([40], shared)] }],
    }),
  );

  for (const shape of [[], [1], [1, 1, 1], [0], [3, 0, 2], [1025], [2, 3, 1, 2, 3, 2], [129, 65]]) {
    const c = new Case();
    const expr = e.add(c.load(shape), e.mul(c.load(shape), c.uniform('float32', 3)));
    cases.push(c.done(`a map over [${shape}]`, { kind: 'map', parts: [{ shape, stores: [c.store(shape, expr)] }] }));
  }
  return cases;
}
