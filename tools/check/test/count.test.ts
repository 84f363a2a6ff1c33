import { describe, expect, it, vi } from 'vitest';
import { line, one, sum } from '../count.ts';
import { runChecks } from '../named.ts';
import { totals } from '../vitest.ts';

describe('the closing line', () => {
  it('says passed and failed, and skipped only where there are any', () => {
    expect(line({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
    expect(line({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
  });

  it('sums all runners', () => {
    expect(sum([one(true), one(false), { passed: 4, failed: 0, skipped: 1 }])).toEqual({
      passed: 5,
      failed: 1,
      skipped: 1,
    });
    expect(sum([])).toEqual({ passed: 0, failed: 0, skipped: 0 });
  });
});

describe('a vitest report', () => {
  const report = { numPassedTests: 5, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 };

  it('gives its tests; what is to do counts as skipped', () => {
    const testResults = [{ name: 'a', status: 'failed', assertionResults: [{ status: 'failed' }] }];
    expect(totals({ ...report, testResults })).toEqual({ passed: 5, failed: 1, skipped: 3 });
  });

  it('counts a file that broke before its first test as a failure', () => {
    const testResults = [{ name: 'a', status: 'failed', message: 'cannot find module', assertionResults: [] }];
    expect(totals({ ...report, testResults }).failed).toBe(2);
  });
});

describe('a named check', () => {
  it('fails by throwing, and is counted where it is left out', async () => {
    const printed = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) =>
      spy.mockImplementation(() => {}),
    );
    const fail = () => Promise.reject(new Error('the reason'));
    expect(
      await runChecks([
        { says: 'passes', run: () => 'with a word' },
        { says: 'fails', run: fail },
        { says: 'is left out', run: fail, skip: 'no reason' },
      ]),
    ).toEqual({ passed: 1, failed: 1, skipped: 1 });
    const lines = printed.flatMap((spy) => spy.mock.calls.map(([text]) => text));
    vi.restoreAllMocks();
    expect(lines).toEqual(['✓ passes: with a word', '- is left out: skipped (no reason)', '✗ fails\nthe reason']);
  });
});
