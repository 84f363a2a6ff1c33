/** The steps of the one check, cheap ones first. */
import { checkPackages } from '../package-check/packages.ts';
import { checkPages } from '../package-check/pages.ts';
import { checkSizes } from '../package-check/weigh.ts';
import { checkReadmes } from '../readme/main.ts';
import { checkRelease } from '../release/dry-run.ts';
import { checkRules } from '../rules/main.ts';
import type { Count } from './count.ts';
import { one } from './count.ts';
import { tool } from './exec.ts';
import { leftOut, vitest } from './vitest.ts';

export interface Step {
  name: string;
  /** It looks at what was built, so `--only` builds first. */
  built?: true;
  says: string;
  run(options: { browser: boolean }): Count | Promise<Count>;
}

const pages = ['browser', 'browser-isolated', 'browser-driven'];

export const steps: Step[] = [
  {
    name: 'types',
    says: 'tsc over sources, tests, tools and examples',
    run: () => one(tool('typescript', ['-p', '.'])),
  },
  {
    name: 'lint',
    says: 'biome, rules and format',
    run: () => one(tool('@biomejs/biome', ['check', '--error-on-warnings'])),
  },
  {
    name: 'rules',
    says: 'who may import whom, cycles, effects at import',
    run: async () => one(await checkRules()),
  },
  { name: 'unit', says: 'vitest in Node', run: () => vitest('unit', ['node']) },
  { name: 'readme', says: 'every README’s first program runs', run: checkReadmes },
  {
    name: 'browser',
    says: 'vitest in Chromium, with and without cross-origin isolation, and driving it',
    run: ({ browser }) => (browser ? vitest('browser', pages) : leftOut(pages, '--without-browser')),
  },
  {
    name: 'build',
    says: 'every package through turbo',
    run: () => one(tool('turbo', ['run', 'build', '--continue=dependencies-successful'])),
  },
  { name: 'packages', built: true, says: 'each tarball: publint, attw, a stranger’s project', run: checkPackages },
  { name: 'pages', built: true, says: 'backend-cpu built by esbuild and Vite, its worker started', run: checkPages },
  { name: 'sizes', built: true, says: 'bytes of a user’s bundle', run: checkSizes },
  { name: 'release', built: true, says: 'versions and publishing, dry', run: checkRelease },
];
