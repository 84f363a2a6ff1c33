import * as entry from '@tessera/tensor';
import * as backend from '@tessera/tensor/backend';
import * as inspect from '@tessera/tensor/inspect';
import * as reference from '@tessera/tensor/reference';

for (const [name, module] of Object.entries({ entry, backend, inspect, reference }))
  if (Object.keys(module).length === 0) throw new Error(`@tessera/tensor: ${name} exports nothing`);
