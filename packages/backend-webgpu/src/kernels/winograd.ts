/**
 * Convolution by windows of 3×3, stride 1, and its input gradient, with fewer multiplications: Winograd's F(2×2) makes four results
 * of a patch of 4×4 with 16 in place of 36, F(4×4) sixteen of 6×6 with 36 in place of 144. Four dispatches, by way of scratch:
 *
 *     w 3×3 ── G·w·Gᵀ ──── U [place][k][m] ─┐
 *                                           ├─ C[place] = Uᵀ·V, a product for each place ── M [place][m][tile] ── Aᵀ·M·A ── stores
 *     x patch ─ Bᵀ·x·B ─── V [place][k][tile] ┘
 *
 * Patches overlap by two, tiles hang over the edge of a ragged map. A candidate of the tuner: on paper it wins where channels are
 * many and the map fits a cache, and no GPU has said so yet. Rounding grows: an error of four times a plain sum's is allowed.
 */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { all, atCoords } from '../place';
import { Block, type Dispatch, dispatch, type Program, type Target } from '../shader';
import { ofGroup, perGroup, read } from './conv-places';
import { titleOf } from './conv-product';
import { type Product, product } from './product';
import { type Tiled, tiledChoices } from './tiles';
import { type Matrix, transformsOf } from './transforms';

export interface Winograd extends Omit<Tiled, 'way'> {
  readonly way: 'winograd';
  /** Results of a tile along an axis. */
  readonly outputs: 2 | 4;
  /** Of a workgroup of the transforms, where they are others than most's. */
  readonly threads?: number;
}

/** Threads of a workgroup of the transforms, and what a tuner tries in their place. */
const most = 64;
const tried = [128];

/** What a convolution is by tiles of so many results, and where its parts lie in scratch, in words. */
function planOf({ direction, sizes }: ConvKernel, outputs: 2 | 4) {
  const { channels, outs } = perGroup(sizes);
  const forward = direction === 'forward';
  const [m, k] = forward ? [outs, channels] : [channels, outs];
  const shape = forward ? sizes.output : sizes.input;
  const from = forward ? sizes.input : sizes.output;
  const tiles = shape.map((size) => Math.ceil(size / outputs));
  const places = (outputs + 2) ** 2;
  const count = sizes.n * sizeOf(tiles);
  const columns = 4 * Math.ceil(count / 4);
  const batch = places * sizes.groups;
  const fours = Math.ceil(m / 4);
  const data = batch * k * fours * 4;
  const sums = data + batch * k * columns;
  const padding = sizes.padding.map((p) => (forward ? p : 2 - p));
  return {
    forward,
    m,
    k,
    shape,
    from,
    tiles,
    places,
    count,
    columns,
    batch,
    fours,
    data,
    sums,
    padding,
    words: sums + batch * m * columns,
  };
}

/** Both tiles of results, each with the tiles of products that should suit it best; none where the convolution is another kind. */
export function winogradChoices(kernel: ConvKernel, target: Target): Winograd[] {
  const { sizes, direction, a } = kernel;
  const plain =
    sizes.kernel.length === 2 &&
    sizes.kernel.every((size, i) => size === 3 && sizes.stride[i] === 1 && sizes.dilation[i] === 1);
  if (!plain || direction === 'weightGrad' || a.dtype !== 'float32') return [];
  return ([2, 4] as const).flatMap((outputs) => {
    const { m, k, columns, batch, words } = planOf(kernel, outputs);
    if (4 * words > target.scratch) return [];
    const choices = tiledChoices({ batch, m, n: columns, k, segments: 1, cost: { a: 0.5, b: 0.5 } }, target);
    const [best, second] = choices
      .filter(({ splits }) => splits === 1)
      .map((choice): Winograd => ({ ...choice, way: 'winograd', outputs }));
    const others = tried
      .filter((count) => count <= target.threads)
      .map((threads) => ({ ...best, threads }) as Winograd);
    return best ? [best, ...(second ? [second] : []), ...others] : [];
  });
}

