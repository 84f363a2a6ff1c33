/** The UI thread: two buttons, a row of numbers, and two canvases that it gives away. */
import type { FromWorker, Settings, ToWorker } from './messages';
import { readSettings } from './settings';

const element = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const [train, cancel, status] = [
  element<HTMLButtonElement>('train'),
  element<HTMLButtonElement>('cancel'),
  element('status'),
];

function handOver(id: string): OffscreenCanvas {
  const canvas = element<HTMLCanvasElement>(id);
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = canvas.clientHeight * devicePixelRatio;
  return canvas.transferControlToOffscreen();
}

/** @param needs what the browser must have: WebGPU, or WebGL2 */
export function show(worker: Worker, needs: string): void {
  let settings: Settings;
  try {
    settings = readSettings(location.search);
  } catch (error) {
    status.textContent = 'asked for what it cannot do';
    element('info').textContent = (error as Error).message;
    worker.terminate();
    return;
  }
  const tell = (message: ToWorker, given: Transferable[] = []) => worker.postMessage(message, given);
  const canvases = {
    curves: handOver('curves'),
    digits: handOver('digits'),
    scale: devicePixelRatio,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
  };
  tell({ type: 'start', settings, canvases }, [canvases.curves, canvases.digits]);

  let isReady = false;
  /** Which of the buttons can be pressed. */
  function offer(can: 'train' | 'cancel' | 'nothing', name = train.textContent): void {
    train.textContent = name;
    train.disabled = can !== 'train';
    cancel.disabled = can !== 'cancel';
  }
  train.onclick = () => {
    tell('train');
    offer('cancel', 'Resume');
    status.textContent = 'training';
  };
  cancel.onclick = () => {
    tell('cancel');
    offer('nothing'); // until the step is through
  };

  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    switch (data.type) {
      case 'says':
        status.textContent = data.text;
        break;
      case 'ready':
        isReady = true;
        status.textContent = 'ready';
        element('info').textContent = data.gpu;
        offer('train');
        break;
      case 'progress': {
        const { step, steps, loss, accuracy, test, rate } = data.progress;
        const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
        element('step').textContent = `${step} of ${steps}`;
        element('loss').textContent = loss.toFixed(4);
        element('accuracy').textContent = percent(accuracy);
        element('test').textContent = test === null ? '–' : percent(test);
        element('rate').textContent = Math.round(rate).toLocaleString('en');
        break;
      }
      case 'cancelled':
        status.textContent = 'cancelled';
        offer('train');
        break;
      case 'done':
        status.textContent = 'learnt';
        offer('nothing');
        break;
      case 'failed':
        status.textContent = data.lost ? 'the GPU was lost' : isReady ? 'stopped' : `this page needs ${needs}`;
        element('info').textContent = data.message;
        offer(data.lost ? 'train' : 'nothing');
    }
  };
  worker.onerror = ({ message }) => {
    status.textContent = 'stopped';
    element('info').textContent = message || 'the worker did not start; is the page served by http?';
    offer('nothing');
  };
}
