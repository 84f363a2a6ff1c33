/** Options that are one of a few words. The types say so; who writes JavaScript is told here. */
import { ArgumentError } from '../errors';

/** @throws ArgumentError unless the option is one of these words. */
export function wantWord(op: string, option: string, saw: string, words: readonly string[]): void {
  if (!words.includes(saw)) throw new ArgumentError(`${op}: ${option} is '${saw}', wants '${words.join("' or '")}'`);
}
