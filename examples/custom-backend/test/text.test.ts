/** What is printed, to be read. */
import { matmul, ones, relu, setBackend } from '@tessera/tensor';
import type { Kernel } from '@tessera/tensor/backend';
import { expect, it } from 'vitest';
import { scribe } from '../src/index';
import { write } from '../src/kernels';
import { Writer } from '../src/print';

it('prints relu(matmul(x, w)) as one function', async () => {
  const kernels: Kernel[] = [];
  const backend = scribe();
  const made = backend.compile.bind(backend);
  const compile = (kernel: Kernel) => {
    kernels.push(kernel);
    return made(kernel);
  };
  setBackend(Object.assign(backend, { compile }));
  await relu(matmul(ones([2, 3]), ones([3, 2]))).data();
  const w = new Writer(kernels.find(({ kind }) => kind === 'matmul') as Kernel);
  write(w.kernel, w);
  expect(w.lines.join('\n')).toMatchInlineSnapshot(`
    "const v0 = new Float64Array(6);
    let v1 = 0;
    for (let c0 = 0; c0 < 2; c0++) {
    for (let c1 = 0; c1 < 3; c1++) {
    const v2 = in0[0 + c0 * 3 + c1 * 1];
    v0[v1++] = v2;
    }}
    const v3 = new Float64Array(6);
    let v4 = 0;
    for (let c0 = 0; c0 < 3; c0++) {
    for (let c1 = 0; c1 < 2; c1++) {
    const v5 = in1[0 + c0 * 2 + c1 * 1];
    v3[v4++] = v5;
    }}
    const v6 = new Float64Array(4);
    for (let z0 = 0; z0 < 1; z0++) {
    for (let z1 = 0; z1 < 2; z1++) {
    for (let z2 = 0; z2 < 3; z2++) {
    for (let z3 = 0; z3 < 2; z3++) {
    v6[(z0 * 2 + z1) * 2 + z3] += v0[(z0 * 2 + z1) * 3 + z2] * v3[(z0 * 3 + z2) * 2 + z3];
    }}}}
    let v7 = 0;
    for (let c0 = 0; c0 < 2; c0++) {
    for (let c1 = 0; c1 < 2; c1++) {
    const v8 = v6[v7];
    const v9 = fround(v8);
    v7++;
    const v10 = fround(f[0](v9,fround(0)));
    out0[0 + c0 * 2 + c1 * 1] = v10;
    }}"
  `);
});
