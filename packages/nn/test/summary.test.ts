import { ArgumentError, ShapeError } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import * as nn from '../src/index';

/** No backend is set: nothing here can compute. */
const small = () =>
  new nn.Sequential(
    new nn.Input('BDHW', { sizes: [null, 1, 8, 8] }),
    new nn.Conv2d(1, 4, 3),
    new nn.BatchNorm2d(4),
    new nn.Dropout(),
    new nn.Reshape(0, [1, 2, 3]),
    new nn.Linear(144, 10),
  );

describe('summary', () => {
  it('tells layers, shapes, parameters and multiply-adds as a table', () => {
    expect(`\n${nn.summary(small())}\n`).toMatchInlineSnapshot(`
      "
         layer        output     parameters  multiply-adds
      0  Input        [N,1,8,8]
      1  Conv2d       [N,4,6,6]          40          1,296
      2  BatchNorm2d  [N,4,6,6]           8
      3  Dropout      [N,4,6,6]
      4  Reshape      [N,144]
      5  Linear       [N,10]          1,450          1,440
      1,498 parameters, 5,472 FLOPs, 2,600 bytes of activations
      "
    `);
  });

  it('is data, too, and leaves modes, hooks and statistics as they were', () => {
    const model = small();
    model[3]?.eval();
    const { macs, flops, parameters, activationBytes, rows } = nn.summary(model, [2, 1, 8, 8]);
    expect([macs, flops, parameters]).toEqual([2 * (144 * 9 + 1440), 4 * (144 * 9 + 1440), 40 + 8 + 1450]);
    expect(activationBytes).toBe(4 * 2 * (64 + 4 * 144 + 10));
    expect(rows.map(({ path }) => path)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect([model.training, model[2]?.training, model[3]?.training]).toEqual([true, true, false]);
    expect(Object.hasOwn(model[1] as object, 'forward')).toBe(false);
    expect((model[2] as nn.BatchNorm2d).numBatchesTracked?.version).toBe(0);
  });

  // The lecture's AlexNet as printed: 43 GB that are never allocated.
  it('counts past 2³² without a backend that could allocate', () => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 96, 11),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(96, 384, 3),
      new nn.Conv2d(384, 384, 3),
      new nn.Conv2d(384, 256, 3),
      new nn.Reshape(0, [1, 2, 3]),
      new nn.Linear(2611456, 4096),
      new nn.Linear(4096, 4096),
      new nn.Linear(4096, 1000),
    );
    const { parameters, macs } = nn.summary(model.freeze(), [null, 3, 224, 224]);
    expect(parameters).toBe(10_719_985_768);
    expect(macs / 1e6).toBeCloseTo(39_075.6, 0);
    expect(String(nn.summary(model, [null, 3, 224, 224]))).toContain('10,719,985,768 parameters (0 train)');
  });

  it('names the layer that does not fit, and wants a shape', () => {
    expect(() => nn.summary(small(), [null, 1, 9, 8])).toThrow(ShapeError);
    expect(() => nn.summary(new nn.ReLU())).toThrow(ArgumentError);
  });
});
