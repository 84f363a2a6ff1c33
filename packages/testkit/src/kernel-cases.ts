/** Kernels written by hand: the sizes where tilings end, and the corners of the contract that chance would miss. */
import {
  type Accumulate,
  applyMoves,
  type Compute,
  type ConvKernel,
  type ConvSizes,
  contiguous,
  type DType,
  type Expr,
  type ExprOp,
  expr as e,
  type Kernel,
  type Move,
  type Operand,
  type PoolKernel,
  type PoolSizes,
  type RowStore,
  type ScanKernel,
  type ScatterKernel,
  type SortKernel,
  type Store,
  sizeOf,
  type TypedArray,
  type View,
} from '@tessera/tensor/backend';
import type { KernelCase } from './kernels';
import { randomNumbers } from './random-kernel';

/** A kernel's own fields, without the tables that a `Case` fills. */
type Own<K extends Kernel> = Omit<K, 'inputs' | 'outputs' | 'uniforms' | 'aliases'>;
type OwnKernel = { [K in Kernel['kind']]: Own<Extract<Kernel, { kind: K }>> }[Kernel['kind']];

/** Collects the operands of a kernel while its expressions are written. */
class Case {
  private readonly inputs: Operand[] = [];
  private readonly data: TypedArray[] = [];
  private readonly outputs: Operand[] = [];
  private readonly aliases: number[] = [];
  private readonly types: Compute[] = [];
  private readonly uniforms: number[] = [];
  private readonly random = randomNumbers(7);

  /** A new input with these elements, or with normal-looking numbers in ±2 (int32: whole in ±100; uint8, bool: all). */
  input(dtype: DType, data: number | readonly number[]): number {
    const values = typeof data === 'number' ? Array.from({ length: data }, () => this.element(dtype)) : data;
    const make = dtype === 'int32' ? Int32Array : dtype === 'uint8' || dtype === 'bool' ? Uint8Array : Float32Array;
    this.inputs.push({ dtype, size: values.length });
    return this.data.push(make.from(values)) - 1;
  }
  private element(dtype: DType): number {
    if (dtype === 'int32') return Math.floor(this.random() * 200) - 100;
    if (dtype === 'uint8') return Math.floor(this.random() * 256);
    if (dtype === 'bool') return Math.floor(this.random() * 2);
    if (dtype === 'float16') return Math.floor(this.random() * 64 - 32) / 16;
    return Math.fround(this.random() * 4 - 2);
  }

  at(input: number, view: View, at: readonly Expr[] | null = null): Expr {
    const { dtype } = this.inputs[input] as Operand;
    return { op: 'load', dtype: e.computeOf(dtype), input, view, at };
  }
  /** A load of a new row-major input of that shape, moved. */
  load(shape: readonly number[], { dtype = 'float32', data, moves = [] }: LoadOptions = {}): Expr {
    const view = applyMoves(contiguous(shape), moves);
    if (!view) throw new Error('testkit: these moves have no view');
    return this.at(this.input(dtype, data ?? sizeOf(shape)), view);
  }
  uniform(dtype: Compute, value: number): Expr {
    this.uniforms.push(value);
    return { op: 'uniform', dtype, index: this.types.push(dtype) - 1 };
  }

  /** A store of the expression to a new row-major output. */
  store(shape: readonly number[], expr: Expr, dtype: DType = expr.dtype): Store {
    return this.storeTo(contiguous(shape), expr, dtype, sizeOf(shape));
  }
  storeTo(view: View, expr: Expr, dtype: DType, size: number): Store {
    this.aliases.push(-1);
    return { output: this.outputs.push({ dtype, size }) - 1, view, expr };
  }
  /** A store in place of an input. */
  storeOver(input: number, view: View, expr: Expr): Store {
    this.aliases.push(input);
    return { output: this.outputs.push(this.inputs[input] as Operand) - 1, view, expr };
  }
  row(store: Store): RowStore {
    return { ...store, per: 'row' };
  }
  whole(store: Store): RowStore {
    return { ...store, per: 'element' };
  }

  done(title: string, own: OwnKernel): KernelCase {
    const { inputs, outputs, aliases, types, data, uniforms } = this;
    return { title, kernel: { ...own, inputs, outputs, aliases, uniforms: types }, inputs: data, uniforms };
  }
}
interface LoadOptions {
  readonly dtype?: DType;
  readonly data?: readonly number[];
  readonly moves?: readonly Move[];
}

