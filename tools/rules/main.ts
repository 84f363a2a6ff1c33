/** `npm test -- --only rules`: arrows, cycles and effects at import, against the table. */
import { root } from '../check/exec.ts';
import { effectFaults } from './effects.ts';
import { importFaults, manifestFaults } from './imports.ts';
import { table } from './table.ts';

/** Prints what is wrong; true where nothing is. */
export async function checkRules(): Promise<boolean> {
  const faults = [...manifestFaults(root), ...(await importFaults(root, table)), ...(await effectFaults(root, table))];
  for (const fault of faults) console.error(`✗ ${fault}`);
  if (faults.length === 0) console.log('no forbidden import, no cycle, nothing happens at import');
  return faults.length === 0;
}
