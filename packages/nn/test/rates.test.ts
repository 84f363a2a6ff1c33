import { ArgumentError, tensor } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import * as nn from '../src/index';

const optimizer = (lr = 1) => new nn.SGD([new nn.Parameter(tensor([1]))], { lr });
const follow = (make: (o: nn.Optimizer) => nn.Schedule, count: number) => {
  const o = optimizer();
  const schedule = make(o);
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) schedule.step();
    return o.lr;
  });
};

describe('schedules', () => {
  it.each<[string, (o: nn.Optimizer) => nn.Schedule, number[]]>([
    ['StepLR', (o) => new nn.StepLR(o, { stepSize: 2, gamma: 0.5 }), [1, 1, 0.5, 0.5, 0.25]],
    ['MultiStepLR', (o) => new nn.MultiStepLR(o, { milestones: [1, 3] }), [1, 0.1, 0.1, 0.01, 0.01]],
    ['ExponentialLR', (o) => new nn.ExponentialLR(o, { gamma: 0.5 }), [1, 0.5, 0.25]],
    [
      'CosineAnnealingLR',
      (o) => new nn.CosineAnnealingLR(o, { tMax: 4, etaMin: 0.2 }),
      [1, 0.8828427, 0.6, 0.3171573, 0.2],
    ],
    ['PolynomialLR', (o) => new nn.PolynomialLR(o, { totalIters: 4, power: 2 }), [1, 0.5625, 0.25, 0.0625, 0, 0]],
    ['WarmupLR', (o) => new nn.WarmupLR(o, { totalIters: 4, startFactor: 0.2 }), [0.2, 0.4, 0.6, 0.8, 1, 1]],
    [
      'WarmupLR before another',
      (o) => new nn.WarmupLR(o, { totalIters: 2, startFactor: 0.5, after: new nn.StepLR(o, { stepSize: 1 }) }),
      [0.5, 0.75, 1, 0.1],
    ],
    ['Schedule by a function', (o) => new nn.Schedule(o, (position, lr) => lr / (1 + position)), [1, 1 / 2, 1 / 3]],
  ])('%s is its formula', (_, make, wanted) => {
    for (const [i, lr] of follow(make, wanted.length).entries()) expect(lr).toBeCloseTo(wanted[i] as number, 6);
  });

  it('resume at a position', () => {
    const o = optimizer();
    new nn.StepLR(o, { stepSize: 2 }).position = 5;
    expect(o.lr).toBeCloseTo(0.01, 12);
  });

  it('refuse what is no count', () => {
    expect(() => new nn.StepLR(optimizer(), { stepSize: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: StepLR: stepSize is 0, wants an integer of at least 1]`,
    );
    const schedule = new nn.ExponentialLR(optimizer(), { gamma: 0.9 });
    expect(() => {
      schedule.position = -1;
    }).toThrow(ArgumentError);
    expect(() => new nn.WarmupLR(optimizer(), { totalIters: 2, after: schedule })).toThrow(ArgumentError);
  });
});

describe('ReduceLROnPlateau', () => {
  it('lowers the rate after more than `patience` steps without improvement, and cools down', () => {
    const o = optimizer();
    const schedule = new nn.ReduceLROnPlateau(o, { patience: 1, factor: 0.5, cooldown: 1, minLr: 0.3 });
    const seen = [5, 4, 4, 4, 4, 4, 4, 4, 4].map((metric) => {
      schedule.step(metric);
      return o.lr;
    });
    expect(seen).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]);
  });

  it('takes higher metrics for better on request, by a threshold', () => {
    const o = optimizer();
    const schedule = new nn.ReduceLROnPlateau(o, { mode: 'max', patience: 0, threshold: 0.1, thresholdMode: 'abs' });
    for (const metric of [1, 1.2, 1.25]) schedule.step(metric);
    expect(o.lr).toBeCloseTo(0.1, 12);
    expect(() => new nn.ReduceLROnPlateau(o, { factor: 1 })).toThrow(ArgumentError);
  });

  it('resumes from its state', () => {
    const [one, two] = [optimizer(), optimizer()];
    const first = new nn.ReduceLROnPlateau(one, { patience: 1 });
    for (const metric of [1, 2]) first.step(metric);
    const second = new nn.ReduceLROnPlateau(two, { patience: 1 });
    second.state = first.state;
    for (const schedule of [first, second]) schedule.step(3);
    expect([one.lr, two.lr]).toEqual([0.1, 0.1]);
  });
});
