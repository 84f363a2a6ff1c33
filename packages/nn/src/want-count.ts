/** The check of whole numbers that users hand in. */
import { ArgumentError } from '@tessera/tensor';

/** @throws ArgumentError unless it is a whole number from `least`. */
export function wantCount(owner: string, what: string, count: number, least = 1): void {
  if (!Number.isInteger(count) || count < least)
    throw new ArgumentError(`${owner}: ${what} is ${count}, wants an integer of at least ${least}`);
}
