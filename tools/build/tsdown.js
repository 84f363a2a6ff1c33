/**
 * How every package is built: ESM, types and source maps into dist/, file by file as in src/, nothing bundled from
 * outside. A package's tsdown.config.js only names its entries. (In one file an entry, esbuild could no longer drop an
 * unused room whole: tensor with one matmul weighed 17,166 bytes gzipped.)
 */

/** `new URL('./worker.ts', import.meta.url)` runs unbuilt and in Vite; in dist the file beside it is `./worker.js`. */
const workerUrls = {
  name: 'tessera:worker-urls',
  renderChunk(code) {
    // Both extensions have the same length, so the source map stays true.
    return code.replace(/(new URL\(\s*(["'`])\.\/[\w./-]+)\.ts(\2,\s*import\.meta\.url)/g, '$1.js$3');
  },
};

/** @param {Record<string, string>} entry output name → source, e.g. `{ index: 'src/index.ts' }` */
export const library = (entry, options = {}) => ({
  entry,
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  unbundle: true,
  dts: { sourcemap: true },
  sourcemap: true,
  clean: true,
  hash: false,
  logLevel: 'warn',
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  plugins: [workerUrls],
  ...options,
});

/** An example is a program: one file that Node runs, beside the packages it imports. */
export const program = (entry, options = {}) =>
  library(entry, { platform: 'node', unbundle: false, dts: false, ...options });
