/** The page, served under a strict policy: nothing is evaluated, nothing comes from elsewhere. */
import { defaultClientConditions, defineConfig } from 'vite';

const strict = { 'Content-Security-Policy': "default-src 'self'; img-src 'self' data:" };

export default defineConfig({
  // In this repository the packages run from their sources. A page that has them from npm leaves this line out.
  resolve: { conditions: ['@tessera/source', ...defaultClientConditions] },
  publicDir: '../webgpu-page/public',
  worker: { format: 'es' },
  build: { target: 'es2022' },
  preview: { headers: strict },
});
