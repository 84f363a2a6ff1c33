/**
 * `npm test [-- --without-browser] [--only <step>]`: from a bare checkout to `N passed, N failed`.
 * The steps themselves are in tools/check.
 */
import { bringChromium, prepare, runSource } from './steps.mjs';

const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;

prepare();
if (!args.includes('--without-browser') && (only === undefined || ['browser', 'pages'].includes(only))) bringChromium();
process.exit(runSource('tools/check/main.ts', args));
