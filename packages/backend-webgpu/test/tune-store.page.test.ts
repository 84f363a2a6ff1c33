/** What a tuner keeps in a page: in IndexedDB, for all pages of its origin; where that fails, nothing, and nobody is stopped. */
import { afterEach, expect, it } from 'vitest';
import { findStore } from '../src/tune-store';

const ended = <T>(request: IDBOpenDBRequest) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
const remove = () => ended(indexedDB.deleteDatabase('tessera'));
afterEach(remove); // never blocked by a store

it('is found by the next page, and loses nothing of what two write at once', async () => {
  const [one, two] = [findStore(), findStore()];
  expect(await one.load()).toEqual(new Map());
  await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two).keep(`key ${i}`, `value ${i}`)));
  const all = await findStore().load();
  expect(all.size).toBe(20);
  expect(all.get('key 7')).toBe('value 7');
});

it('keeps nothing, and stops nobody, where the database was deleted beneath it', async () => {
  const store = findStore();
  await store.keep('a', 'b');
  await remove();
  await store.keep('c', 'd');
  expect(await store.load()).toEqual(new Map());
  expect(await findStore().load()).toEqual(new Map());
});

it('keeps nothing, and stops nobody, where the database is of a later version', async () => {
  const later = await ended<IDBDatabase>(indexedDB.open('tessera', 2));
  later.onversionchange = () => later.close();
  const store = findStore();
  await store.keep('a', 'b');
  expect(await store.load()).toEqual(new Map());
});
