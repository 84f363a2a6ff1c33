import * as entry from '@tessera/nn';

if (Object.keys(entry).length === 0) throw new Error('@tessera/nn exports nothing');
