import { describe, expect, it } from 'vitest';
import { formulaUniform, formulaWeights } from '../src/golden/formula';

describe('the formula of weights', () => {
  it('is the one of make_golden.py', () => {
    expect([...formulaUniform(0, 'conv1.weight', 3)]).toEqual([
      -0.10990756750106812, 0.1268717348575592, -0.0373726524412632,
    ]);
    expect(formulaUniform(7, 'fc.bias', 1_000_001)[1_000_000]).toBe(0.3597100079059601);
  });
  it('gives each kind of key its range', () => {
    const range = (key: string, shape: number[]) => {
      const values = formulaWeights(0, key, shape);
      return [Math.min(...values), Math.max(...values)].map((value) => Number(value.toFixed(1)));
    };
    expect(range('bn1.running_var', [999])).toEqual([0.5, 1.5]);
    expect(range('bn1.running_mean', [999])).toEqual([-0.1, 0.1]);
    expect(range('layer1.0.bn3.weight', [999])).toEqual([0.2, 0.4]);
    expect(range('bn1.weight', [999])).toEqual([0.8, 1.2]);
    expect(range('fc.bias', [999])).toEqual([-0.1, 0.1]);
    expect(range('conv1.weight', [37, 6, 2, 2])).toEqual([-0.5, 0.5]); // ½·√12·√(2/24)
  });
});
