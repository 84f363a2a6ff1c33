/** Drawn pictures: a disc, a square or a triangle, anywhere, bright on dark, of any colour, under noise. */
import type { HostArray } from '@tessera/data';
import { rand, randn } from '@tessera/tensor';

export const shapes = ['disc', 'square', 'triangle'] as const;

/** Is a point inside the shape of radius 1 around the origin, y downwards? */
const inside: Record<(typeof shapes)[number], (x: number, y: number) => boolean> = {
  disc: (x, y) => x * x + y * y < 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.85,
  triangle: (x, y) => y < 0.7 && y > 2 * Math.abs(x) - 1.2,
};

/** `count` pictures [count,3,side,side], mean about 0, and which shape each shows, [count]; drawn from `manualSeed`. */
export async function draw(count: number, side: number): Promise<{ image: HostArray; label: HostArray }> {
  const noise = await randn([count, 3, side, side]).data();
  const chosen = await rand([count, 9]).data();
  const label = Int32Array.from({ length: count }, (_, i) => i % shapes.length);
  const image = new Float32Array(noise.length);
  for (let i = 0; i < count; i++) {
    const [x = 0, y = 0, radius = 0, ...colours] = chosen.subarray(9 * i, 9 * (i + 1));
    const shape = inside[shapes[label[i] as number] as (typeof shapes)[number]];
    const r = side * (0.15 + 0.15 * radius);
    const [left, top] = [r + x * (side - 2 * r), r + y * (side - 2 * r)];
    for (let c = 0; c < 3; c++)
      for (let row = 0; row < side; row++)
        for (let column = 0; column < side; column++) {
          const at = ((i * 3 + c) * side + row) * side + column;
          const on = shape((column + 0.5 - left) / r, (row + 0.5 - top) / r);
          image[at] = (on ? 1 : -1) * (colours[on ? c : 3 + c] as number) + 0.1 * (noise[at] as number);
        }
  }
  return { image: { data: image, shape: [count, 3, side, side] }, label: { data: label, shape: [count] } };
}
