/** Numbers that golden files leave out, as make_golden.py makes them: a hash of key and position. The same in any language. */

/** Element i of the tensor `key`, uniform in [−0.5, 0.5). */
export function formulaUniform(seed: number, key: string, size: number): Float32Array {
  const start = fnv1a(`${seed}:${key}`);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let x = (Math.imul(i, 0x9e3779b1) + start) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x045d9f3b);
    x = Math.imul(x ^ (x >>> 16), 0x045d9f3b);
    values[i] = ((x ^ (x >>> 16)) >>> 0) / 2 ** 32 - 0.5;
  }
  return values;
}

/** A model's parameter or buffer, by its state-dict key. */
export function formulaWeights(seed: number, key: string, shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, n) => product * n, 1);
  const values = formulaUniform(seed, key, size);
  const [offset, scale] = affineOf(key, shape, size);
  return values.map((u) => offset + u * scale);
}

function affineOf(key: string, shape: readonly number[], size: number): [offset: number, scale: number] {
  if (key.endsWith('running_var')) return [1, 1];
  if (key.endsWith('running_mean')) return [0, 0.2];
  if (key.endsWith('bn3.weight')) return [0.3, 0.2]; // keeps a bottleneck's residual sum from growing
  if (shape.length >= 2) return [0, Math.sqrt(12) * Math.sqrt((2 * (shape[0] as number)) / size)];
  return key.endsWith('weight') ? [1, 0.4] : [0, 0.2];
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
