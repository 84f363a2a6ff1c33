/** The report: one HTML file that needs nothing beside it. */
import { chart, type Series } from './chart';
import type { Digits } from './data';
import type { Mistake } from './evaluate';
import type { EpochResult } from './history';
import type { Metrics } from './metrics';
import { greyPng } from './pictures';
import { duration } from './progress';

export interface Filters {
  readonly values: ArrayLike<number>;
  /** [filters, 1, height, width] */
  readonly shape: readonly number[];
}

export function reportPage(metrics: Metrics, test: Digits, filters: Filters): string {
  const { testAccuracy, parameters, settings, seconds, imagesPerSecond, machine, mistakes, confusion } = metrics;
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MNIST: ${percent(testAccuracy)}</title>
<style>${style}</style>
<h1>Handwritten digits: ${percent(testAccuracy)} of the test set</h1>
<p>${parameters.toLocaleString('en')} parameters, ${settings.epochs} epochs in ${duration(seconds)} (${Math.round(imagesPerSecond)} images a second) on ${html(machine.device)}; batch ${settings.batch}, AdamW, one cycle to ${settings.maxLr}, shifts of ±${settings.shift} pixels, seed ${settings.seed}.</p>
<div class="columns">${curves(metrics)}</div>
${epochTable(metrics.history.epochs)}
<h2>Confusion</h2>
<p>Rows: what it is. Columns: what the network said.</p>
${confusionTable(confusion)}
<h2>Mistakes</h2>
<p>${mistakes.length} of ${test.label.data.length}, the most certain first: label → answer.</p>
<div class="grid">${mistakes
    .slice(0, 60)
    .map((mistake) => mistakePicture(mistake, test))
    .join('')}</div>
<h2>First-layer filters</h2>
<div class="grid">${filterPictures(filters)}</div>
<h2>Kernels of a training step</h2>
${kernelTable(metrics)}
</html>
`;
}

function curves({ history, settings }: Metrics): string {
  const { losses, accuracies, epochs } = history;
  const perEpoch = losses.length / Math.max(1, settings.epochs);
  const at = (pick: (result: EpochResult) => number) =>
    epochs.map((result) => [result.epoch * perEpoch, pick(result)] as const);
  const train = (values: readonly number[]): Series => ({ name: 'training', color: '#3b6fb6', points: smooth(values) });
  const test = (points: Series['points']): Series => ({ name: 'test', color: '#d1495b', points, dots: true });
  const floor = Math.min(...epochs.map(({ testAccuracy }) => testAccuracy)) > 0.9 ? 0.9 : 0;
  const lossRange = [...losses, ...epochs.map(({ testLoss }) => testLoss)].filter((loss) => loss > 0);
  return [
    chart([train(losses), test(at(({ testLoss }) => testLoss))], {
      title: 'Loss',
      xLabel: 'step',
      y: { from: Math.min(...lossRange, 1), to: Math.max(...lossRange, 1), log: true, format: (y) => y.toPrecision(1) },
    }),
    chart([train(accuracies), test(at(({ testAccuracy }) => testAccuracy))], {
      title: floor ? 'Accuracy (from 90 %)' : 'Accuracy',
      xLabel: 'step',
      y: { from: floor, to: 1, format: (y) => `${Math.round(100 * y)} %` },
    }),
  ].join('');
}

/** Means over runs of steps, at most 200 of them. */
function smooth(values: readonly number[]): [x: number, y: number][] {
  const run = Math.max(1, Math.ceil(values.length / 200));
  return Array.from({ length: Math.ceil(values.length / run) }, (_, i) => {
    const part = values.slice(i * run, (i + 1) * run);
    return [i * run + part.length / 2, part.reduce((a, b) => a + b, 0) / part.length];
  });
}

const epochTable = (epochs: readonly EpochResult[]): string =>
  table(
    ['epoch', 'loss', 'accuracy', 'test loss', 'test accuracy', 'seconds'],
    epochs.map(({ epoch, loss, accuracy, testLoss, testAccuracy, seconds }) => [
      epoch,
      loss.toFixed(4),
      accuracy.toFixed(4),
      testLoss.toFixed(4),
      testAccuracy.toFixed(4),
      seconds.toFixed(1),
    ]),
  );

function confusionTable(confusion: Metrics['confusion']): string {
  const most = Math.max(1, ...confusion.flatMap((row, label) => row.filter((_, predicted) => predicted !== label)));
  const cell = (count: number, wrong: boolean) =>
    `<td style="background:${wrong ? `rgb(209 73 91 / ${(count / most).toFixed(2)})` : 'rgb(59 111 182 / .25)'}">${count || ''}</td>`;
  const rows = confusion.map(
    (row, label) =>
      `<tr><th>${label}</th>${row.map((count, predicted) => cell(count, predicted !== label)).join('')}</tr>`,
  );
  return `<table class="confusion"><tr><th></th>${confusion.map((_, i) => `<th>${i}</th>`).join('')}</tr>${rows.join('')}</table>`;
}

function mistakePicture({ index, label, predicted, confidence }: Mistake, { image }: Digits): string {
  const source = greyPng(image.data.subarray(index * 784, (index + 1) * 784), 28, 255, 0);
  return `<figure><img src="${source}" width="84" alt="test image ${index}"><figcaption>${label} → ${predicted} <small>${Math.round(100 * confidence)} %</small></figcaption></figure>`;
}

function filterPictures({ values, shape }: Filters): string {
  const [count = 0, , height = 1, width = 1] = shape;
  const each = height * width;
  // One symmetric scale for all filters: grey is 0, so strength can be compared.
  const largest = Array.from(values).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return Array.from({ length: count }, (_, i) => {
    const filter = Array.from({ length: each }, (_, j) => values[i * each + j] as number);
    return `<figure><img src="${greyPng(filter, width, -largest, largest)}" width="60" alt="filter ${i}"></figure>`;
  }).join('');
}

function kernelTable({ kernels }: Metrics): string {
  if (!kernels.length) return '<p>This backend delivers no timings.</p>';
  const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return table(
    ['kernel', 'runs', 'ms', 'share', 'GFLOP/s'],
    [
      ...kernels.map(({ name, count, milliseconds, gflops }) => [
        name,
        count,
        milliseconds.toFixed(3),
        `${((100 * milliseconds) / total).toFixed(1)} %`,
        gflops.toFixed(1),
      ]),
      ['all', kernels.reduce((sum, { count }) => sum + count, 0), total.toFixed(3), '100 %', ''],
    ],
  );
}

const html = (text: string | number) =>
  String(text).replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c] ?? c);

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  `<table><tr>${head.map((text) => `<th>${html(text)}</th>`).join('')}</tr>${rows
    .map((row) => `<tr>${row.map((text) => `<td>${html(text)}</td>`).join('')}</tr>`)
    .join('')}</table>`;

const style = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1280px; margin: 2rem auto; padding: 0 1rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
svg { fill: currentColor; }
svg text { font-size: 12px; }
svg .title { font-weight: 600; }
svg .grid { stroke: currentColor; stroke-opacity: .15; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid rgb(128 128 128 / .25); }
td:first-child, th:first-child { text-align: left; }
.confusion td { text-align: center; min-width: 2rem; }
.grid { display: flex; flex-wrap: wrap; gap: .6rem; }
figure { margin: 0; text-align: center; }
img { image-rendering: pixelated; display: block; }
figcaption { font-size: 13px; }`;
