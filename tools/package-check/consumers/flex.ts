import * as flex from '@tessera/flex';
import { convBlock, fcBlock } from '@tessera/flex/blocks';
import { Conv2d, Sequential } from '@tessera/nn';

const model = new Sequential(...convBlock(8, { pool: 2 }), ...fcBlock([16, 3]));
if (String(flex.shapeInference(model, [null, 1, 8, 8])) !== ',3' || !(model[0] instanceof Conv2d))
  throw new Error('@tessera/flex did not settle the shapes');
