import * as nn from '@tessera/nn';
import { ArgumentError, meta, ShapeError } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import { convBlock, fcBlock, residual, unet } from '../src/blocks';
import * as flex from '../src/index';

const kinds = (modules: Iterable<nn.Module>) => [...modules].map((module) => module.constructor.name).join(' ');

describe('convBlock', () => {
  it('is the lecture’s conv2d_block with two repeats and a pool', () => {
    const block = convBlock(8, { repeat: 2, pool: 2 });
    expect(kinds(block)).toBe('Conv2d BatchNorm ReLU Conv2d BatchNorm ReLU MaxPool2d');
    expect(flex.shapeInference(new nn.Sequential(...block), [null, 3, 10, 12])).toEqual([null, 8, 5, 6]);
  });

  it('may do without norm and pool, with other windows and nonlinearities', () => {
    const block = convBlock(8, { kernelSize: 5, batchNorm: false, nonlinearity: () => new nn.SiLU() });
    expect(kinds(block)).toBe('Conv2d SiLU');
    expect(flex.shapeInference(new nn.Sequential(...block), [null, 3, 10, 12])).toEqual([null, 8, 10, 12]);
  });
});

describe('convBlock with fractional pooling', () => {
  it('leaves that share of height and width', () => {
    const block = convBlock(8, { fractionalPool: 0.7 });
    expect(kinds(block)).toBe('Conv2d BatchNorm ReLU FractionalMaxPool2d');
    expect(flex.shapeInference(new nn.Sequential(...block), [null, 3, 10, 20])).toEqual([null, 8, 7, 14]);
  });
  it('is refused beside a pool', () =>
    expect(() => convBlock(8, { pool: 2, fractionalPool: 0.7 })).toThrow(
      'convBlock: pool 2 and fractionalPool 0.7; wants one of them',
    ));
});

describe('fcBlock', () => {
  it('flattens, and ends in a bare linear layer', () => {
    const block = fcBlock([6, 5, 2]);
    expect(kinds(block)).toBe('Flatten Linear BatchNorm ReLU Linear BatchNorm ReLU Linear');
    expect(flex.shapeInference(new nn.Sequential(...block), [null, 3, 2, 2])).toEqual([null, 2]);
    expect(() => fcBlock([])).toThrow(ArgumentError);
  });
});

describe('residual', () => {
  it('adds two convolutions to x, with a norm behind', () => {
    const model = new nn.Sequential(residual(4));
    expect(flex.shapeInference(model, [null, 4, 8, 8])).toEqual([null, 4, 8, 8]);
    expect(
      [...model.stateDict()].filter(([key]) => key.endsWith('weight')).map(([key, { shape }]) => `${key} [${shape}]`),
    ).toEqual([
      '0.1.0.weight [4,4,3,3]',
      '0.1.1.weight [4]',
      '0.1.3.weight [4,4,3,3]',
      '0.1.4.weight [4]',
      '0.post.weight [4]',
    ]);
  });

  it('narrows in a bottleneck', () => {
    const model = new nn.Sequential(residual(16, { bottleneck: 4 }));
    flex.shapeInference(model, [null, 16, 8, 8]);
    const convolutions = [...model.stateDict()].filter(([, { shape }]) => shape.length === 4);
    expect(convolutions.map(([, { shape }]) => String(shape))).toEqual(['4,16,1,1', '4,4,3,3', '16,4,1,1']);
  });

  it('wants as many channels as it makes, or an identity that makes them', () => {
    expect(() => flex.shapeInference(new nn.Sequential(residual(4)), [null, 3, 8, 8])).toThrow(ShapeError);
    const wider = residual(4, { identity: new flex.Conv2d(4, 1), post: null });
    expect(flex.shapeInference(new nn.Sequential(wider), [null, 3, 8, 8])).toEqual([null, 4, 8, 8]);
  });
});

describe('unet', () => {
  it('keeps the size of images that halve often enough, and joins 2·d channels at each level', () => {
    const model = unet([8, 16, 32]);
    const bridges = new Map<string, readonly (number | null)[]>();
    for (const [path, module] of model.namedModules())
      if (module instanceof nn.Shortcut) module.registerForwardHook((_, y) => void bridges.set(path, y.shape));
    expect(flex.shapeInference(model, [null, 3, 24, 20])).toEqual([null, 8, 24, 20]);
    expect([...bridges.values()]).toEqual([
      [null, 32, 12, 10],
      [null, 16, 24, 20],
    ]);
    expect(() => model.forward(meta([1, 3, 22, 22]))).toThrow(/cat|concat/);
  });

  it('has dropout by level where it is wanted, and no level below the last', () => {
    expect(kinds(unet([8, 4], { dropout: [0.1, 0.2] }))).toBe(
      'Conv2d ReLU Conv2d ReLU Shortcut Conv2d ReLU Conv2d ReLU Dropout2d',
    );
    expect(kinds(unet([8], { repeat: 1, batchNorm: true }))).toBe('Conv2d BatchNorm ReLU');
    const shares = unet([8, 4], { dropout: [0, 0.2] }).namedModules();
    expect(shares.flatMap(([, module]) => (module instanceof nn.Dropout2d ? [module.p] : []))).toEqual([0.2]);
    expect(() => unet([])).toThrow(ArgumentError);
  });
});
