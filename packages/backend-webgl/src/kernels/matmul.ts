/** Matrix products: blocks on packed texels; plainly where they are of integers, or small. */
import { type MatmulKernel, sizeOf } from '@tessera/tensor/backend';
import { quotient, remainder } from '../division';
import type { Program, Ref } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { type Blocks, blocks, fromBlocks, heightOf, linear } from './blocks';
import { behind, blockOf, divisorOf, line } from './lines';
import { four, liesAlong, pack } from './packed';
import { plainMatmul } from './products';

/** Products from which packing pays. */
const least = 1024;

export function matmul(build: Build, kernel: MatmulKernel): Program {
  const { batch, m, n, k, a, stores } = kernel;
  const title = `matmul [${[...batch, m, k]}]·[${[...batch, k, n]}]`;
  const domain = [{ shape: [...batch, m, n], stores }];
  const packed = a.dtype === 'float32' && build.targets >= 4 && sizeOf(batch) * m * n * k >= least;
  if (packed) storePasses(build, title, domain, { make: inBlocks(build, kernel, title) });
  else storePasses(build, title, domain, { make: plainMatmul(build, kernel), lanesOnly: true });
  return build.program();
}

function inBlocks(build: Build, { batch, m, n, k, a, b }: MatmulKernel, title: string): Core {
  const rank = batch.length;
  const outer = batch.map((_, axis) => axis);
  const aAlongK = !liesAlong(a, rank, rank + 1);
  const bAlongK = liesAlong(b, rank, rank + 1);
  const straight = [...outer, rank, rank + 1];
  const turned = [...outer, rank + 1, rank];
  const left = pack(build, `${title}, a`, a, [...batch, m, k], aAlongK ? straight : turned);
  const right = pack(build, `${title}, b`, b, [...batch, k, n], bAlongK ? turned : straight);
  const height = heightOf(build, m);
  /** Rows of a matrix's blocks. */
  const high = Math.ceil(m / height) * height;
  const made = multiply(build, title, { matrices: sizeOf(batch), m, n, k, height, left, right, aAlongK, bAlongK });
  const shape = [...batch, m, n];
  return fromBlocks(
    made,
    (sizes) => {
      if (rank === 0) return (coord) => coord(0);
      const [matrix, rows] = [linear(sizes, shape, outer), sizes.int(high)];
      return (coord) => `${matrix(coord)} * ${rows} + ${coord(rank)}`;
    },
    () => (coord) => coord(rank + 1),
    n !== 1,
  );
}

/** Packed matrices, one behind the other: a [m, k] or, where a texel is of four rows, [k, m]; b [n, k] or [k, n]. */
export interface Matrices {
  readonly matrices: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly height: 4 | 8;
  readonly left: Ref;
  readonly right: Ref;
  readonly aAlongK: boolean;
  readonly bAlongK: boolean;
}

/** The blocks of all products; rows of each are padded to whole blocks. */
export function multiply(build: Build, title: string, given: Matrices): Blocks {
  const { matrices, m, n, k, height, left, right, aAlongK, bAlongK } = given;
  const [k4, m4, n4] = [four(k) / 4, four(m) / 4, four(n) / 4];
  const high = Math.ceil(m / height) * height;
  const all = matrices * high;
  const single = !aAlongK && !bAlongK;
  const size = { rows: all, columns: n, height, turns: single ? k : k4 };
  return blocks(build, title, size, (shader, count) => {
    const [s, t] = [shader.sampler(left), shader.sampler(right)];
    const { sizes } = shader;
    const terms = [0, 1, 2, 3];
    const rows = Array.from({ length: height }, (_, r) => r);
    const quads = rows.filter((r) => r % 4 === 0);
    const head = `int matrix = ${quotient(sizes, 'i', high, all)}; int row = ${remainder(sizes, 'i', high, all)};`;
    /** Where a walk down an operand begins that lies along rows or columns: texels of four of them, a term a line of `width` texels. */
    const walk = (x: string, width: number, at: string) =>
      `int ${x}Line = ${sizes.int(width)}; int ${x} = (matrix * ${k} + first${single ? '' : ' * 4'}) * ${x}Line + ${at} / 4;`;
    /** Where runs along k begin, of `count` of the k4 texels of a line each. */
    const runs = (x: string, sampler: string, size: number, at: string, which: readonly number[]) => [
      `int ${x} = (matrix * ${sizes.int(size)} + ${at}) * ${k4} + first;`,
      ...which.map((i) => line(sampler, `${x}${i}`, `${x} + ${i * k4}`)),
    ];
    const loop = `for (int q = 0; q < ${count}; q++) {`;
    if (single) {
      return [
        head,
        walk('a', m4, 'row'),
        walk('b', n4, 'j'),
        loop,
        ...quads.map((r) => `vec4 x${r} = ${s}_texel(a + ${r / 4});`),
        `vec4 y = ${t}_texel(b);`,
        ...rows.map((r) => `row${r} += x${r - (r % 4)}[${r % 4}] * y;`),
        'a += aLine; b += bLine;',
        '}',
      ];
    }
    const along = blockOf(count, k4);
    /** What four lines of a walk lie in; of two sizes alone, for it tells programs apart. */
    const block = (width: number) => {
      if (width !== divisorOf(width) || (matrices > 1 && k % 4 !== 0)) return 0;
      return [128, 2048].find((size) => width * 4 <= size) ?? 0;
    };
    /** Term q of a turn's four; where their number is no multiple of four, those behind the last are left out. */
    const term = (x: string, sampler: string, width: number, q: number, more = 0) => {
      const text = behind(sampler, x, `${q} * ${x}Line + ${more}`, block(width));
      return k % 4 === 0 ? text : `mix(vec4(0.0), ${text}, bvec4((first + q) * 4 + ${q} < ${k}))`;
    };
    const dots = (r: number) => `row${r} += vec4(${terms.map((q) => `dot(x, y${q})`).join(', ')});`;
    return [
      head,
      ...(aAlongK ? runs('a', s, m, 'row', rows) : [walk('a', m4, 'row')]),
      ...(bAlongK ? runs('b', t, n, 'j', terms) : [walk('b', n4, 'j')]),
      loop,
      ...(bAlongK ? [] : [line(t, 'b', 'b')]),
      ...terms.map((q) => `vec4 y${q} = ${bAlongK ? behind(t, `b${q}`, 'q', along) : term('b', t, n4, q)};`),
      ...(aAlongK
        ? rows.flatMap((r) => [
            `{ vec4 x = ${behind(s, `a${r}`, 'q', along)};`,
            ...(bAlongK ? [dots(r)] : terms.map((q) => `row${r} += x[${q}] * y${q};`)),
            '}',
          ])
        : [
            line(s, 'a', 'a'),
            ...quads.flatMap((r) => terms.map((q) => `vec4 x${r}_${q} = ${term('a', s, m4, q, r / 4)};`)),
            ...rows.flatMap((r) => [
              `{ vec4 x = vec4(${terms.map((q) => `x${r - (r % 4)}_${q}[${r % 4}]`).join(', ')});`,
              dots(r),
              '}',
            ]),
            'a += 4 * aLine;',
          ]),
      ...(bAlongK ? [] : ['b += 4 * bLine;']),
      '}',
    ];
  });
}
