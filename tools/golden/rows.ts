/** Rows of golden cases that need more than ops: what other packages bring is added here. */
import type { Rows } from '@tessera/testkit';
import { optimizerRows } from '../../packages/nn/test/golden-rows.ts';
import { modelRows } from '../../packages/zoo/test/golden-rows.ts';

export const extraRows: Rows = { ...optimizerRows, ...modelRows };
