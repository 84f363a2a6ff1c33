/** The UI thread: a button, a line of text and two pictures. */
import type { CpuInfo } from '@tessera/backend-cpu';
import type { FromWorker, ToWorker } from './messages';
import { drawLoss, drawMoons, type Moons } from './pictures';

const element = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const button = element<HTMLButtonElement>('train');
const progress = element('progress');
const info = element('info');

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
const tell = (message: ToWorker) => worker.postMessage(message);

const moons: Moons = { points: new Float32Array(), labels: new Int32Array(), surface: null };
const losses: number[] = [];

button.onclick = () => {
  const training = button.textContent === 'Stop';
  tell(training ? 'stop' : 'train');
  button.textContent = 'Stop';
  button.disabled = training; // until the step is through
};

worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
  switch (data.type) {
    case 'ready':
      Object.assign(moons, { points: data.points, labels: data.labels });
      info.textContent = describe(data.info);
      button.disabled = false;
      break;
    case 'epoch':
      progress.textContent = `epoch ${data.epoch}, loss ${data.loss.toFixed(4)}`;
      if (losses.push(data.loss) > 600) losses.shift();
      break;
    case 'surface':
      moons.surface = { size: data.size, second: data.second };
      break;
    case 'stopped':
      button.textContent = 'Train';
      button.disabled = false;
      break;
    case 'failed':
      showFailure(data.message);
  }
  draw();
};
worker.onerror = ({ message }) => showFailure(message || 'the worker did not start');

function showFailure(message: string): void {
  info.textContent = message;
  button.disabled = true;
}

function describe({ reference, threads, simd, shared }: CpuInfo): string {
  if (reference) return 'This page’s policy forbids WebAssembly, so the slow reference backend computes.';
  const parts = [threads === 1 ? '1 thread' : `${threads} threads`, simd && 'SIMD', shared && 'shared memory'];
  return parts.filter(Boolean).join(', ');
}

/** Draws with the next frame, however many messages come until then. */
let waiting = false;
function draw(): void {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawMoons(element<HTMLCanvasElement>('moons'), moons);
    drawLoss(element<HTMLCanvasElement>('loss'), losses);
  });
}
