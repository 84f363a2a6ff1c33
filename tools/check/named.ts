/** Checks with a name, run one after another; each prints how it went and counts as one. */
import { type Count, one, sum } from './count.ts';

/** A check that throws has failed; its message is printed. One that answers a string says it beside its name. */
export interface Check {
  says: string;
  run(): unknown;
  /** Why it is left out, where it is. */
  skip?: string | undefined;
}

export async function runChecks(checks: Check[]): Promise<Count> {
  const counts: Count[] = [];
  for (const { says, run, skip } of checks) {
    if (skip !== undefined) {
      console.log(`- ${says}: skipped (${skip})`);
      counts.push({ passed: 0, failed: 0, skipped: 1 });
      continue;
    }
    try {
      const said = await run();
      console.log(`✓ ${says}${typeof said === 'string' ? `: ${said}` : ''}`);
      counts.push(one(true));
    } catch (error) {
      console.error(`✗ ${says}\n${error instanceof Error ? error.message : error}`);
      counts.push(one(false));
    }
  }
  return sum(counts);
}
