import type { Kernel } from '@tessera/tensor/backend';
import { describe, expect, it } from 'vitest';
import { tileOf, type Windows } from '../src/kernels/tiles';
import { Build } from '../src/stores';

/** A 3 × 3 window over 28², 64 channels to 64, and what differs from it. */
const windows = (other: Partial<Windows> = {}): Windows => ({
  images: 1,
  channels: 64,
  made: 64,
  to: [28, 28],
  kernel: [3, 3],
  step: [1, 1],
  dilation: [1, 1],
  flipped: false,
  ...other,
});
const tile = (other?: Partial<Windows>, targets = 8) => tileOf(new Build({} as Kernel, targets), windows(other));

describe('tiles of a convolution', () => {
  it('are of 2 × 4 pixels, of 1 × 4 where a draw has four targets or images are lines', () => {
    expect(tile()).toEqual({ height: 8, lines: 2, unrolled: 2, covered: [28, 28] });
    expect(tile({}, 4)).toEqual({ height: 4, lines: 1, unrolled: 2, covered: [28, 28] });
    const line = { images: 32, to: [28], kernel: [3], step: [1], dilation: [1] };
    expect(tile(line)).toEqual({ height: 8, lines: 1, unrolled: 1, covered: [28] });
  });
  it('cover whole images', () => expect(tile({ to: [27, 26] })?.covered).toEqual([28, 28]));
  it('write out the last axis alone of larger windows, and nothing of the largest', () => {
    expect(tile({ kernel: [7, 7] })?.unrolled).toBe(1);
    expect(tile({ kernel: [12, 12] })).toBeNull();
  });
  it('are none where their code takes longer to compile than they save', () => {
    expect(tile({ channels: 16, made: 32, to: [14, 14] })).toBeNull();
    expect(tile({ channels: 16, made: 32, to: [14, 14], images: 8 })).not.toBeNull();
  });
  it('are none where windows share nothing, or most of a tile is no pixel', () => {
    expect(tile({ kernel: [1, 1] })).toBeNull();
    expect(tile({ kernel: [2, 2], step: [2, 2] })).toBeNull();
    expect(tile({ to: [2, 2] })).toBeNull();
  });
});
