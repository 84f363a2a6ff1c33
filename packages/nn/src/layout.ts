/** Where the values of a safetensors file lie, checked before any is read. */
import { LoadError } from '@tessera/tensor';
import { widthOf } from './file-dtypes';
import { type Header, type HeaderEntry, quote } from './header';

/** Bytes of values that the header tells of. */
export const dataLength = ({ entries }: Header): number =>
  [...entries.values()].reduce((most, { offsets }) => Math.max(most, offsets[1]), 0);

/**
 * The entries in the order of their bytes. Every one has the bytes its shape and dtype want; together they cover the data,
 * `length` bytes, once and without gaps. @throws LoadError
 */
export function checkLayout({ entries }: Header, length: number): [key: string, entry: HeaderEntry][] {
  for (const [key, { dtype, shape, offsets }] of entries) {
    const [begin, end] = offsets;
    const width = widthOf(key, dtype);
    if (begin > end || end > length)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} has offsets [${offsets}], the data is ${length} bytes long; the file is truncated or damaged`,
      );
    // Products beyond 2^53 are inexact, and even so never equal to the bytes of a real file.
    const wanted = shape.reduce((product, size) => product * size, width);
    if (end - begin !== wanted)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} has offsets [${offsets}], ${end - begin} bytes; ${dtype} [${shape}] wants ${wanted}`,
      );
  }
  const ordered = [...entries].sort(([, a], [, b]) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1]);
  let place = 0;
  for (const [key, { offsets }] of ordered) {
    if (offsets[0] !== place)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} begins at offset ${offsets[0]}, the values before it end at ${place}: ` +
          `${offsets[0] < place ? 'they overlap' : 'there is a gap'}; the file is damaged`,
      );
    place = offsets[1];
  }
  if (place !== length)
    throw new LoadError(
      `loadSafetensors: the values end at offset ${place}, the data at ${length}; something follows them, the file is damaged`,
    );
  return ordered;
}
