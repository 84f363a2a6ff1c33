/** Rows of golden cases that need more than ops: what later packages bring is added here. */
import type { Rows } from '@tessera/testkit';

export const extraRows: Rows = {};
