import { ArgumentError, tensor } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import { AdamW, OneCycleLR, Parameter, SGD } from '../src/index';

const parameters = () => [new Parameter(tensor([1]))];
/** Rates and momenta of every step, the first before any. */
function cycle(optimizer: SGD | AdamW, options: ConstructorParameters<typeof OneCycleLR>[1]) {
  const schedule = new OneCycleLR(optimizer, options);
  const seen = [[optimizer.lr, optimizer.momentum]];
  for (let i = 1; i < options.totalSteps; i++) {
    schedule.step();
    seen.push([optimizer.lr, optimizer.momentum]);
  }
  return seen as [number, number][];
}

describe('OneCycleLR', () => {
  it('rises from maxLr/25 in the first 30 % and falls to a ten-thousandth of that, the momentum against it', () => {
    const seen = cycle(new AdamW(parameters()), { maxLr: 0.1, totalSteps: 100 });
    expect(seen[0]?.[0]).toBeCloseTo(0.1 / 25, 15);
    expect(seen[0]?.[1]).toBeCloseTo(0.95, 15);
    expect(seen[29]?.[0]).toBeCloseTo(0.1, 12);
    expect(seen[29]?.[1]).toBeCloseTo(0.85, 12);
    expect(seen[99]?.[0]).toBeCloseTo(4e-7, 15);
    expect(seen[99]?.[1]).toBeCloseTo(0.95, 12);
    expect(Math.max(...seen.map(([lr]) => lr))).toBe(seen[29]?.[0]);
    // Halfway up (step 14.5 of 29) the cosine is at the mean of its ends: steps 14 and 15 lie about it.
    expect(((seen[14]?.[0] ?? 0) + (seen[15]?.[0] ?? 0)) / 2).toBeCloseTo((0.1 + 0.004) / 2, 12);
    expect(seen[64]?.[0] ?? 0).toBeCloseTo((0.1 + 4e-7) / 2, 12);
  });

  // torch.optim.lr_scheduler.OneCycleLR(SGD(lr=1, momentum=.9), max_lr=1, total_steps=10, pct_start=.3), by its formula:
  // up: steps 0…2, end_step 2; down: steps 2…9.
  it('follows PyTorch step by step', () => {
    const up = (k: number) => 1 + ((0.04 - 1) / 2) * (1 + Math.cos((Math.PI * k) / 2));
    const down = (k: number) => 4e-6 + ((1 - 4e-6) / 2) * (1 + Math.cos((Math.PI * (k - 2)) / 7));
    const seen = cycle(new SGD(parameters(), { lr: 1, momentum: 0.9 }), { maxLr: 1, totalSteps: 10 });
    const wanted = [up(0), up(1), up(2), down(3), down(4), down(5), down(6), down(7), down(8), down(9)];
    for (const [i, [lr]] of seen.entries()) expect(lr).toBeCloseTo(wanted[i] as number, 12);
  });

  it('leaves the momentum alone on request', () => {
    const seen = cycle(new SGD(parameters(), { momentum: 0.9 }), { maxLr: 1, totalSteps: 5, cycleMomentum: false });
    expect(new Set(seen.map(([, momentum]) => momentum))).toEqual(new Set([0.9]));
  });

  it('resumes at a position', () => {
    const [one, two] = [new SGD(parameters()), new SGD(parameters())];
    const first = new OneCycleLR(one, { maxLr: 1, totalSteps: 10 });
    for (let i = 0; i < 4; i++) first.step();
    new OneCycleLR(two, { maxLr: 1, totalSteps: 10 }).position = first.position;
    expect([two.lr, two.momentum]).toEqual([one.lr, one.momentum]);
  });

  it.each([1, 2, 3, 4])('stays finite over %s steps in all', (totalSteps) => {
    for (const [lr, momentum] of cycle(new SGD(parameters()), { maxLr: 1, totalSteps })) {
      expect(lr).toBeGreaterThan(0);
      expect(momentum).toBeGreaterThan(0);
    }
  });

  it('refuses to step beyond its end', () => {
    const schedule = new OneCycleLR(new SGD(parameters()), { maxLr: 1, totalSteps: 2 });
    schedule.step();
    schedule.step();
    expect(() => schedule.step()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: OneCycleLR: step 3 of a schedule of 2; was totalSteps meant larger?]`,
    );
    expect(() => new OneCycleLR(new SGD(parameters()), { maxLr: 1, totalSteps: 0 })).toThrow(ArgumentError);
    expect(() => new OneCycleLR(new SGD(parameters()), { maxLr: 1, totalSteps: 9, pctStart: 2 })).toThrow(
      ArgumentError,
    );
  });
});
