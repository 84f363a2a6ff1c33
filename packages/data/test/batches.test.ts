import { ArgumentError, ShapeError, tensor } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import { batches, randomShift } from '../src/index';

const column = (count: number) => ({ data: Int32Array.from({ length: count }, (_, i) => i), shape: [count] });
const firsts = { data: Float32Array.from({ length: 20 }, (_, i) => i / 2), shape: [10, 2] };

/** The examples of each batch of one epoch, in order. */
async function epoch(loader: ReturnType<typeof batches<readonly [ReturnType<typeof column>]>>): Promise<number[][]> {
  const seen: number[][] = [];
  for await (const [x] of loader) seen.push(Array.from(await hostOf(x)));
  return seen;
}
/** A batch is host data until it is used, so its values are read without a backend. */
async function hostOf(x: { node: { source: unknown } }): Promise<Int32Array> {
  return (x.node.source as { data: Int32Array }).data;
}

describe('batches', () => {
  it('hands out rows as tensors under the columns’ names', async () => {
    for await (const { image, label } of batches({ image: firsts, label: column(10) }, { size: 4 })) {
      expect(image.shape).toEqual([4, 2]);
      expect(image.dtype).toBe('float32');
      expect(label.shape).toEqual([4]);
      expect(label.dtype).toBe('int32');
      break;
    }
  });

  it('keeps the order without shuffle, and a smaller last batch without dropLast', async () => {
    expect(await epoch(batches([column(5)], { size: 2 }))).toEqual([[0, 1], [2, 3], [4]]);
    expect(await epoch(batches([column(5)], { size: 2, dropLast: true }))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(batches([column(5)], { size: 2 }).length).toBe(3);
    expect(batches([column(5)], { size: 2, dropLast: true }).length).toBe(2);
  });

  it('shows every example once an epoch, in another order each epoch and for each seed', async () => {
    const loader = batches([column(100)], { size: 7, shuffle: true, seed: 3 });
    const [first, second] = [(await epoch(loader)).flat(), (await epoch(loader)).flat()];
    const other = (await epoch(batches([column(100)], { size: 7, shuffle: true, seed: 4 }))).flat();
    for (const order of [first, second, other])
      expect([...order].sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
    expect(first).not.toEqual(second);
    expect(first).not.toEqual(other);
    expect((await epoch(batches([column(100)], { size: 100, shuffle: true, seed: 3 }))).flat()).toEqual(first);
  });

  it('shuffles the same everywhere', async () => {
    expect((await epoch(batches([column(10)], { size: 10, shuffle: true, seed: 1 }))).flat()).toMatchInlineSnapshot(`
      [
        0,
        3,
        7,
        5,
        6,
        9,
        4,
        1,
        8,
        2,
      ]
    `);
  });

  it('puts each example everywhere equally often', async () => {
    const counts = Array.from({ length: 6 }, () => new Array<number>(6).fill(0));
    const loader = batches([column(6)], { size: 6, shuffle: true, seed: 11 });
    for (let n = 0; n < 1200; n++)
      (await epoch(loader)).flat().forEach((example, place) => {
        const row = counts[example] as number[];
        row[place] = (row[place] as number) + 1;
      });
    // 200 ± 5 standard deviations of a binomial with 1200 draws at 1/6.
    for (const count of counts.flat()) expect(Math.abs(count - 200)).toBeLessThan(65);
  });

  it('goes on from a saved position as if it had never stopped', async () => {
    const options = { size: 4, shuffle: true, seed: 9 };
    const whole = batches([column(10)], options);
    const unbroken = [...(await epoch(whole)), ...(await epoch(whole))];
    for (let stop = 1; stop <= 5; stop++) {
      const before = batches([column(10)], options);
      const seen: number[][] = [];
      while (seen.length < stop)
        for await (const [x] of before) {
          seen.push(Array.from(await hostOf(x)));
          if (seen.length === stop) break;
        }
      const after = batches([column(10)], options);
      after.position = JSON.parse(JSON.stringify(before.position));
      while (seen.length < unbroken.length) seen.push(...(await epoch(after)));
      expect(seen).toEqual(unbroken);
    }
  });

  it('refuses positions of other data', () => {
    const loader = batches([column(5)], { size: 2 });
    expect(() => {
      loader.position = { epoch: 0, row: 6 };
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: batches: position { epoch: 0, row: 6 } does not fit 5 rows; was it saved with other data?]`,
    );
    expect(() => {
      loader.position = { epoch: -1, row: 0 };
    }).toThrow(ArgumentError);
  });

  it('names columns that do not fit', () => {
    expect(() => batches({ image: firsts, label: column(9) }, { size: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batches: columns image [10,2], label [9] must have the same number of rows]`,
    );
    expect(() => batches([{ data: new Float32Array(3), shape: [2, 2] }], { size: 1 })).toThrow(ShapeError);
    expect(() => batches([], { size: 1 })).toThrow(ShapeError);
    expect(() => batches([column(3)], { size: 0 })).toThrow(ArgumentError);
    expect(() => batches([column(3)], { size: 1, seed: 0.5 })).toThrow(ArgumentError);
  });

  it('takes tensors as columns', async () => {
    const loader = batches([tensor([[1], [2]])], { size: 1 });
    expect(loader.length).toBe(2);
  });

  it('lets timers run while it is read', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    let until = 0; // from the first batch on, as making the order of a million takes a while
    for await (const _ of batches([column(1_000_000)], { size: 1 })) {
      until ||= performance.now() + 300;
      if (performance.now() > until) break;
    }
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });

  it('lets timers run between epochs that are over in no time', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const until = performance.now() + 300;
    const loader = batches([column(2)], { size: 1 });
    while (performance.now() < until) for await (const _ of loader);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });
});

describe('randomShift', () => {
  const image = { data: Uint8Array.from({ length: 9 }, (_, i) => i + 1), shape: [1, 3, 3] };
  const draw = (dy: number, dx: number) => ({
    epoch: 0,
    indices: Uint32Array.of(0),
    words: () => Uint32Array.of(dy + 2, dx + 2, 0, 0),
  });
  it.each([
    [0, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [1, 0, [0, 0, 0, 1, 2, 3, 4, 5, 6]],
    [-1, 0, [4, 5, 6, 7, 8, 9, 0, 0, 0]],
    [0, 2, [0, 0, 1, 0, 0, 4, 0, 0, 7]],
    [2, -1, [0, 0, 0, 0, 0, 0, 2, 3, 0]],
  ])('moves by %s rows and %s columns, filling with zeros', (dy, dx, values) => {
    expect(randomShift(image, 2, draw(dy, dx)).data).toEqual(Uint8Array.from(values));
  });

  it('draws for each example by itself, whatever batch it is in', async () => {
    const images = { data: Float32Array.from({ length: 40 * 49 }, (_, i) => i), shape: [40, 1, 7, 7] };
    const shifted = async (size: number) => {
      const all: number[] = [];
      for await (const [x] of batches([images], {
        size,
        seed: 5,
        transform: ([rows], random) => [randomShift(rows, 2, random)],
      }))
        all.push(...(await hostOf(x)));
      return all;
    };
    const whole = await shifted(40);
    expect(await shifted(7)).toEqual(whole);
    // The centre of a 7×7 image, 3 or more from each edge, moves to one of 25 places; all of ±2 occur in 40 draws.
    const places = Array.from({ length: 40 }, (_, n) => whole.indexOf(n * 49 + 24) - n * 49 - 24);
    expect(new Set(places.map((p) => Math.round(p / 7)))).toEqual(new Set([-2, -1, 0, 1, 2]));
  });
});
