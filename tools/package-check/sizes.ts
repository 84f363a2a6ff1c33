/**
 * What a user's bundle weighs: programs in sizes/, each bundled from the built packages by esbuild, minified and
 * gzipped, and held under a ceiling in bytes. A kB is 1,000 bytes. `null` is measured and reported, not held. What a
 * program loads by dynamic import does not count, but is reported. A worker is a bundle of its own and counts.
 */
export interface Size {
  program: string;
  worker?: string;
  what: string;
  ceiling: number | null;
}

export const sizes: Size[] = [
  { program: 'matmul', what: 'tensor + one matmul', ceiling: 15_000 },
  { program: 'training', what: 'tensor + autograd, picked families, a small network trained', ceiling: 30_000 },
  { program: 'training-default', what: 'the same with the default entry of autograd', ceiling: null },
  {
    program: 'backend-cpu',
    worker: '@tessera/backend-cpu/worker',
    what: 'tensor + one matmul on backend-cpu, with its WebAssembly and worker',
    ceiling: 80_000,
  },
  { program: 'backend-webgpu', what: 'tensor + one matmul on backend-webgpu, with its shaders', ceiling: 60_000 },
  {
    program: 'backend-webgl',
    what: 'tensor + one matmul on backend-webgl; gpu.js comes when it is made',
    ceiling: null,
  },
];
