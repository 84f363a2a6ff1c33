import { afterEach, describe, expect, it } from 'vitest';
import { setDebug } from '../src/debug';
import { add } from '../src/ops/arithmetic';
import { cast } from '../src/ops/math';
import { reference } from '../src/reference';
import { runtime, setBackend } from '../src/runtime';
import { tensor } from '../src/tensor';

/** A backend that stores float32 alone: what else a plan wants fails late. */
function narrow() {
  const backend = reference();
  return Object.assign(Object.create(backend), { limits: { ...backend.limits, dtypes: ['float32'] } });
}
const late = () => cast(add(tensor([1, 2]), 1), 'int32').data();

describe('a failure after the call', () => {
  afterEach(() => {
    setDebug(false);
    runtime.layer = null;
  });

  it('names the op, and the layer it was made in', async () => {
    setBackend(narrow());
    runtime.layer = 'features.3 (Conv2d)';
    await expect(late()).rejects.toThrow(
      'features.3 (Conv2d): cast: a int32 value of shape [2] is wanted, the backend stores float32; cast it first',
    );
  });

  it('names the line too in debug mode', async () => {
    setBackend(narrow());
    setDebug(true);
    await expect(late()).rejects.toThrow(/cast at .*debug\.test\.ts:\d+:\d+/);
  });
});
