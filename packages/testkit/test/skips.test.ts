/** The short list of what a backend may leave out. */
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import { kernelCases, unsupported } from '../src/kernels';

const { limits } = reference({ dtype: 'float32' });
const reasons = (own: Partial<typeof limits>) =>
  new Set(kernelCases.flatMap((each) => unsupported({ ...limits, ...own }, each) ?? []));

describe('a skip', () => {
  it('is for float16, for many buffers, and for operands that are more than loads', () => {
    expect([...reasons({})]).toEqual([]);
    expect([...reasons({ dtypes: ['float32', 'int32', 'uint8', 'bool'] })]).toEqual(['no float16']);
    expect([...reasons({ maxBuffers: 8 })]).toEqual(['more than 8 buffers']);
    expect([...reasons({ operandExpressions: false })]).toEqual(['no expressions in operands']);
  });

  it('is for nothing else', () => {
    expect([...reasons({ dtypes: ['float32', 'float16'] })]).toEqual([]);
    const few = reasons({ maxBuffers: 1 });
    expect(few.size).toBeLessThanOrEqual(1);
    const small = kernelCases.filter(({ kernel }) => kernel.inputs.length + kernel.outputs.length <= 6);
    expect(small.filter((each) => unsupported({ ...limits, maxBuffers: 1 }, each))).toEqual([]);
  });
});
