/** Debug mode: failures on the device name the line that made the op. */
import { runtime } from './runtime';

/** Notes for each op the line that called it. Slow; for finding faults. */
export function setDebug(on: boolean): void {
  runtime.debug = on ? callerLine : null;
}

/** The first line of the stack outside of the packages of Tessera, "train.ts:12:5" with its path. */
function callerLine(): string | null {
  const here = import.meta.url.replace(/^file:\/\//, '').replace(/[^/]*$/, '');
  const inside = (line: string) => line.includes(here) || line.includes('/node_modules/@tessera/');
  const lines = new Error().stack?.split('\n').slice(1) ?? [];
  return (
    lines
      .find((line) => !inside(line))
      ?.trim()
      .replace(/^at /, '') ?? null
  );
}
