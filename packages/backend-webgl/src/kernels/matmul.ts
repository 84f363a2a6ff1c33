/** Matrix products. */
import type { MatmulKernel } from '@tessera/tensor/backend';
import type { Program } from '../shader';
import { type Build, storePasses } from '../stores';
import { plainMatmul } from './products';

export function matmul(build: Build, kernel: MatmulKernel): Program {
  const { batch, m, n, k, stores } = kernel;
  const title = `matmul [${[...batch, m, k]}]·[${[...batch, k, n]}]`;
  storePasses(build, title, [{ shape: [...batch, m, n], stores }], {
    make: plainMatmul(build, kernel),
    lanesOnly: true,
  });
  return build.program();
}