const acc = (index: number, dtype: Compute = 'float32'): Expr => e.acc(index, dtype);
const float = (value: number): Expr => e.constant(Math.fround(value));
const int = (value: number): Expr => e.constant(value, 'int32');
const one = (fn: ExprOp, a: Expr) => e.apply(fn, [a]);
const two = (fn: ExprOp, a: Expr, b: Expr) => e.apply(fn, [a, b]);

const least = -0x80000000;
const greatest = 0x7fffffff;
/** Where functions of floats have their corners. */
const corners = [
  Number.NaN,
  Infinity,
  -Infinity,
  -0,
  0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -1.5,
  -2.5,
  2,
  -3,
  1e-3,
  100.25,
  3e9,
];
const wholeCorners = [0, 1, -1, 2, -2, 3, -7, 31, 255, 256, -256, 65537, greatest, least, least + 1, 0x5bd1e995];
/** Every element of a against every one of b, as two lists. */
const pairs = (a: readonly number[], b: readonly number[]) =>
  [a.flatMap((x) => b.map(() => x)), a.flatMap(() => b)] as const;

// ---------------------------------------------------------------------------------------------------- map

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

function maps(): KernelCase[] {
  const steps: ExprOp[] = ['neg', 'abs', 'sign', 'floor', 'ceil', 'round', 'trunc', 'isNan'];
  const smooth: readonly (readonly [ExprOp, readonly number[]])[] = [
    ['exp', [0, 1, -1, 88, -87, Infinity, -Infinity, Number.NaN, 200, -200, 1e-8]],
    ['expm1', [0, 1e-8, -1e-8, 1e-3, 1, -20, -Infinity, Infinity, Number.NaN]],
    ['log', [1, 0, -0, -1, 2, 1e-30, 1e30, 1.0001, 0.9999, Infinity, Number.NaN]],
    ['log1p', [0, 1e-8, -1e-8, 1e-3, -0.5, -1, -2, 1e10, Infinity, Number.NaN]],
    ['sqrt', [0, 1, 2, 1e-30, 1e30, -1, Infinity, Number.NaN]],
    ['sin', [0, 0.5, -0.5, 1, 3, Math.fround(Math.PI), -3, 20, -20, Infinity, Number.NaN]],
    ['cos', [0, 0.5, -0.5, 1, Math.fround(Math.PI / 2), 3, -3, 20, -20, Infinity, Number.NaN]],
    ['tan', [0, 0.5, -0.5, 1, -1.25, 3, Infinity, Number.NaN]],
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

// ---------------------------------------------------------------------------------------------------- reduce

function reductions(): KernelCase[] {
  const cases: KernelCase[] = [];
  const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[1000], [0]],
    [[70000], [0]],
    [[3, 1000], [1]],
    [[1000, 3], [0]],
    [
      [4, 33, 65],
      [0, 2],
    ],
    [[4, 33, 65], [1]],
    [[65, 1], [1]],
    [[1, 65], [0]],
    [[5, 0], [1]],
    [[0, 5], [1]],
    [
      [2, 3, 4],
      [0, 1, 2],
    ],
  ];
  for (const [shape, axes] of shapes) {
    const c = new Case();
    const x = c.load(shape);
    const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const combines: Accumulate['combine'][] = ['sum', 'max', 'min'];
    if (axes.every((axis) => shape[axis] !== 0)) combines.push('argmax', 'argmin');
    const stage = combines.map(
      (combine): Accumulate => ({ combine, expr: x, dtype: combine.startsWith('arg') ? 'int32' : 'float32' }),
    );
    const stores = stage.map(({ dtype }, i) => c.row(c.store(kept, acc(i, dtype))));
    cases.push(
      c.done(`sum, max, min and their places of [${shape}] along [${axes}]`, {
        kind: 'reduce',
        shape,
        axes,
        stages: [stage],
        stores,
      }),
    );
  }

  const whole = new Case();
  const x = whole.load([7, 90], { dtype: 'int32' });
  const stage = (['sum', 'prod', 'max', 'min', 'argmax', 'argmin'] as const).map(
    (combine): Accumulate => ({ combine, expr: x, dtype: 'int32' }),
  );
  const stores = stage.map((_, i) => whole.row(whole.store([7, 1], acc(i, 'int32'))));
  cases.push(
    whole.done('int32 reductions wrap', { kind: 'reduce', shape: [7, 90], axes: [1], stages: [stage], stores }),
  );

  const empty = new Case();
  const none = empty.load([3, 0], { dtype: 'int32' });
  const identities = (['sum', 'prod', 'max', 'min'] as const).map(
    (combine): Accumulate => ({ combine, expr: none, dtype: 'int32' }),
  );
  const identityStores = identities.map((_, i) => empty.row(empty.store([3, 1], acc(i, 'int32'))));
  cases.push(
    empty.done('an empty int32 row gives 0, 1, the least and the greatest number', {
      kind: 'reduce',
      shape: [3, 0],
      axes: [1],
      stages: [identities],
      stores: identityStores,
    }),
  );

  const nan = new Case();
  const [n, i] = [Number.NaN, Infinity];
  const rows = nan.load([6, 5], {
    data: [1, n, 3, n, 9, -i, -i, -i, -i, -i, i, 1, i, 2, 3, 2, 7, 7, -1, -1, i, -i, 0, 0, 0, -0, 0, -0, 0, 0],
  });
  const all = (['sum', 'max', 'min', 'argmax', 'argmin'] as const).map(
    (combine): Accumulate => ({ combine, expr: rows, dtype: combine.startsWith('arg') ? 'int32' : 'float32' }),
  );
  cases.push(
    nan.done('NaN wins every reduction; the first of equals is the place', {
      kind: 'reduce',
      shape: [6, 5],
      axes: [1],
      stages: [all],
      stores: all.map(({ dtype }, k) => nan.row(nan.store([6, 1], acc(k, dtype)))),
    }),
  );

  const prod = new Case();
  const factors = prod.load([9, 40], {
    data: Array.from({ length: 360 }, (_, k) => Math.fround(0.9 + (0.2 * ((k * 7) % 11)) / 11)),
  });
  cases.push(
    prod.done('prod of floats', {
      kind: 'reduce',
      shape: [9, 40],
      axes: [1],
      stages: [[{ combine: 'prod', expr: factors, dtype: 'float32' }]],
      stores: [prod.row(prod.store([9, 1], acc(0)))],
    }),
  );

  for (const [shape, axes] of [
    [[7, 1000], [1]],
    [[130, 10], [1]],
    [[2, 19, 21], [1]],
    [[1, 1], [1]],
  ] as const) {
    const c = new Case();
    const logits = c.load(shape);
    const shifted = one('exp', e.sub(logits, acc(0)));
    cases.push(
      c.done(`softmax of [${shape}] along [${axes}], in two stages and a write-back`, {
        kind: 'reduce',
        shape,
        axes,
        stages: [
          [{ combine: 'max', expr: logits, dtype: 'float32' }],
          [{ combine: 'sum', expr: shifted, dtype: 'float32' }],
        ],
        stores: [c.whole(c.store(shape, e.div(shifted, acc(1))))],
      }),
    );
  }

  const inPlace = new Case();
  const view = contiguous([33, 70]);
  const over = inPlace.input('float32', 33 * 70);
  const logits = inPlace.at(over, view);
  cases.push(
    inPlace.done('a row is normalised in place', {
      kind: 'reduce',
      shape: [33, 70],
      axes: [1],
      stages: [[{ combine: 'sum', expr: one('abs', logits), dtype: 'float32' }]],
      stores: [inPlace.whole(inPlace.storeOver(over, view, e.div(logits, acc(0))))],
    }),
  );

  for (const shape of [
    [4, 3, 9, 11],
    [2, 70, 5, 1],
  ]) {
    const c = new Case();
    const channels = shape[1] as number;
    const axes = [0, 2, 3];
    const x = c.load(shape);
    const count = sizeOf(shape) / channels;
    const perChannel = [1, channels, 1, 1];
    const toAll: Move[] = [
      { type: 'reshape', shape: perChannel },
      { type: 'expand', shape },
    ];
    const mean = e.mul(acc(0), float(1 / count));
    const centred = e.sub(x, mean);
    const variance = e.mul(acc(1), float(1 / count));
    const scale = e.div(float(1), one('sqrt', e.add(variance, c.uniform('float32', 0.125))));
    const running = c.input('float32', channels);
    const runningView = applyMoves(contiguous([channels]), [{ type: 'reshape', shape: perChannel }]) as View;
    const kept = e.add(e.mul(c.at(running, runningView), float(0.75)), e.mul(mean, float(0.25)));
    const [gain, shift] = [c.load([channels], { moves: toAll }), c.load([channels], { moves: toAll })];
    cases.push(
      c.done(`batch norm of [${shape}] with statistics out and running means in place`, {
        kind: 'reduce',
        shape,
        axes,
        stages: [
          [{ combine: 'sum', expr: x, dtype: 'float32' }],
          [{ combine: 'sum', expr: e.mul(centred, centred), dtype: 'float32' }],
        ],
        stores: [
          c.whole(c.store(shape, e.add(e.mul(e.mul(centred, scale), gain), shift))),
          c.row(c.store(perChannel, mean)),
          c.row(c.store(perChannel, scale)),
          c.row(c.storeOver(running, runningView, kept)),
        ],
      }),
    );
  }
  return cases;
}

