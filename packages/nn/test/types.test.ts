/** What types know: which layers follow which, in what words they refuse, and what it costs the compiler. */
import { readFileSync } from 'node:fs';
import type { Tensor } from '@tessera/tensor';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { shapes } from '../src/index';
import * as nn from '../src/index';
import { check } from './type-check';

describe('types', () => {
  it('know the axes, the channels and the features that a model makes', () => {
    const map = () =>
      new nn.Sequential(new nn.Conv2d(3, 64, 3), new nn.BatchNorm2d(64), new nn.ReLU(), new nn.MaxPool2d(2));
    expectTypeOf<nn.MadeBy<ReturnType<typeof map>>>().toEqualTypeOf<[number, 64, number, number]>();
    const flat = () => new nn.Sequential(map(), new nn.Flatten());
    expectTypeOf<nn.MadeBy<ReturnType<typeof flat>>>().toEqualTypeOf<[number, number]>();
    const logits = () => new nn.Sequential(flat(), new nn.Linear(64, 10), new nn.LogSoftmax());
    expectTypeOf<nn.MadeBy<ReturnType<typeof logits>>>().toEqualTypeOf<[number, 10]>();
    expectTypeOf<nn.MadeBy<nn.Linear<2, 3>, [number, 5, 2]>>().toEqualTypeOf<[number, 5, 3]>();
    expectTypeOf<nn.MadeBy<nn.Input<'BDHW', [null, 3, [32, 512], [32, 512]]>>>().toEqualTypeOf<
      [number, 3, number, number]
    >();
  });

  it('know only the number of axes where layers side by side are joined', () => {
    const parallel = () => new nn.Parallel([new nn.Conv2d(3, 8, 1), new nn.Conv2d(3, 4, 1)]);
    expectTypeOf<nn.MadeBy<ReturnType<typeof parallel>>>().toEqualTypeOf<[number, number, number, number]>();
    const sum = () => new nn.Additive([new nn.Identity(), new nn.Conv2d(8, 8, 1)]);
    expectTypeOf<nn.MadeBy<ReturnType<typeof sum>>>().toEqualTypeOf<[number, 8, number, number]>();
    const post = () => new nn.Additive([new nn.Identity(), new nn.Conv2d(8, 8, 1)], { post: new nn.Conv2d(8, 3, 1) });
    expectTypeOf<nn.MadeBy<ReturnType<typeof post>>>().toEqualTypeOf<nn.Dims>();
  });

  it('take what is not a literal for any number', () => {
    const width: number = 2 * 48;
    const model = () =>
      new nn.Sequential(new nn.Conv2d(3, width, 3), new nn.Conv2d(192, 4, 3), new nn.BatchNorm2d(width));
    expectTypeOf<nn.MadeBy<ReturnType<typeof model>>>().toEqualTypeOf<[number, 4, number, number]>();
    expectTypeOf(new nn.Conv2d(width, 8, 3)).toEqualTypeOf<nn.Conv2d<number, 8>>();
  });

  it('know nothing behind a spread array, a named layer or a module of your own, and accept it', () => {
    class Mine extends nn.Module {
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const block = (channels: number): nn.Module[] => [new nn.Conv2d(channels, channels, 3), new nn.ReLU()];
    const spread = () => new nn.Sequential(new nn.Conv2d(3, 64, 3), ...block(64), new nn.Conv2d(32, 3, 3));
    const named = () => new nn.Sequential({ conv1: new nn.Conv2d(3, 64, 3), conv2: new nn.Conv2d(64, 3, 3) });
    const mine = () => new nn.Sequential(new nn.Conv2d(3, 64, 3), new Mine(), new nn.Conv2d(32, 3, 3), new Mine());
    const either = () =>
      new nn.Sequential(new nn.Conv2d(3, 4, 3), spread.length ? new nn.ReLU() : new nn.Conv2d(4, 8, 1));
    for (const model of [spread, named, mine, either])
      expectTypeOf<nn.MadeBy<ReturnType<typeof model>>>().toEqualTypeOf<nn.Dims>();
  });

  it('let every model be a Sequential, and every convolution a Conv2d', () => {
    expectTypeOf<nn.Sequential<[nn.Conv2d<3, 64>, nn.ReLU]>>().toExtend<nn.Sequential>();
    expectTypeOf<nn.Conv2d<3, 64>>().toExtend<nn.Conv2d>();
    expectTypeOf<nn.Conv2d<3, 64>>().not.toExtend<nn.Conv2d<3, 32>>();
    expectTypeOf<nn.Additive<[nn.ReLU]>>().toExtend<nn.Additive>();
  });

  it('take the word of a layer of your own', () => {
    class Gate extends nn.Module {
      declare readonly [shapes]: nn.Maps<'Gate', '[N,C,H,W]', 8>;
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const model = () => new nn.Sequential(new nn.Conv2d(3, 8, 3), new Gate(), new nn.ReLU());
    expectTypeOf<nn.MadeBy<ReturnType<typeof model>>>().toEqualTypeOf<[number, 8, number, number]>();
    // @ts-expect-error layer 1 (Gate): wants 8 channels, gets 4 from layer 0 (Conv2d)
    const refused = () => new nn.Sequential(new nn.Conv2d(3, 4, 3), new Gate());
    expect(Object.getOwnPropertyNames(refused().get(1))).toEqual([]);
  });

  it('leave no trace in the layers', () => {
    expect(Object.getOwnPropertySymbols(new nn.ReLU())).toEqual([]);
    expect(Object.keys(new nn.Flatten())).toEqual(['startDim', 'endDim']);
  });
});

describe('what does not fit', () => {
  const texts = ['nn/test/misfits.ts', 'flex/test/types.test.ts'].map((file) => ({
    path: `packages/${file}`,
    text: readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'),
  }));

  it.each(texts)(
    'is refused at the layer itself, in a sentence that names it and both sides: $path',
    ({ path, text }) => {
      const expected = text.split('\n').flatMap((line, i) => {
        const [, message] = line.split('// @ts-expect-error ');
        return message ? [`${i + 2}: ${message}`] : [];
      });
      const { errors } = check({ [path]: text.replaceAll('@ts-expect-error', '') });
      const told = /parameter of type '"(.*)"'\.$/;
      expect(errors.map(({ line, message }) => `${line}: ${told.exec(message)?.[1] ?? message}`)).toEqual(expected);
      expect(expected.length).toBeGreaterThan(3);
    },
  );

  it('is refused in these words', () => {
    const { errors } = check({
      'packages/nn/test/model.ts': `import { Conv2d, ReLU, Sequential } from '@tessera/nn';
        export const model = new Sequential(new Conv2d(3, 64, 3), new ReLU(), new Conv2d(32, 64, 3));`,
    });
    expect(errors).toMatchInlineSnapshot(`
      [
        {
          "line": 2,
          "message": "Argument of type 'Conv2d<32, 64>' is not assignable to parameter of type '"layer 2 (Conv2d): wants 32 channels, gets 64 from layer 0 (Conv2d)"'.",
        },
      ]
    `);
  });

  it('is refused without exactOptionalPropertyTypes, too', () => {
    const files = Object.fromEntries(texts.map(({ path, text }) => [path, text]));
    expect(check(files, { exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false }).errors).toEqual([]);
  });
});

/** In types that the compiler makes of generic ones: twice what it took when this was written. */
describe('the budget of the compiler', () => {
  const conv = (from: number, to: number) => `new nn.Conv2d(${from}, ${to}, 3, { padding: 1 }), new nn.ReLU(),`;
  const stage = (from: number, to: number, times: number) =>
    [conv(from, to), ...Array(times - 1).fill(conv(to, to)), 'new nn.MaxPool2d(2),'].join(' ');
  const programs = {
    'the AlexNet of the lecture': `
      import * as nn from '@tessera/nn';
      import * as flex from '@tessera/flex';
      export const model = new nn.Sequential(
        new nn.Input('BDHW', { sizes: [null, 3, 224, 224] }),
        new flex.Conv2d(2 * 48, [11, 11]), new nn.ReLU(), new nn.MaxPool2d([2, 2]),
        new flex.Conv2d(2 * 192, [3, 3]), new nn.ReLU(),
        new flex.Conv2d(2 * 192, [3, 3]), new nn.ReLU(),
        new flex.Conv2d(2 * 128, [3, 3]),
        new nn.Reshape(0, [1, 2, 3]),
        new flex.Linear(4096), new nn.ReLU(), new flex.Linear(4096), new nn.ReLU(), new flex.Linear(1000),
      );`,
    'a network like VGG-16': `
      import * as nn from '@tessera/nn';
      export const model = new nn.Sequential(
        ${stage(3, 64, 2)} ${stage(64, 128, 2)} ${stage(128, 256, 3)} ${stage(256, 512, 3)} ${stage(512, 512, 3)}
        new nn.Flatten(), new nn.Linear(25088, 4096), new nn.ReLU(), new nn.Dropout(),
        new nn.Linear(4096, 4096), new nn.ReLU(), new nn.Dropout(), new nn.Linear(4096, 1000),
      );
      export const made: nn.MadeBy<typeof model> = [1, 1000];`,
  };
  it.each(Object.entries(programs))('has room for %s', (_, text) => {
    const { errors, instantiations } = check({ 'packages/nn/test/model.ts': text });
    expect(errors).toEqual([]);
    expect(instantiations).toBeLessThan(20_000);
  });

  it('has room for ResNet-50', () => {
    const source = readFileSync(new URL('../../zoo/src/resnet.ts', import.meta.url), 'utf8');
    const { errors, instantiations } = check({
      'packages/zoo/src/resnet.ts': source,
      'packages/nn/test/model.ts': `import { resnet50 } from '@tessera/zoo/resnet'; export const model = resnet50({ numClasses: 10 });`,
    });
    expect(errors).toEqual([]);
    expect(instantiations).toBeLessThan(20_000);
  });

  it('has room for two hundred layers, nothing being instantiated too deep', () => {
    const pairs = 'new nn.ReLU(), new nn.Conv2d(8, 8, 3),'.repeat(100);
    const { errors, instantiations } = check({
      'packages/nn/test/model.ts': `
        import * as nn from '@tessera/nn';
        export const model = new nn.Sequential(new nn.Conv2d(3, 8, 3), ${pairs});
        export const made: nn.MadeBy<typeof model>[1] = 8;`,
    });
    expect(errors).toEqual([]);
    expect(instantiations).toBeLessThan(200_000);
  });
});
