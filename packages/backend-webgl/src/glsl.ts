/** WGSL as GLSL, as far as the formulas that both languages share go: what is declared has its type beside it. */

const types: Record<string, string> = {
  f32: 'float',
  i32: 'int',
  u32: 'uint',
  bool: 'bool',
  'vec2<f32>': 'vec2',
  'vec2<u32>': 'uvec2',
  'vec4<u32>': 'uvec4',
  'array<u32, 8>': 'uint[8]',
};
const type = '(?:vec[24]<[fu]32>|array<u32, 8>|[fiu]32|bool)';
const typeOf = (name: string): string => types[name] as string;

/** A function with all that is in it. */
export function glslOf(wgsl: string): string {
  return wgsl
    .replace(new RegExp(`\\bfn (\\w+)\\((.*?)\\) -> (${type})`, 'g'), (_, name, args: string, result) => {
      const list = args.split(', ').map((arg) => arg.split(': ') as [string, string]);
      return `${typeOf(result)} ${name}(${list.map(([arg, of]) => `${typeOf(of)} ${arg}`).join(', ')})`;
    })
    .replace(new RegExp(`\\b(?:let|var) (\\w+): (${type})`, 'g'), (_, name, of) => `${typeOf(of)} ${name}`)
    .replace(/\bbitcast<u32>/g, 'floatBitsToUint')
    .replace(/\bbitcast<i32>/g, 'floatBitsToInt')
    .replace(/\bbitcast<f32>/g, 'uintBitsToFloat')
    .replace(new RegExp(`\\b${type}(?=\\()`, 'g'), typeOf)
    .replace(/\bround\(/g, 'roundEven(')
    .replace(/\bselect\(/g, 'mix(') // of floats alone; in loops the emulator compiles it in a fraction of what `?` takes
    .replace(/\b(0x[\da-f]+|\d+)i\b/g, '$1')
    .replace(/\b(\d+(?:\.\d+)?(?:e-?\d+)?)f\b/g, '$1');
}
