/** Reads the files of golden cases. A small strict reader: testkit may not import the one of @tessera/nn. */
import { LoadError, type TypedArray } from '@tessera/tensor';

export interface Stored {
  readonly dtype: 'F32' | 'I32' | 'U8';
  readonly shape: readonly number[];
  readonly data: TypedArray;
}
export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, Stored>;
}

const views = {
  F32: [4, (buffer: ArrayBuffer) => new Float32Array(buffer)],
  I32: [4, (buffer: ArrayBuffer) => new Int32Array(buffer)],
  U8: [1, (buffer: ArrayBuffer) => new Uint8Array(buffer)],
} as const;

/** @throws LoadError where the bytes are no safetensors file of float32, int32 and uint8 tensors. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const fault = (what: string) => new LoadError(`golden: ${what}; write the file again with make_golden.py`);
  if (bytes.length < 8) throw fault(`the file has ${bytes.length} bytes, wants a header`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > bytes.length - 8) throw fault(`a header of ${headerBytes} bytes in a file of ${bytes.length}`);
  const body = bytes.subarray(8 + headerBytes);
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + headerBytes)),
  ) as Record<string, Record<string, unknown>>;
  const tensors = new Map<string, Stored>();
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = entry as Omit<Stored, 'data'> & { data_offsets: [number, number] };
    if (!Object.hasOwn(views, dtype)) throw fault(`${name} has dtype ${dtype}, wants F32, I32 or U8`);
    const [width, view] = views[dtype];
    const [begin, end] = offsets;
    const size = shape.reduce((product, n) => product * n, 1);
    if (!(begin >= 0 && end - begin === size * width && end <= body.length))
      throw fault(`${name} [${shape}] lies at ${begin} to ${end} of ${body.length} bytes, wants ${size * width}`);
    // a copy starts at 0, so every dtype is aligned
    tensors.set(name, { dtype, shape, data: view(new Uint8Array(body.subarray(begin, end)).buffer) });
  }
  return { metadata: metadata as Record<string, string>, tensors };
}
