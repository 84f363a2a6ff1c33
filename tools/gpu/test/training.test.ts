/** That the comparison of training runs finds what it is for. */
import { reference } from '@tessera/tensor/reference';
import { expect, it } from 'vitest';
import { compareTraining } from '../parts/training.ts';

it('finds nothing wrong with the reference itself, in mixed precision', async () => {
  expect(await compareTraining(reference(), reference(), 'mixed')).toBeNull();
});

it('finds a step that should have been skipped', async () => {
  // float64 holds what overflows float32
  const fault = await compareTraining(reference({ dtype: 'float64' }), reference(), 'float32');
  expect(fault).toMatch(/^loss scales were 65536,65536,65536,65536, not 65536,32768,32768,32768; /);
  expect(fault).toMatch(/0\.momentum_buffer changed in the step that overflowed/);
});
