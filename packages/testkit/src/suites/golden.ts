/** PyTorch's answers: each case of a golden file. */
import { describe, expect, it } from 'vitest';
import { readGolden } from '../golden/format';
import { goldenOps } from '../golden/ops';
import { describeFault, type Rows, runCase } from '../golden/run';
import { noFixtures, on, type Subject } from './subject';

/** From a fixture's name ('ops.safetensors') to its bytes: read from disk in Node, fetched in a page. */
export type Load = (name: string) => Promise<Uint8Array>;

/**
 * Titles must be known before the file can be loaded, so there is one test an op; its message lists every case that fails.
 */
export function describeGolden(of: Subject, load: Load | undefined, more: Rows): void {
  const rows = goldenOps(more);
  let file: Promise<ReturnType<typeof readGolden>> | undefined;
  const golden = (read: Load) => (file ??= read('ops.safetensors').then(readGolden));
  describe(`golden cases on ${of.name}`, () => {
    for (const op of Object.keys(rows)) {
      it(op, async (context) => {
        if (!load) {
          of.skip(noFixtures);
          return context.skip(noFixtures);
        }
        const { cases, seed } = await golden(load);
        const backend = await of.backend();
        const faults: string[] = [];
        const mine = cases.filter((each) => each.op === op);
        for (const each of mine) {
          const fault = await on(backend, () => runCase(rows, each, { cases, seed }));
          if (fault) faults.push(`${each.name}: ${describeFault(fault)}`);
        }
        expect(faults).toEqual([]);
        expect(mine.length, `cases of ${op} in the file`).toBeGreaterThan(0);
      });
    }
    it('has a row for every op of the file', async (context) => {
      if (!load) {
        of.skip(noFixtures);
        return context.skip(noFixtures);
      }
      const { cases } = await golden(load);
      // optimizers come with @tessera/nn, which hands in their rows
      const missing = new Set(cases.map(({ op }) => op).filter((op) => !(op in rows) && !op.startsWith('optim_')));
      expect([...missing]).toEqual([]);
    });
  });
}
