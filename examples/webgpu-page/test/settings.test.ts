import { describe, expect, it } from 'vitest';
import { readSettings } from '../src/settings';

describe('the address', () => {
  it('has what is usual where it says nothing', () => {
    expect(readSettings('')).toEqual({ digits: 60_000, batch: 128, epochs: 3, test: 500 });
    expect(readSettings('?digits=64')).toEqual({ digits: 64, batch: 64, epochs: 3, test: 64 });
  });

  it('is taken at its word', () => {
    const wanted = { digits: 2000, batch: 50, epochs: 1, test: 10_000 };
    expect(readSettings('?digits=2000&batch=50&epochs=1&test=10000')).toEqual(wanted);
  });

  it.each([
    ['?batch=abc', 'address: batch is abc, wants a whole number from 1 to 2048'],
    ['?batch=1e3', 'address: batch is 1e3, wants a whole number from 1 to 2048'],
    ['?batch=100000', 'address: batch is 100000, wants a whole number from 1 to 2048'],
    ['?epochs=0', 'address: epochs is 0, wants a whole number from 1 to 1000'],
    ['?digits=-5', 'address: digits is -5, wants a whole number from 1 to 60000'],
    ['?test=', 'address: test is empty, wants a whole number from 1 to 10000'],
    ['?digits=50&batch=64', 'address: a batch of 64 of 50 digits; take more digits or a smaller batch'],
    ['?bach=64', 'address: there is no bach; it takes digits, batch, epochs, test'],
  ])('that says %s is refused, with what it takes', (search, message) => {
    expect(() => readSettings(search)).toThrow(new RangeError(message));
  });
});
