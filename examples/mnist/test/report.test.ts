import { describe, expect, it } from 'vitest';
import { chart } from '../src/chart';
import type { Metrics } from '../src/metrics';
import { greyPng } from '../src/pictures';
import { duration } from '../src/progress';
import { reportPage } from '../src/report';
import { defaults } from '../src/training';

const metrics: Metrics = {
  settings: defaults,
  machine: { backend: 'cpu', table: 1, features: 'simd', device: '2 threads with simd' },
  parameters: 55_146,
  testAccuracy: 0.99,
  testLoss: 0.03,
  seconds: 61,
  imagesPerSecond: 1000,
  history: {
    losses: [2, 1, 0.5],
    accuracies: [0.1, 0.6, 0.9],
    epochs: [{ epoch: 1, loss: 1, accuracy: 0.5, testLoss: 0.4, testAccuracy: 0.95, seconds: 20 }],
    seconds: 61,
  },
  confusion: Array.from({ length: 10 }, (_, i) =>
    Array.from({ length: 10 }, (_, j) => (i === j ? 9 : i * j === 6 ? 1 : 0)),
  ),
  mistakes: [{ index: 0, label: 3, predicted: 2, confidence: 0.77 }],
  kernels: [{ name: 'map <x>', count: 2, milliseconds: 1.5, gflops: 3 }],
};
const test = {
  image: { data: new Uint8Array(784).fill(9), shape: [1, 1, 28, 28] },
  label: { data: Int32Array.of(3), shape: [1] },
};

describe('the report', () => {
  const page = reportPage(metrics, test, { values: Float32Array.of(-1, 0, 1, 0.5), shape: [1, 1, 2, 2] });

  it('holds everything in one file', () => {
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).not.toContain('<script');
    for (const title of [
      'Loss',
      'Accuracy',
      'Confusion',
      'Mistakes',
      'First-layer filters',
      'Kernels of a training step',
    ])
      expect(page).toContain(title);
    expect(page).toContain('3 → 2 <small>77 %</small>');
    expect(page).toContain('map &lt;x&gt;');
    expect(page).toContain('99.00 % of the test set');
  });

  it('has no number that is none', () => expect(page).not.toMatch(/NaN|undefined|Infinity/));

  it('also stands where nothing was timed or wrong', () => {
    const bare = {
      ...metrics,
      kernels: [],
      mistakes: [],
      history: { ...metrics.history, losses: [], accuracies: [], epochs: [] },
    };
    expect(reportPage(bare, test, { values: [0], shape: [1, 1, 1, 1] })).not.toMatch(/NaN|undefined/);
  });
});

describe('its parts', () => {
  it('chart draws a line through its points', () => {
    const svg = chart(
      [
        {
          name: 'a',
          color: 'red',
          points: [
            [0, 0],
            [10, 1],
          ],
        },
      ],
      {
        title: 'T',
        xLabel: 'x',
        y: { from: 0, to: 1, format: String },
      },
    );
    expect(svg).toContain('d="M56,260L604,32"');
  });

  it('greyPng maps low to black and high to white', () => {
    expect(greyPng([0, 1], 2, 0, 1)).toMatch(/^data:image\/png;base64,/);
  });

  it.each([
    [0.2, '1s'],
    [59.2, '1m00s'],
    [125, '2m05s'],
  ])('%s seconds read %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});
