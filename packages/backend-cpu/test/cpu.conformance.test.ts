/** The whole suite: in Node, in a page with one worker, and in a page with threads. */
import { describeBackend } from '@tessera/testkit';
import { load } from '../../testkit/test/pages';
import { cpu } from '../src/index';

const inPage = 'document' in globalThis;

// Pages run the same WebAssembly as Node, so fewer random cases do there; all others run everywhere.
describeBackend('cpu', () => cpu({ threads: 2 }), { load, ...(inPage && { random: 40, runs: 8 }) });
