/** Matrix products: blocks of 4 × 4 on packed texels; plainly where they are of integers, or small. */
import { type MatmulKernel, sizeOf } from '@tessera/tensor/backend';
import { quotient, remainder } from '../division';
import type { Program } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { blocks, four, fromBlocks, liesAlong, linear, pack } from './packed';
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
  const [k4, m4, n4] = [four(k) / 4, four(m) / 4, four(n) / 4];
  const all = sizeOf(batch) * m4 * 4;
  const made = blocks(build, title, all, n, (shader) => {
    const [s, t] = [shader.sampler(left), shader.sampler(right)];
    // Texel of a: row i (or four of them), term k (or four of them); of b likewise.
    const lines = [
      `int matrix = ${quotient('i', m4 * 4, all)}; int row = ${remainder('i', m4 * 4, all)};`,
      aAlongK ? `int a = (matrix * ${m} + row) * ${k4};` : `int a = matrix * ${k} * ${m4} + row / 4;`,
      bAlongK ? `int b = (matrix * ${n} + j) * ${k4};` : `int b = matrix * ${k} * ${n4} + j / 4;`,
    ];
    const rows = [0, 1, 2, 3];
    if (!aAlongK && !bAlongK) {
      return [
        ...lines,
        `for (int k = 0; k < ${k}; k++) { vec4 x = ${s}_texel(a + k * ${m4}); vec4 y = ${t}_texel(b + k * ${n4});`,
        ...rows.map((r) => `row${r} += x[${r}] * y;`),
        '}',
      ];
    }
    // Four terms at once; where their number is no multiple of four, rows behind the last are left out.
    const guard = (text: string, q: number) =>
      k % 4 === 0 ? text : `mix(vec4(0.0), ${text}, bvec4(k * 4 + ${q} < ${k}))`;
    return [
      ...lines,
      `for (int k = 0; k < ${k4}; k++) {`,
      ...rows.map((q) =>
        aAlongK
          ? `vec4 x${q} = ${s}_texel(a + ${q} * ${k4} + k);`
          : `vec4 x${q} = ${guard(`${s}_texel(a + (k * 4 + ${q}) * ${m4})`, q)};`,
      ),
      ...rows.map((q) =>
        bAlongK
          ? `vec4 y${q} = ${t}_texel(b + ${q} * ${k4} + k);`
          : `vec4 y${q} = ${guard(`${t}_texel(b + (k * 4 + ${q}) * ${n4})`, q)};`,
      ),
      ...rows.map((r) => {
        if (aAlongK && bAlongK) return `row${r} += vec4(${rows.map((q) => `dot(x${r}, y${q})`).join(', ')});`;
        if (aAlongK) return `row${r} += ${rows.map((q) => `x${r}[${q}] * y${q}`).join(' + ')};`;
        const column = `vec4(${rows.map((q) => `x${q}[${r}]`).join(', ')})`;
        return `{ vec4 x = ${column}; row${r} += vec4(${rows.map((q) => `dot(x, y${q})`).join(', ')}); }`;
      }),
      '}',
    ];
  });
  const shape = [...batch, m, n];
  return fromBlocks(
    made,
    (coord) => `${linear(coord, shape, outer)} * ${m4 * 4} + ${coord(rank)}`,
    (coord) => coord(rank + 1),
    n !== 1,
  );
}
