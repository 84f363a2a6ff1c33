/** `npm run demo [-- args]`: from a bare checkout to handwritten digits being learnt. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, prepare, root } from './steps.mjs';

prepare();
build('example-mnist');
// In this very process, so that Ctrl-C reaches the demo and nobody else.
const program = join(root, 'examples/mnist/dist/main.js');
process.argv[1] = program;
await import(pathToFileURL(program).href);
