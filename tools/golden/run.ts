/** A file of golden cases, one after the other, on the backend that is chosen. */
import { describeFault, type GoldenFile, goldenOps, runCase } from '@tessera/testkit';
import { extraRows } from './rows.ts';

export interface GoldenOptions {
  /** Cases whose name begins so. */
  readonly only?: string | undefined;
  /** Told of each case: null where it passed, else the first wrong element. */
  readonly onCase?: (name: string, fault: string | null, milliseconds: number) => void;
  /** Looked at between two cases. */
  readonly signal?: AbortSignal;
}

/** Cases that passed, that failed, and that the signal left out. */
export async function runGolden(file: GoldenFile, { only, onCase, signal }: GoldenOptions = {}) {
  const rows = goldenOps(extraRows);
  const cases = file.cases.filter(({ name, op }) => !only || name.startsWith(only) || op.startsWith(only));
  let [passed, failed] = [0, 0];
  for (const each of cases) {
    if (signal?.aborted) break;
    const start = performance.now();
    const fault = await runCase(rows, each, file);
    if (fault) failed++;
    else passed++;
    const text = fault && `${JSON.stringify(each.attrs).slice(0, 200)}\n  ${describeFault(fault)}`;
    onCase?.(each.name, text || null, performance.now() - start);
  }
  return { passed, failed, left: cases.length - passed - failed };
}
