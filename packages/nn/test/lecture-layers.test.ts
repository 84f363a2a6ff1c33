/** The lecture library's layers. */
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => t.setBackend(reference()));

const counting = (...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return t.tensor(
    Float32Array.from({ length: size }, (_, i) => i + 1),
    { shape },
  );
};

describe('Input', () => {
  it('casts, reorders, and checks sizes', async () => {
    const door = new nn.Input('BHWD', { reorder: 'BDHW', sizes: [null, 3, [1, 4], 2] });
    const y = door.forward(t.tensor(new Uint8Array(24), { shape: [2, 2, 2, 3] }));
    expect([y.shape, y.dtype]).toEqual([[2, 3, 2, 2], 'float32']);
    expect(door.forward(t.meta([null, null, 2, 3])).shape).toEqual([null, 3, null, 2]);
    expect(door.parameters()).toEqual([]);
    expect(() => door.forward(counting(2, 5, 2, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: input: [2,3,5,2] has 5 on axis H, wants [any,3,1–4,2]; resize or reorder the input]`,
    );
    expect(() => door.forward(counting(2, 2, 3))).toThrow(t.ShapeError);
  });

  it('wants the letters and sizes to agree', () => {
    expect(() => new nn.Input('BDHW', { reorder: 'BDHL' })).toThrow(t.ArgumentError);
    expect(() => new nn.Input('BDHW', { sizes: [1] })).toThrow(t.ArgumentError);
  });
});

describe('axes', () => {
  it.each<[nn.Module, number[], number[]]>([
    [new nn.Reorder('BHWD', 'BDHW'), [2, 5, 6, 3], [2, 3, 5, 6]],
    [new nn.Permute(1, 0, 2), [2, 3, 4], [3, 2, 4]],
    [new nn.View(4, -1), [2, 2, 3], [4, 3]],
    [new nn.Reshape(0, [1, 2, 3]), [2, 3, 4, 5], [2, 60]],
    [new nn.Reshape([0, 1], 2, 3), [2, 3, 4, 5], [6, 4, 5]],
    [new nn.Lambda((x) => t.unsqueeze(x, 0)), [2], [1, 2]],
    [new nn.CheckSizes([2, [1, 3]]), [2, 3], [2, 3]],
  ])('%o takes %o to %o', (layer, from, to) => expect(layer.forward(counting(...from)).shape).toEqual(to));

  it('carry unknown sizes', () => {
    expect(new nn.Reshape(0, [1, 2, 3]).forward(t.meta([null, 3, 4, 5])).shape).toEqual([null, 60]);
    expect(new nn.Reorder('BHWD', 'BDHW').forward(t.meta([null, 4, null, 3])).shape).toEqual([null, 3, 4, null]);
  });

  it('name what does not fit', () => {
    expect(() => new nn.Reshape(0, [2, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Reshape: axes [0,[2,1]], wants each axis once and in order, as in Reshape(0, [1, 2, 3]); Permute moves them]`,
    );
    expect(() => new nn.Reshape(0, [1, 2]).forward(counting(2, 3))).toThrow(t.ShapeError);
    expect(() => new nn.CheckSizes([2, [1, 3]], { name: 'head' }).forward(counting(2, 4))).toThrow(
      /checkSizes head: .*1–3/,
    );
    expect(() => new nn.Reorder('BD', 'BDH')).toThrow(t.ArgumentError);
  });

  it('Inspect shows every so many calls', () => {
    const seen: number[] = [];
    const layer = new nn.Inspect((_, call) => seen.push(call), { every: 2 });
    for (let i = 0; i < 5; i++) layer.forward(counting(1));
    expect(seen).toEqual([0, 2, 4]);
  });
});

describe('sizes', () => {
  it('PixelShuffle takes channels to places', async () => {
    const y = new nn.PixelShuffle(2).forward(counting(1, 4, 1, 2));
    expect(await y.toArray()).toEqual([
      [
        [
          [1, 3, 2, 4],
          [5, 7, 6, 8],
        ],
      ],
    ]);
    expect(new nn.PixelShuffle(3).forward(t.meta([null, 18, 2, null])).shape).toEqual([null, 2, 6, null]);
    expect(() => new nn.PixelShuffle(2).forward(counting(1, 3, 2, 2))).toThrow(t.ShapeError);
  });

  it('Upsample and KeepSize interpolate', () => {
    expect(new nn.Upsample({ scaleFactor: 2 }).forward(counting(1, 1, 2, 3)).shape).toEqual([1, 1, 4, 6]);
    expect(new nn.KeepSize(new nn.MaxPool2d(2)).forward(counting(1, 1, 5, 7)).shape).toEqual([1, 1, 5, 7]);
  });

  it('PoolUnpool puts each maximum back, odd sizes too', async () => {
    const y = new nn.PoolUnpool(new nn.Identity()).forward(counting(1, 1, 3, 3));
    expect(await y.toArray()).toEqual([
      [
        [
          [0, 0, 0],
          [0, 5, 6],
          [0, 8, 9],
        ],
      ],
    ]);
    const across = new nn.PoolUnpool(new nn.Identity(), { across: new nn.Identity() });
    expect(across.forward(counting(2, 3, 4, 5)).shape).toEqual([2, 6, 4, 5]);
  });

  it('PadToMultiple pads right and below, and crops again', async () => {
    expect(new nn.PadToMultiple(4).forward(counting(1, 1, 3, 5)).shape).toEqual([1, 1, 4, 8]);
    const x = counting(1, 1, 3, 5);
    expect(await new nn.PadToMultiple(4, new nn.Identity()).forward(x).data()).toEqual(await x.data());
    expect(() => new nn.PadToMultiple(0)).toThrow(t.ArgumentError);
  });

  it.each<[string, nn.Module, (number | null)[], (number | null)[]]>([
    ['KeepSize', new nn.KeepSize(new nn.Conv2d(3, 5, 3)), [null, 3, null, 9], [null, 5, null, 9]],
    ['PoolUnpool', new nn.PoolUnpool(new nn.Identity()), [null, 3, 8, null], [null, 3, 8, null]],
    [
      'PoolUnpool with another way across',
      new nn.PoolUnpool(new nn.Identity(), { across: new nn.Conv2d(3, 2, 1) }),
      [null, 3, null, null],
      [null, 5, null, null],
    ],
    ['PadToMultiple', new nn.PadToMultiple(4), [null, 3, 5, null], [null, 3, 8, null]],
    [
      'PadToMultiple of a module',
      new nn.PadToMultiple(4, new nn.Conv2d(3, 2, 1)),
      [null, 3, 5, null],
      [null, 2, 5, null],
    ],
  ])('%s carries unknown sizes', (_, layer, from, to) => expect(layer.forward(t.meta(from)).shape).toEqual(to));

  it('of another kind are told with what is unknown of them', () => {
    expect(() => new nn.PadToMultiple(4).forward(t.meta([null, 3, 5]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: padToMultiple: input [?,3,5] has rank 3, wants [N,C,H,W]; reshape it first]`,
    );
    expect(() => new nn.BatchNorm2d(3).forward(t.meta([null, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batchNorm2d: input [?,3] has rank 2, wants [N,C,H,W]; reshape it first]`,
    );
    expect(() => new nn.PixelShuffle(2).forward(t.meta([null, 3, null, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pixelShuffle: 3 in [?,3,?,2]; wants a multiple of 4]`,
    );
  });
});

describe('Embedding', () => {
  it('is rows of its weight', async () => {
    const layer = new nn.Embedding(3, 2);
    layer.loadStateDict({
      weight: t.tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    });
    expect(await layer.forward(t.tensor([[2, 0]], { dtype: 'int32' })).toArray()).toEqual([
      [
        [5, 6],
        [1, 2],
      ],
    ]);
    expect(() => new nn.Embedding(0, 2)).toThrow(t.ArgumentError);
  });
});
