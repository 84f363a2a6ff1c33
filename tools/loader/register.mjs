/**
 * Runs TypeScript unbuilt in Node 20, on worker threads too:
 *
 *     node --import ./tools/loader/register.mjs --conditions=@tessera/source some/program.ts
 *
 * A worker started by `new Worker(new URL('./worker.ts', import.meta.url))` inherits both flags through execArgv and so
 * loads its sources in the same way; nothing in a package knows of it. (tsx registers on the main thread only here.)
 */
import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
