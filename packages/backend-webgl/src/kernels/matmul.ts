/** Matrix products: blocks on packed texels; plainly where they are of integers, or small. */
import { type MatmulKernel, sizeOf } from '@tessera/tensor/backend';
import { quotient, remainder } from '../division';
import type { Program, Ref } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { type Blocks, blocks, fromBlocks, heightOf, linear } from './blocks';
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
    // Texel of a: row i (or four of them), term k (or four of them); of b likewise.
    const { sizes } = shader;
    const lines = [
      `int matrix = ${quotient(sizes, 'i', high, all)}; int row = ${remainder(sizes, 'i', high, all)};`,
      ...(aAlongK
        ? [`int a = (matrix * ${sizes.int(m)} + row) * ${k4};`]
        : [`int aLine = ${sizes.int(m4)}; int a = matrix * ${k} * aLine + row / 4;`]),
      ...(bAlongK
        ? [`int b = (matrix * ${sizes.int(n)} + j) * ${k4};`]
        : [`int bLine = ${sizes.int(n4)}; int b = matrix * ${k} * bLine + j / 4;`]),
      `for (int q = 0; q < ${count}; q++) {`,
      'int k = first + q;',
    ];
    const terms = [0, 1, 2, 3];
    const rows = Array.from({ length: height }, (_, r) => r);
    const quads = rows.filter((r) => r % 4 === 0);
    if (single) {
      return [
        ...lines,
        ...quads.map((r) => `vec4 x${r} = ${s}_texel(a + ${r / 4} + k * aLine);`),
        `vec4 y = ${t}_texel(b + k * bLine);`,
        ...rows.map((r) => `row${r} += x${r - (r % 4)}[${r % 4}] * y;`),
        '}',
      ];
    }
    // Four terms at once; where their number is no multiple of four, rows behind the last are left out.
    const guard = (text: string, q: number) =>
      k % 4 === 0 ? text : `mix(vec4(0.0), ${text}, bvec4(k * 4 + ${q} < ${k}))`;
    return [
      ...lines,
      ...(aAlongK
        ? rows.map((r) => `vec4 x${r} = ${s}_texel(a + ${r * k4} + k);`)
        : quads.flatMap((r) =>
            terms.map((q) => `vec4 x${r}_${q} = ${guard(`${s}_texel(a + ${r / 4} + (k * 4 + ${q}) * aLine)`, q)};`),
          )),
      ...terms.map((q) =>
        bAlongK
          ? `vec4 y${q} = ${t}_texel(b + ${q * k4} + k);`
          : `vec4 y${q} = ${guard(`${t}_texel(b + (k * 4 + ${q}) * bLine)`, q)};`,
      ),
      ...rows.map((r) => {
        if (aAlongK && bAlongK) return `row${r} += vec4(${terms.map((q) => `dot(x${r}, y${q})`).join(', ')});`;
        if (aAlongK) return `row${r} += ${terms.map((q) => `x${r}[${q}] * y${q}`).join(' + ')};`;
        const column = `vec4(${terms.map((q) => `x${r - (r % 4)}_${q}[${r % 4}]`).join(', ')})`;
        return `{ vec4 x = ${column}; row${r} += vec4(${terms.map((q) => `dot(x, y${q})`).join(', ')}); }`;
      }),
      '}',
    ];
  });
}