// ---------------------------------------------------------------------------------------------------- matmul

function matmuls(): KernelCase[] {
  const swap: Move = { type: 'permute', axes: [1, 0] };
  const cases: KernelCase[] = [];
  const sizes = [
    [65, 130, 67],
    [64, 64, 64],
    [1, 200, 100],
    [100, 1, 200],
    [1, 1, 300],
    [33, 47, 1],
    [128, 8, 16],
    [7, 5, 1030],
    [1, 1, 1],
    [0, 3, 4],
    [3, 0, 4],
    [3, 4, 0],
    [17, 257, 9],
  ];
  for (const [m = 0, n = 0, k = 0] of sizes) {
    for (const layout of ['', ', a transposed', ', b transposed', ', both transposed']) {
      const c = new Case();
      const a = layout.includes('a t') || layout.includes('both') ? c.load([k, m], { moves: [swap] }) : c.load([m, k]);
      const b = layout.includes('b t') || layout.includes('both') ? c.load([n, k], { moves: [swap] }) : c.load([k, n]);
      cases.push(
        c.done(`matmul ${m}×${k} by ${k}×${n}${layout}`, {
          kind: 'matmul',
          batch: [],
          m,
          n,
          k,
          a,
          b,
          stores: [c.store([m, n], acc(0))],
        }),
      );
    }
  }

  const linear = new Case();
  const [m, n, k] = [34, 70, 50];
  const bias = linear.load([n], { moves: [{ type: 'expand', shape: [m, n] }] });
  const residual = linear.input('float32', m * n);
  const sum = e.add(acc(0), bias);
  cases.push(
    linear.done('linear with bias, relu and a residual added in place, the mask stored beside', {
      kind: 'matmul',
      batch: [],
      m,
      n,
      k,
      a: linear.load([m, k]),
      b: linear.load([n, k], { moves: [swap] }),
      stores: [
        linear.storeOver(
          residual,
          contiguous([m, n]),
          e.add(linear.at(residual, contiguous([m, n])), two('max', sum, float(0))),
        ),
        linear.store([m, n], e.mul(acc(0), e.cast(two('gt', bias, float(0)), 'float32'))),
      ],
    }),
  );

  const batched = new Case();
  cases.push(
    batched.done('batches of matmul, b broadcast along one of them and a along the other', {
      kind: 'matmul',
      batch: [3, 4],
      m: 9,
      n: 17,
      k: 33,
      a: batched.load([4, 9, 33], { moves: [{ type: 'expand', shape: [3, 4, 9, 33] }] }),
      b: batched.load([3, 1, 33, 17], { moves: [{ type: 'expand', shape: [3, 4, 33, 17] }] }),
      stores: [batched.store([3, 4, 9, 17], e.mul(acc(0), batched.uniform('float32', 0.5)))],
    }),
  );

  const heads = new Case();
  const split: Move[] = [
    { type: 'reshape', shape: [2, 20, 4, 16] },
    { type: 'permute', axes: [0, 2, 1, 3] },
  ];
  const merged = applyMoves(contiguous([2, 20, 4, 16]), [{ type: 'permute', axes: [0, 2, 1, 3] }]) as View;
  cases.push(
    heads.done('attention: heads split by the views of operands, merged by the view of the store', {
      kind: 'matmul',
      batch: [2, 4],
      m: 20,
      n: 16,
      k: 20,
      a: heads.load([2, 4, 20, 20]),
      b: heads.load([2, 20, 64], { moves: split }),
      stores: [heads.storeTo(merged, acc(0), 'float32', 2 * 20 * 64)],
    }),
  );

  const operands = new Case();
  const [left, right] = [operands.load([40, 30]), operands.load([30, 20])];
  const scale = operands.load([40, 1], { moves: [{ type: 'expand', shape: [40, 30] }] });
  cases.push(
    operands.done('operands are expressions: a scaled relu times an exponential', {
      kind: 'matmul',
      batch: [],
      m: 40,
      n: 20,
      k: 30,
      a: e.mul(two('max', left, float(0)), scale),
      b: one('exp', right),
      stores: [operands.store([40, 20], acc(0))],
    }),
  );

  const nan = new Case();
  const holes = Array.from({ length: 20 * 10 }, (_, i) => (i === 33 ? Number.NaN : i === 77 ? Infinity : (i % 7) - 3));
  cases.push(
    nan.done('NaN and ∞ stay in their rows', {
      kind: 'matmul',
      batch: [],
      m: 20,
      n: 30,
      k: 10,
      a: nan.load([20, 10], { data: holes }),
      b: nan.load([10, 30]),
      stores: [nan.store([20, 30], acc(0))],
    }),
  );

  const half = new Case();
  cases.push(
    half.done('float16 operands, summed in float32, stored as float16', {
      kind: 'matmul',
      batch: [],
      m: 19,
      n: 23,
      k: 70,
      a: half.load([19, 70], { dtype: 'float16' }),
      b: half.load([70, 23], { dtype: 'float16' }),
      stores: [half.store([19, 23], acc(0), 'float16')],
    }),
  );
  return cases;
}