export function winograd(kernel: ConvKernel, target: Target, choice: Winograd): Program {
  const { outputs, tile, splits } = choice;
  const plan = planOf(kernel, outputs);
  const { m, k, columns, batch, fours, data, sums, words } = plan;
  const vector = (from: number, row: string, each: number, at: string) =>
    `scratch[${from / 4}u + (${row}) * ${each}u + (${at} >> 2u)]`;
  const factor = (from: number, each: number): Product['a'] => {
    const four: Product['a']['one'] = (_, batch, __, inner, other) =>
      `bitcast<vec4<f32>>(${vector(from, `${batch} * ${k}u + ${inner}`, each, other)})`;
    return { along: 'other', one: four, four };
  };
  const title = titleOf(kernel);
  const to = (row: string, column: string) => vector(sums, `batch * ${m}u + ${row}`, columns / 4, column);
  const of: Product = {
    title: `${title} · a product for each of ${plan.places} places`,
    batch,
    m,
    n: columns,
    k,
    segments: 1,
    dtype: 'float32',
    a: factor(0, fours),
    b: factor(data, columns / 4),
    vectors: [],
    store: (block, _, row, column, sum) => block.line(`${to(row, column)}[${column} & 3u] = bitcast<u32>(${sum});`),
    store4: (block, _, row, column, sum) => block.line(`${to(row, column)} = bitcast<vec4<u32>>(${sum});`),
    first: { dispatches: [weights(kernel, target, choice), patches(kernel, target, choice)], words },
  };
  const made = product(kernel, target, of, { way: 'tiles', tile, splits });
  return { dispatches: [...made.dispatches, results(kernel, target, choice)], scratch: made.scratch };
}

/** left · values · leftᵀ, element by element. */
function transformed(block: Block, left: Matrix, values: readonly (readonly string[])[]): string[][] {
  const across = (rows: readonly (readonly string[])[]) =>
    left.map((row) =>
      (rows[0] ?? []).map((_, j) =>
        combined(
          block,
          row,
          rows.map((each) => each[j] as string),
        ),
      ),
    );
  const turned = (rows: readonly (readonly string[])[]) =>
    (rows[0] ?? []).map((_, j) => rows.map((row) => row[j] as string));
  return turned(across(turned(across(values))));
}
function combined(block: Block, row: readonly number[], values: readonly string[]): string {
  const terms = row.flatMap((by, i) => (by === 0 ? [] : [by === 1 ? (values[i] as string) : `${by}f * ${values[i]}`]));
  return block.bind(terms.join(' + '), 't');
}
const square = <T>(size: number, make: (y: number, x: number) => T): T[][] =>
  Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => make(y, x)));

/** A dispatch of `count` threads, which know their number as `i`. */
function each(
  kernel: ConvKernel,
  target: Target,
  { threads = most }: Winograd,
  what: string,
  count: number,
  vectors: readonly string[],
  body: (block: Block) => void,
): Dispatch {
  const options = {
    header: [titleOf(kernel), what],
    threads,
    groups: Math.ceil(count / threads),
    scratch: true,
    vectors: new Set(vectors),
  };
  return dispatch(kernel, target, options, (block) => {
    block.line(`let i = group * ${threads}u + lane;`);
    if (count % threads) block.line(`if (i >= ${count}u) { return; }`);
    body(block);
  });
}

function weights(kernel: ConvKernel, target: Target, choice: Winograd): Dispatch {
  const { outputs } = choice;
  const { b, sizes } = kernel;
  const { forward, m, k, fours } = planOf(kernel, outputs);
  const { groups } = sizes;
  const { outs } = perGroup(sizes);
  const what = `weights for ${outputs}×${outputs} results, a thread four channels`;
  return each(kernel, target, choice, what, groups * k * fours, ['scratch'], (block) => {
    const [inner, group] = [block.once(`i / ${fours}u % ${k}u`, 'k'), block.once(`i / ${k * fours}u`, 'group')];
    const taps = square(3, (r, s) => {
      const parts = [0, 1, 2, 3].map((part) => {
        const row = block.once(`i % ${fours}u * 4u + ${part}u`, 'm');
        const [out, channel] = forward ? [row, inner] : [inner, row];
        const place = forward ? [r, s] : [2 - r, 2 - s];
        const at = [
          ofGroup(block, groups, outs, group, block.once(`i32(${out})`, 'o')),
          block.once(`i32(${channel})`, 'c'),
          ...place.map((p) => `${p}i`),
        ];
        const value = read(block, b, at);
        return m % 4 ? `select(0.0f, ${value}, ${row} < ${m}u)` : value;
      });
      return block.bind(`vec4<f32>(${parts.join(', ')})`, 'w');
    });
    transformed(block, transformsOf(outputs).toWeights, taps)
      .flat()
      .forEach((value, place) => {
        block.line(`scratch[i + ${place * groups * k * fours}u] = bitcast<vec4<u32>>(${value});`);
      });
  });
}

