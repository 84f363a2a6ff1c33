/**
 * What a user's bundle weighs: programs in sizes/, each bundled from the built packages by esbuild, minified and
 * gzipped, and held under a ceiling in bytes. A kB is 1,000 bytes. `null` is measured and reported, not held.
 */
export const sizes: { program: string; what: string; ceiling: number | null }[] = [
  { program: 'matmul', what: 'tensor + one matmul', ceiling: 15_000 },
  { program: 'training', what: 'tensor + autograd, picked families, a small network trained', ceiling: 30_000 },
  { program: 'training-default', what: 'the same with the default entry of autograd', ceiling: null },
  { program: 'backend-cpu', what: 'backend-cpu with its WebAssembly and worker', ceiling: 80_000 },
];
