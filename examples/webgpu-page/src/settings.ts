/** What the address asks for, as in `?digits=2000&batch=64&epochs=3&test=500`. */
import type { Settings } from './messages';

/** A batch of 2,048 has 103 MB in its first feature maps; GPUs bind 128 MB at once. */
const most = { digits: 60_000, batch: 2048, epochs: 1000, test: 10_000 } as const satisfies Record<
  keyof Settings,
  number
>;

/** @throws RangeError that names what cannot be had, and what can */
export function readSettings(search: string): Settings {
  const given = new URLSearchParams(search);
  for (const name of given.keys()) {
    if (!Object.hasOwn(most, name))
      throw new RangeError(`address: there is no ${name}; it takes ${Object.keys(most).join(', ')}`);
  }
  const count = (name: keyof Settings, usual: number): number => {
    const text = given.get(name);
    if (text === null) return usual;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= 1 && value <= most[name]) return value;
    throw new RangeError(`address: ${name} is ${text || 'empty'}, wants a whole number from 1 to ${most[name]}`);
  };
  const digits = count('digits', most.digits);
  const batch = count('batch', Math.min(128, digits));
  if (batch > digits)
    throw new RangeError(`address: a batch of ${batch} of ${digits} digits; take more digits or a smaller batch`);
  return { digits, batch, epochs: count('epochs', 3), test: count('test', Math.min(500, digits)) };
}