/** Image and first row and column of a tile. */
function tileAt(
  block: Block,
  tile: string,
  tiles: readonly number[],
  outputs: number,
): [image: string, y: string, x: string] {
  const [, across = 1] = tiles;
  return [
    block.once(`i32(${tile} / ${sizeOf(tiles)}u)`, 'image'),
    block.once(`i32(${tile} / ${across}u % ${tiles[0]}u) * ${outputs}i`, 'y'),
    block.once(`i32(${tile} % ${across}u) * ${outputs}i`, 'x'),
  ];
}

function patches(kernel: ConvKernel, target: Target, choice: Winograd): Dispatch {
  const { outputs } = choice;
  const { a, sizes } = kernel;
  const { k, from, tiles, columns, padding, data } = planOf(kernel, outputs);
  const count = sizes.groups * k * columns;
  return each(kernel, target, choice, `patches for ${outputs}×${outputs} results, a thread one`, count, [], (block) => {
    // threads beyond the last tile read somewhere, for columns that nobody stores
    const [image, y, x] = tileAt(block, block.once(`i % ${columns}u`, 'tile'), tiles, outputs);
    const channel = block.once(`i32(i / ${columns}u)`, 'c');
    const along = (first: string, axis: number, r: number) => {
      const at = block.once(`${first} + ${r - (padding[axis] as number)}i`, 'at');
      return { at, has: block.once(`u32(${at}) < ${from[axis]}u`, 'has') };
    };
    const patch = square(outputs + 2, (r, s) => {
      const [row, column] = [along(y, 0, r), along(x, 1, s)];
      return block.bind(read(block, a, [image, channel, row.at, column.at], all([row.has, column.has])), 'd');
    });
    transformed(block, transformsOf(outputs).toData, patch)
      .flat()
      .forEach((value, place) => {
        block.line(`scratch[${data + place * count}u + i] = bitcast<u32>(${value});`);
      });
  });
}

function results(kernel: ConvKernel, target: Target, choice: Winograd): Dispatch {
  const { outputs } = choice;
  const { sizes, stores } = kernel;
  const { m, shape, tiles, count, columns, sums } = planOf(kernel, outputs);
  const rows = sizes.groups * m;
  return each(
    kernel,
    target,
    choice,
    `results of ${outputs}×${outputs}, a thread one tile`,
    rows * count,
    [],
    (block) => {
      const body = new Block(block.shader, block.place);
      body.at(atCoords(['image', 'channel', 'y', 'x'], () => 'sum')).store(stores);
      block.shader.declare(
        ['fn finish(image: i32, channel: i32, y: i32, x: i32, sum: f32) {', ...body.lines, '}'].join('\n'),
      );
      const [image, y, x] = tileAt(block, block.once(`i % ${count}u`, 'tile'), tiles, outputs);
      const row = block.once(`i / ${count}u`, 'row');
      const column = block.once(`i % ${count}u`, 'tile');
      const size = outputs + 2;
      const values = square(size, (r, s) =>
        block.bind(
          `bitcast<f32>(scratch[${sums}u + (${(r * size + s) * rows}u + ${row}) * ${columns}u + ${column}])`,
          'm',
        ),
      );
      transformed(block, transformsOf(outputs).toResults, values).forEach((line, r) => {
        line.forEach((value, s) => {
          const ragged = [
            ...(r && (shape[0] as number) % outputs ? [`${y} + ${r}i < ${shape[0]}i`] : []),
            ...(s && (shape[1] as number) % outputs ? [`${x} + ${s}i < ${shape[1]}i`] : []),
          ];
          const call = `finish(${image}, i32(${row}), ${y} + ${r}i, ${x} + ${s}i, ${value});`;
          block.line(ragged.length ? `if (${all(ragged)}) { ${call} }` : call);
        });
      });
    },
  );
}
