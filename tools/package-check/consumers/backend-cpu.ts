import * as entry from '@tessera/backend-cpu';

if (Object.keys(entry).length === 0) throw new Error('@tessera/backend-cpu exports nothing');
