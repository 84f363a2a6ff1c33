/** A file of golden cases, one after the other, on the backend that is chosen. */
import { describeFault, type GoldenFile, goldenOps, runCase } from '@tessera/testkit';
import { extraRows } from './rows.ts';

export interface GoldenOptions {
  /** Cases whose name begins so. */
  readonly only?: string | undefined;
  /** Cases that are left out. */
  readonly skip?: ReadonlySet<string>;
  /** Told of each case before it begins. */
  readonly onStart?: (name: string) => void;
  /** Told of each case: null where it passed, else the first wrong element. Waited for. */
  readonly onCase?: (name: string, fault: string | null, milliseconds: number) => unknown;
}

/** Cases that passed, and that failed. */
export async function runGolden(file: GoldenFile, { only, skip, onStart, onCase }: GoldenOptions = {}) {
  const rows = goldenOps(extraRows);
  const cases = file.cases.filter(
    ({ name, op }) => !skip?.has(name) && (!only || name.startsWith(only) || op.startsWith(only)),
  );
  let [passed, failed] = [0, 0];
  for (const each of cases) {
    onStart?.(each.name);
    const start = performance.now();
    const fault = await runCase(rows, each, file);
    if (fault) failed++;
    else passed++;
    const text = fault && `${JSON.stringify(each.attrs).slice(0, 200)}\n  ${describeFault(fault)}`;
    await onCase?.(each.name, text || null, performance.now() - start);
  }
  return { passed, failed };
}