// ---------------------------------------------------------------------------------------------------- conv and pool

const conv = (
  n: number,
  c: number,
  o: number,
  input: number[],
  kernel: number[],
  options: Partial<ConvSizes> = {},
): ConvSizes => {
  const stride = options.stride ?? kernel.map(() => 1);
  const dilation = options.dilation ?? kernel.map(() => 1);
  const padding = options.padding ?? kernel.map(() => 0);
  const output = input.map(
    (size, i) => Math.floor((size + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
  );
  return { n, c, o, groups: 1, input, kernel, output, ...options, stride, dilation, padding };
};

function convolutions(): KernelCase[] {
  const table: readonly (readonly [string, ConvSizes])[] = [
    ['3×3, 64 to 64 channels on 14²', conv(2, 64, 64, [14, 14], [3, 3], { padding: [1, 1] })],
    ['7×7 stride 2, as ResNet begins', conv(1, 3, 16, [32, 32], [7, 7], { stride: [2, 2], padding: [3, 3] })],
    ['11×11 stride 4, as AlexNet begins', conv(1, 3, 8, [35, 35], [11, 11], { stride: [4, 4], padding: [2, 2] })],
    ['1×1', conv(2, 40, 33, [9, 7], [1, 1])],
    ['1×1 stride 2, as ResNet shortens', conv(2, 16, 32, [9, 9], [1, 1], { stride: [2, 2] })],
    ['1×1 of a padded input', conv(1, 3, 5, [4, 4], [1, 1], { padding: [1, 1] })],
    ['depthwise 3×3', conv(2, 32, 32, [10, 10], [3, 3], { groups: 32, padding: [1, 1] })],
    [
      'depthwise with two outputs a channel',
      conv(1, 6, 12, [9, 9], [3, 3], { groups: 6, stride: [2, 2], padding: [1, 1] }),
    ],
    ['3 groups', conv(2, 12, 18, [8, 8], [3, 3], { groups: 3, padding: [1, 1] })],
    ['dilated 3×3', conv(1, 5, 7, [17, 15], [3, 3], { dilation: [2, 3], padding: [2, 3] })],
    ['5×1 and stride of two kinds', conv(2, 4, 6, [20, 11], [5, 1], { stride: [3, 2], padding: [2, 0] })],
    ['a kernel as large as its input, as a linear layer', conv(3, 8, 20, [5, 5], [5, 5])],
    ['zeros in front only', conv(1, 3, 4, [9, 9], [3, 3], { padding: [2, 2], output: [8, 8], stride: [1, 1] })],
    ['a window far beyond the end', conv(1, 2, 3, [4, 5], [3, 3], { output: [7, 9] })],
    ['input left over by the stride', conv(1, 3, 3, [11, 12], [2, 2], { stride: [3, 3] })],
    ['1d', conv(3, 5, 9, [50], [7], { stride: [2], padding: [3] })],
    ['1d, one channel, long', conv(1, 1, 1, [1000], [25], { padding: [12] })],
    ['3d', conv(1, 3, 4, [6, 7, 8], [3, 2, 3], { stride: [1, 2, 1], padding: [1, 0, 1] })],
    ['one element', conv(1, 1, 1, [1, 1], [1, 1])],
    ['an empty batch', conv(0, 3, 4, [5, 5], [3, 3])],
  ];
  return table
    .flatMap(([name, sizes]) =>
      (['forward', 'inputGrad', 'weightGrad'] as const).map((direction) => {
        const c = new Case();
        return c.done(
          `conv ${direction}: ${name}`,
          convOf(c, direction, sizes, (shape) => [c.store(shape, acc(0))]),
        );
      }),
    )
    .concat(convolutionsWithMore());
}

function convOf(
  c: Case,
  direction: ConvKernel['direction'],
  sizes: ConvSizes,
  stores: (shape: readonly number[]) => Store[],
): Own<ConvKernel> {
  const x = [sizes.n, sizes.c, ...sizes.input];
  const w = [sizes.o, sizes.c / sizes.groups, ...sizes.kernel];
  const y = [sizes.n, sizes.o, ...sizes.output];
  const [a, b, shape] = ({ forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] } as const)[direction];
  return { kind: 'conv', direction, sizes, a: c.load(a), b: c.load(b), stores: stores(shape) };
}

function convolutionsWithMore(): KernelCase[] {
  const sizes = conv(2, 8, 20, [9, 9], [3, 3], { padding: [1, 1] });
  const shape = [2, 20, 9, 9];
  const fused = new Case();
  const affine = (size = 20) =>
    fused.load([size], {
      moves: [
        { type: 'reshape', shape: [1, 20, 1, 1] },
        { type: 'expand', shape },
      ],
    });
  const skip = fused.load(shape);
  const y = two('max', e.add(e.add(e.mul(acc(0), affine()), affine()), skip), float(0));

  const permuted = new Case();
  const channelsLast: Move[] = [{ type: 'permute', axes: [0, 3, 1, 2] }];
  const lastStore = applyMoves(contiguous([2, 9, 9, 20]), channelsLast) as View;

  const operands = new Case();
  const mean = operands.load([8], {
    moves: [
      { type: 'reshape', shape: [1, 8, 1, 1] },
      { type: 'expand', shape: [2, 8, 9, 9] },
    ],
  });

  const sgd = new Case();
  const weight = sgd.input('float32', 20 * 8 * 9);
  const weightView = contiguous([20, 8, 3, 3]);

  return [
    fused.done(
      'conv with affine, residual and relu behind it',
      convOf(fused, 'forward', sizes, () => [fused.store(shape, y), fused.store(shape, acc(0))]),
    ),
    permuted.done('conv of channels-last arrays through their views', {
      kind: 'conv',
      direction: 'forward',
      sizes,
      a: permuted.load([2, 9, 9, 8], { moves: channelsLast }),
      b: permuted.load([20, 3, 3, 8], { moves: channelsLast }),
      stores: [permuted.storeTo(lastStore, acc(0), 'float32', sizeOf(shape))],
    }),
    operands.done('conv of a normalised input: zero padding comes after the expression', {
      kind: 'conv',
      direction: 'forward',
      sizes,
      a: e.add(operands.load([2, 8, 9, 9]), mean),
      b: e.mul(operands.load([20, 8, 3, 3]), float(0.5)),
      stores: [operands.store(shape, acc(0))],
    }),
    sgd.done(
      'the gradient of weights updates them in place',
      convOf(sgd, 'weightGrad', sizes, () => [
        sgd.storeOver(
          weight,
          weightView,
          e.sub(sgd.at(weight, weightView), e.mul(sgd.uniform('float32', 0.01), acc(0))),
        ),
      ]),
    ),
  ];
}

function pools(): KernelCase[] {
  const pool = (batch: number, input: number[], kernel: number[], options: Partial<PoolSizes> = {}): PoolSizes => {
    const { c: _c, n: _n, o: _o, groups: _groups, ...sizes } = conv(1, 1, 1, input, kernel, options);
    return { batch, ...sizes };
  };
  const table: readonly (readonly [string, PoolSizes])[] = [
    ['2×2 stride 2', pool(6, [14, 14], [2, 2], { stride: [2, 2] })],
    ['3×3 stride 2, padded, as ResNet begins', pool(5, [15, 16], [3, 3], { stride: [2, 2], padding: [1, 1] })],
    ['overlapping 3×3 stride 1', pool(3, [9, 9], [3, 3], { padding: [1, 1] })],
    ['windows that hang over the end', pool(2, [7, 7], [2, 2], { stride: [2, 2], output: [4, 4] })],
    ['dilated', pool(2, [9, 11], [2, 3], { dilation: [2, 3] })],
    ['the whole plane', pool(9, [7, 7], [7, 7])],
    ['1d', pool(4, [33], [4], { stride: [3] })],
    ['3d', pool(2, [5, 6, 4], [2, 3, 2], { stride: [2, 1, 2] })],
    ['an empty batch', pool(0, [4, 4], [2, 2])],
  ];
  const one = (name: string, direction: PoolKernel['direction'], combine: PoolKernel['combine'], sizes: PoolSizes) => {
    const c = new Case();
    const [input, output] = [
      [sizes.batch, ...sizes.input],
      [sizes.batch, ...sizes.output],
    ];
    const shape = direction === 'forward' ? output : input;
    const stores = [c.store(shape, acc(0))];
    if (direction === 'forward' && combine === 'max') stores.push(c.store(shape, acc(1, 'int32')));
    const a = c.load(direction === 'forward' ? input : output);
    const b =
      direction === 'backward' && combine === 'max'
        ? c.load(output, { dtype: 'int32', data: firstPlaces(sizes) })
        : null;
    return c.done(`pool ${combine} ${direction}: ${name}`, { kind: 'pool', direction, combine, sizes, a, b, stores });
  };
  const cases = table.flatMap(([name, sizes]) =>
    (['max', 'sum'] as const).flatMap((combine) =>
      (['forward', 'backward'] as const).map((direction) => one(name, direction, combine, sizes)),
    ),
  );
  const nan = new Case();
  const [n, i] = [Number.NaN, Infinity];
  const a = nan.load([1, 4, 6], {
    data: [1, n, 3, 3, -i, -i, n, n, 3, 3, -i, -i, i, 5, -1, -1, 0, -0, 6, i, -1, -2, -0, 0],
  });
  const sizes = pool(1, [4, 6], [2, 2], { stride: [2, 2] });
  cases.push(
    nan.done('pool max: NaN wins, the first of equals is named, −∞ beats padding', {
      kind: 'pool',
      direction: 'forward',
      combine: 'max',
      sizes,
      a,
      b: null,
      stores: [nan.store([1, 2, 3], acc(0)), nan.store([1, 2, 3], acc(1, 'int32'))],
    }),
  );
  const average = new Case();
  const counted = pool(4, [9, 9], [3, 3], { stride: [2, 2] });
  cases.push(
    average.done('an average pool with relu in front and a scale behind', {
      kind: 'pool',
      direction: 'forward',
      combine: 'sum',
      sizes: counted,
      a: two('max', average.load([4, 9, 9]), float(0)),
      b: null,
      stores: [average.store([4, 4, 4], e.mul(acc(0), float(1 / 9)))],
    }),
  );
  return cases;
}

/** For every window the place of one of its elements: the first, or for every third window the last. */
function firstPlaces({ batch, input, kernel, output, stride, dilation, padding }: PoolSizes): number[] {
  return Array.from({ length: batch * sizeOf(output) }, (_, window) => {
    let left = window % sizeOf(output);
    let place = 0;
    let scale = 1;
    for (let axis = input.length - 1; axis >= 0; axis--) {
      const p = left % output[axis]!;
      left = Math.floor(left / output[axis]!);
      const inside = Array.from(
        { length: kernel[axis]! },
        (_, r) => p * stride[axis]! + r * dilation[axis]! - padding[axis]!,
      ).filter((at) => at >= 0 && at < input[axis]!);
      place += (window % 3 === 2 ? inside.at(-1)! : inside[0]!) * scale;
      scale *= input[axis]!;
    }
    return place;
  });
}

// ---------------------------------------------------------------------------------------------------- scatter, sort, scan

function scatters(): KernelCase[] {
  const cases: KernelCase[] = [];
  const make = (combine: ScatterKernel['combine'], dtype: 'float32' | 'int32') => {
    const c = new Case();
    const [shape, updates] = [
      [7, 5],
      [40, 5],
    ];
    const row = c.load([40], {
      dtype: 'int32',
      data: Array.from({ length: 40 }, (_, i) => ((i * i) % 11) - 2),
      moves: [
        { type: 'reshape', shape: [40, 1] },
        { type: 'expand', shape: [40, 5] },
      ],
    });
    const powers = Array.from({ length: 200 }, (_, i) => [1, -1, 2, 0.5][i % 4]!);
    const value = c.load(updates, combine === 'mul' && dtype === 'float32' ? { data: powers } : { dtype });
    return c.done(`scatter ${combine} of ${dtype}, in the order of updates, places outside dropped`, {
      kind: 'scatter',
      shape,
      updates,
      combine,
      init: c.load(shape, { dtype }),
      at: [row, e.index(1)],
      value,
      stores: [c.store(shape, acc(0, dtype))],
    });
  };
  for (const combine of ['assign', 'add', 'mul', 'max', 'min'] as const) {
    cases.push(make(combine, 'float32'), make(combine, 'int32'));
  }
  for (const updates of [[0], [5000]]) {
    const c = new Case();
    const at = c.load(updates, {
      dtype: 'int32',
      data: Array.from({ length: sizeOf(updates) }, (_, i) => (i * 7) % 10),
    });
    cases.push(
      c.done(`scatter add of ${updates} updates into 10 places, with an epilogue`, {
        kind: 'scatter',
        shape: [10],
        updates,
        combine: 'add',
        init: float(0),
        at: [at],
        value: c.load(updates),
        stores: [c.store([10], e.mul(acc(0), c.load([10])))],
      }),
    );
  }
  return cases;
}

function sorts(): KernelCase[] {
  const table: readonly (readonly [readonly number[], number, number])[] = [
    [[1], 0, 1],
    [[100], 0, 100],
    [[1000], 0, 10],
    [[5, 33], 1, 33],
    [[33, 5], 0, 4],
    [[3, 4, 65], 1, 2],
    [[2, 0], 1, 0],
    [[0, 3], 1, 2],
    [[1025], 0, 1025],
  ];
  const make = (title: string, own: Omit<Own<SortKernel>, 'kind' | 'a' | 'stores'>, options: LoadOptions) => {
    const c = new Case();
    const a = c.load(own.shape, options);
    const kept = own.shape.map((size, i) => (i === own.axis ? own.k : size));
    return c.done(title, {
      kind: 'sort',
      ...own,
      a,
      stores: [c.store(kept, acc(0, a.dtype)), c.store(kept, acc(1, 'int32'))],
    });
  };
  const cases = table.flatMap(([shape, axis, k]) =>
    [false, true].map((descending) =>
      make(
        `sort [${shape}] along ${axis}, ${descending ? 'descending' : 'ascending'}, the first ${k}`,
        { shape, axis, descending, k },
        {},
      ),
    ),
  );
  const special = { shape: [2, 18], axis: 1, k: 18 };
  for (const descending of [false, true]) {
    const order = descending ? 'descending' : 'ascending';
    cases.push(
      make(
        `sort ${order}: NaN is largest, zeros are equal, ties keep their order`,
        { ...special, descending },
        { data: [...corners, ...corners.map((x) => -x).reverse()] },
      ),
    );
    cases.push(
      make(
        `sort ${order}: int32 with many ties`,
        { shape: [4, 90], axis: 1, k: 90, descending },
        { dtype: 'int32', data: Array.from({ length: 360 }, (_, i) => (i * i) % 7) },
      ),
    );
    cases.push(
      make(
        `sort ${order}: the least and greatest int32`,
        { shape: [16], axis: 0, k: 16, descending },
        { dtype: 'int32', data: wholeCorners },
      ),
    );
  }
  return cases;
}

function scans(): KernelCase[] {
  const make = (title: string, own: Omit<Own<ScanKernel>, 'kind' | 'a' | 'stores'>, options: LoadOptions) => {
    const c = new Case();
    const a = c.load(own.shape, options);
    const stores = [c.store(own.shape, acc(0, a.dtype))];
    if (own.combine === 'max' || own.combine === 'min') stores.push(c.store(own.shape, acc(1, 'int32')));
    return c.done(title, { kind: 'scan', ...own, a, stores });
  };
  const cases: KernelCase[] = [];
  for (const [shape, axis] of [
    [[1], 0],
    [[3000], 0],
    [[5, 33], 1],
    [[33, 5], 0],
    [[2, 9, 3], 1],
    [[0, 3], 1],
    [[3, 0], 1],
  ] as const) {
    for (const reverse of [false, true]) {
      for (const combine of ['sum', 'max', 'min'] as const) {
        cases.push(
          make(
            `scan ${combine} of [${shape}] along ${axis}${reverse ? ', reversed' : ''}`,
            { shape, axis, combine, reverse },
            {},
          ),
        );
      }
    }
  }
  const n = Number.NaN;
  const data = [1, 3, 3, 2, n, 5, n, 1, -Infinity, -Infinity, -1, -1, 0, -0, 0, Infinity];
  for (const combine of ['max', 'min', 'sum'] as const) {
    cases.push(
      make(
        `scan ${combine}: NaN stays, the last of equals is named`,
        { shape: [2, 8], axis: 1, combine, reverse: false },
        { data },
      ),
    );
  }
  for (const combine of ['sum', 'prod', 'max', 'min'] as const) {
    cases.push(
      make(`scan ${combine} of int32 wraps`, { shape: [3, 40], axis: 1, combine, reverse: false }, { dtype: 'int32' }),
    );
  }
  cases.push(
    make(
      'scan prod of floats',
      { shape: [4, 12], axis: 1, combine: 'prod', reverse: true },
      { data: Array.from({ length: 48 }, (_, i) => 0.5 + (i % 5) / 4) },
    ),
  );
  return cases;
}

/** All of them; made anew at each call. */
export const handWrittenCases = (): KernelCase[] => [
  ...maps(),
  ...reductions(),
  ...matmuls(),
  ...convolutions(),
  ...pools(),
  ...scatters(),
  ...sorts(),
  ...scans(),
];
