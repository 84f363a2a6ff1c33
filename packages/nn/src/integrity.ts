/** SHA-256 of bytes as they come: what tells whether a file is the one that was meant. */
import { ArgumentError } from '@tessera/tensor';

/** The hash in hex. `expected` is as pages write it (`sha256-` and base64) or 64 hex digits. @throws ArgumentError */
export function hashOf(expected: string): string {
  const base64 = /^sha256-([A-Za-z0-9+/]{43})=$/.exec(expected)?.[1];
  if (base64) return hex(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  if (/^[0-9a-fA-F]{64}$/.test(expected)) return expected.toLowerCase();
  throw new ArgumentError(
    `loadSafetensors: integrity is ${JSON.stringify(expected)}; wants 'sha256-…' with 44 characters of base64, or 64 hex digits`,
  );
}

export interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}
/** Node's own where there is one. Pages hash only what is whole (WebCrypto), so they load a library when it is asked for. */
export async function sha256(): Promise<Hasher> {
  const crypto = globalThis.process?.getBuiltinModule?.('node:crypto');
  if (crypto) return crypto.createHash('sha256');
  const library = await import('@noble/hashes/sha2.js');
  return library.sha256.create();
}

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
