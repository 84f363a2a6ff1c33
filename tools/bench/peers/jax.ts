/**
 * jax-js on its WebAssembly backend, with threads, by a stand-in for a page's Worker. Each row under `jit` or without, whichever
 * is faster: fused into its operand's padding a convolution no longer meets the tiled matrix product, and takes nine times as
 * long.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { givePageWorkers } from './jax-worker.ts';
import { worksOf } from './jax-works.ts';
import { serve } from './serve.ts';

givePageWorkers(Number(process.argv[2] ?? 1));
const jax = await import('@jax-js/jax');
await jax.init('wasm');
jax.defaultDevice('wasm');
const manifest = createRequire(import.meta.url)
  .resolve('@jax-js/jax')
  .replace(/dist.*$/, 'package.json');
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };

await serve(version, worksOf(jax));
