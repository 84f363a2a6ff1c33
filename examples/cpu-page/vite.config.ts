/** The page, served in three ways that differ by their headers: `pnpm isolated`, `pnpm plain`, `pnpm strict`. */
import { defaultClientConditions, defineConfig } from 'vite';

/** With these two a page may share memory with its workers, so the backend computes with threads. */
const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
const ways: Record<string, Record<string, string>> = {
  isolated,
  plain: {},
  // WebAssembly would want 'wasm-unsafe-eval' in script-src.
  strict: { 'Content-Security-Policy': "default-src 'self'; script-src 'self'" },
};

export default defineConfig(({ mode }) => ({
  // In this repository the packages run from their sources. A page that has them from npm leaves this line out.
  resolve: { conditions: ['@tessera/source', ...defaultClientConditions] },
  worker: { format: 'es' },
  build: { target: 'es2022' },
  server: { headers: isolated },
  preview: { headers: ways[mode] ?? isolated },
}));
