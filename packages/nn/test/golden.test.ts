/** The optimizers' trajectories as PyTorch computed them. */
import { readFileSync } from 'node:fs';
import { setBackend } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describeFault, readGolden, runCase } from '@tessera/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { optimizerRows } from './golden-rows';

const file = readGolden(readFileSync(new URL('../../testkit/golden/ops.safetensors', import.meta.url)));
const cases = file.cases.filter(({ op }) => op.startsWith('optim_'));

beforeAll(() => setBackend(reference()));

describe('golden optimizers', () => {
  it('are five cases', () => expect(cases.length).toBe(5));

  it.each(cases)('$name', async (golden) => {
    const fault = await runCase(optimizerRows, golden, file);
    expect(fault && describeFault(fault)).toBe(null);
  });
});
