import { readIdx } from '@tessera/data';

// An IDX file by hand: unsigned bytes, one axis of three.
const labels = await readIdx(new Uint8Array([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]));
if (labels.shape.join() !== '3') throw new Error(`three labels were read as [${labels.shape}]`);
