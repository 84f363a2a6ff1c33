/** What types know of layers with an open input side: it takes any size, and the other side is theirs. */
import * as nn from '@tessera/nn';
import { describe, expect, expectTypeOf, it } from 'vitest';
import * as flex from '../src/index';

describe('types of flex layers', () => {
  it('take whatever channels come, and make their own', () => {
    const model = () =>
      new nn.Sequential(
        new nn.Input('BDHW', { sizes: [null, 3, 224, 224] }),
        new flex.Conv2d(64, 3),
        new flex.BatchNorm(),
        new nn.ReLU(),
        new flex.MaxPool2d(),
      );
    expectTypeOf<nn.MadeBy<ReturnType<typeof model>>>().toEqualTypeOf<[number, 64, number, number]>();
    const classifier = () => new nn.Sequential(model(), new nn.Flatten(), new flex.Linear(10));
    expectTypeOf<nn.MadeBy<ReturnType<typeof classifier>>>().toEqualTypeOf<[number, 10]>();
    expectTypeOf<flex.Conv2d<64>>().toExtend<flex.Conv2d>();
  });

  it('do not let in another rank, nor feed a layer of other channels', () => {
    const refused = [
      // @ts-expect-error layer 3 (Conv2d): wants 32 channels, gets 64 from layer 0 (Conv2d)
      () => new nn.Sequential(new flex.Conv2d(64, 3), new flex.BatchNorm2d(), new nn.ReLU(), new nn.Conv2d(32, 3, 1)),
      // @ts-expect-error layer 1 (Linear): wants 5 features, gets 10 from layer 0 (Linear)
      () => new nn.Sequential(new flex.Linear(10), new nn.Linear(5, 1)),
      // @ts-expect-error layer 1 (Conv2d): wants [N,C,H,W], gets 2 axes from layer 0 (Flatten)
      () => new nn.Sequential(new nn.Flatten(), new flex.Conv2d(64, 3)),
      // @ts-expect-error layer 1 (BatchNorm1d): wants [N,C] or [N,C,L], gets 4 axes from layer 0 (Conv2d)
      () => new nn.Sequential(new flex.Conv2d(64, 3), new flex.BatchNorm1d()),
    ];
    for (const model of refused) expect(model).not.toThrow(); // types only: run time sees shapes
  });
});
