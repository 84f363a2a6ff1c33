import * as entry from '@tessera/autograd';
import * as core from '@tessera/autograd/core';

if (Object.keys(entry).length === 0 || Object.keys(core).length === 0)
  throw new Error('@tessera/autograd exports nothing');
