import * as entry from '@tessera/testkit';

if (Object.keys(entry).length === 0) throw new Error('@tessera/testkit exports nothing');
