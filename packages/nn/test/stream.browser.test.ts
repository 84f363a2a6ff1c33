/** Files in a page: there is no file system, and WebCrypto hashes only what is whole. */
import { BackendError, LoadError, setBackend, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors, saveSafetensors } from '../src/index';

beforeAll(() => setBackend(reference()));
const some = () => ({ x: tensor([1, 2.5]), n: tensor(3, { dtype: 'int32' }) });
const bytesOf = async () => Uint8Array.from(await saveSafetensors(some()));
const hashOf = async (bytes: Uint8Array<ArrayBuffer>) =>
  `sha256-${btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))))}`;

describe('safetensors in a page', () => {
  it('come from a picked file and from a URL, and are what was meant', async () => {
    const bytes = await bytesOf();
    const integrity = await hashOf(bytes);
    const file = new File([bytes], 'model.safetensors');
    const url = URL.createObjectURL(file);
    for (const source of [file, url, new URL(url), file.stream()]) {
      const { tensors } = await loadSafetensors(source, { integrity });
      expect(Array.from((await tensors.get('x')?.data()) ?? [])).toEqual([1, 2.5]);
    }
    const other = await hashOf(bytes.slice(1));
    await expect(loadSafetensors(file, { integrity: other })).rejects.toThrow('model.safetensors: the SHA-256 is ');
  });

  it('are found beside the page by a name alone', async () => {
    const error = await loadSafetensors('no/such/model.safetensors').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LoadError);
    expect(String(error)).toContain(`${location.origin}/`);
    expect(String(error)).toContain('no/such/model.safetensors: ');
  });

  it('go into a stream, but to no path', async () => {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const target = new WritableStream<Uint8Array>({ write: (piece) => void pieces.push(Uint8Array.from(piece)) });
    await saveSafetensors(some(), target);
    expect(new Uint8Array(await new Blob(pieces).arrayBuffer())).toEqual(await bytesOf());
    await expect(saveSafetensors(some(), 'model.safetensors')).rejects.toThrow(BackendError);
  });
});
