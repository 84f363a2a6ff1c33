/** `npm run setup`: the pinned pnpm and the dependencies, nothing else. */
import { prepare } from './steps.mjs';

prepare();
console.log('tessera: ready');
