import { formulas } from '@tessera/tensor/shading';
import { describe, expect, it } from 'vitest';
import { functions } from '../src/functions';
import { glslOf } from '../src/glsl';

describe('GLSL from WGSL', () => {
  it('has GLSL’s declarations, literals and names', () => {
    expect(
      glslOf('fn f(x: f32, n: u32) -> bool { let y: f32 = round(x) * 1.5e-7f; return u32(i32(y) + 1i) > n; }'),
    ).toBe('bool f(float x, uint n) { float y = roundEven(x) * 1.5e-7; return uint(int(y) + 1) > n; }');
    expect(glslOf('var v: vec2<u32> = vec2<u32>(bitcast<u32>(select(1.0f, x, x > 0.0f)), 0x7fi & 2u);')).toBe(
      'uvec2 v = uvec2(floatBitsToUint(mix(1.0, x, x > 0.0)), 0x7f & 2u);',
    );
  });
  it('has no word of WGSL left in any formula', () => {
    for (const [name, wgsl] of Object.entries(formulas)) {
      const glsl = functions[name as keyof typeof formulas];
      expect(glsl, name).toBe(glslOf(wgsl));
      expect(glsl).not.toMatch(/\b(fn|let|var|select|bitcast|[fiu]32|vec2<|vec4<)\b|\bround\(|->|\d\.\d*f\b|\b\d+i\b/);
    }
  });
});
