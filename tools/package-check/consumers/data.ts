import * as entry from '@tessera/data';

if (Object.keys(entry).length === 0) throw new Error('@tessera/data exports nothing');
