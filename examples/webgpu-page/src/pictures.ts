/** What is drawn, on canvases that the worker has. Nothing here waits for a frame: a hidden page has none. */
import type { Digits } from './digits';
import type { Canvases } from './messages';
import type { StepResult } from './training';

const colours = { loss: '#2a6fdb', accuracy: '#e0662f', right: '#2e8b57', wrong: '#d1495b' };
const shades = (dark: boolean) => (dark ? { ink: '#93a0ae', line: '#37424e' } : { ink: '#5b6875', line: '#d5dce4' });

/** Loss to the left on a logarithmic scale, share of right answers to the right, over all steps of the run. */
export function drawCurves({ curves, scale, dark }: Canvases, history: readonly StepResult[], steps: number): void {
  const context = curves.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const [width, height] = [curves.width / scale, curves.height / scale];
  const { ink, line } = shades(dark);
  const margin = { left: 40, right: 44, top: 10, bottom: 22 };
  const [plotWidth, plotHeight] = [width - margin.left - margin.right, height - margin.top - margin.bottom];
  const x = (step: number) => margin.left + (plotWidth * step) / Math.max(1, steps);
  const y = (share: number) => margin.top + plotHeight * (1 - share);
  const [least, most] = [0.01, 10];
  const logarithm = (loss: number) => Math.log(Math.min(most, Math.max(least, loss)) / least) / Math.log(most / least);

  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '12px system-ui, sans-serif';
  context.lineWidth = 1;
  context.strokeStyle = line;
  context.textBaseline = 'middle';
  for (const loss of [0.01, 0.1, 1, 10]) {
    const at = Math.round(y(logarithm(loss))) + 0.5;
    context.beginPath();
    context.moveTo(margin.left, at);
    context.lineTo(width - margin.right, at);
    context.stroke();
    context.fillStyle = colours.loss;
    context.textAlign = 'right';
    context.fillText(String(loss), margin.left - 6, at);
  }
  context.fillStyle = colours.accuracy;
  context.textAlign = 'left';
  for (const share of [0, 0.5, 1]) context.fillText(`${100 * share} %`, width - margin.right + 6, y(share));
  context.fillStyle = ink;
  context.textBaseline = 'alphabetic';
  context.fillText('0', margin.left, height - 6);
  context.textAlign = 'right';
  context.fillText(`${steps} steps`, width - margin.right, height - 6);

  const means = smooth(history, Math.max(1, Math.ceil(history.length / 300)));
  const curve = (colour: string, place: (result: StepResult) => number) => {
    context.beginPath();
    for (const result of means) context.lineTo(x(result.step), y(place(result)));
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.stroke();
    const last = means.at(-1);
    if (!last) return;
    context.beginPath();
    context.arc(x(last.step), y(place(last)), 2.5, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  };
  curve(colours.loss, ({ loss }) => logarithm(loss));
  curve(colours.accuracy, ({ accuracy }) => accuracy);
}

/** Means over runs of steps. */
function smooth(history: readonly StepResult[], run: number): StepResult[] {
  const mean = (part: readonly StepResult[], pick: (result: StepResult) => number) =>
    part.reduce((total, result) => total + pick(result), 0) / part.length;
  return Array.from({ length: Math.ceil(history.length / run) }, (_, i) => {
    const part = history.slice(i * run, (i + 1) * run);
    return {
      step: mean(part, (r) => r.step),
      loss: mean(part, (r) => r.loss),
      accuracy: mean(part, (r) => r.accuracy),
    };
  });
}

/** As many digits as there is room for, each with its answer: green where right, red where wrong, grey before there is one. */
export function drawDigits(
  { digits: canvas, scale, dark }: Canvases,
  { image, label }: Digits,
  answers: ArrayLike<number> | null,
): void {
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const [width, height] = [canvas.width / scale, canvas.height / scale];
  const [side, gap] = [40, 16];
  const columns = Math.max(1, Math.floor((width + 6) / (side + 6)));
  const rows = Math.max(1, Math.floor(height / (side + gap)));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '600 12px system-ui, sans-serif';
  context.textAlign = 'center';
  context.imageSmoothingEnabled = false;
  for (let i = 0; i < Math.min(columns * rows, label.data.length); i++) {
    const [left, top] = [(i % columns) * (side + 6), Math.floor(i / columns) * (side + gap)];
    context.drawImage(pixelsOf(image.data.subarray(784 * i, 784 * (i + 1)), dark), left, top, side, side);
    if (!answers) continue;
    context.fillStyle = answers[i] === label.data[i] ? colours.right : colours.wrong;
    context.fillText(String(answers[i]), left + side / 2, top + side + 11);
  }
}

function pixelsOf(values: ArrayLike<number>, dark: boolean): OffscreenCanvas {
  const canvas = new OffscreenCanvas(28, 28);
  const pixels = new ImageData(28, 28);
  for (let i = 0; i < 784; i++) {
    const ink = values[i] as number;
    const grey = dark ? 30 + 0.88 * ink : 245 - 0.9 * ink;
    pixels.data.set([grey, grey, grey, 255], 4 * i);
  }
  (canvas.getContext('2d') as OffscreenCanvasRenderingContext2D).putImageData(pixels, 0, 0);
  return canvas;
}
