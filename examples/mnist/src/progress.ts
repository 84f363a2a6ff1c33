/** The line that moves while the network learns: images a second, loss, accuracy, time left. */
import { Presets, SingleBar } from 'cli-progress';
import { type History, recent } from './history';

export interface ProgressBar {
  /** Shows where the history stands. */
  update(): void;
  stop(): void;
}

/** Steps that loss and accuracy are averaged over; the latest alone would flicker. */
const window = 50;

export function progressBar(
  history: History,
  { epochs, steps, batch }: { epochs: number; steps: number; batch: number },
): ProgressBar {
  const first = history.losses.length;
  const begin = performance.now();
  const bar = new SingleBar(
    {
      format: 'epoch {epoch} {bar} {percentage}% | {rate} images/s | loss {loss} | accuracy {accuracy} | {left} left',
      hideCursor: true,
      noTTYOutput: true,
      notTTYSchedule: 5000,
      fps: 8,
      // Ctrl-C is the program's to answer.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const shown = () => {
    const done = history.losses.length;
    const seconds = (performance.now() - begin) / 1000;
    const rate = (done - first) / seconds;
    return {
      epoch: `${Math.min(epochs, Math.floor((done * epochs) / steps) + 1)}/${epochs}`,
      rate: done > first ? Math.round(rate * batch) : '–',
      loss: done ? recent(history.losses, window).toFixed(4) : '–',
      accuracy: done ? `${(100 * recent(history.accuracies, window)).toFixed(1)}%` : '–',
      left: done > first ? duration((steps - done) / rate) : '–',
    };
  };
  bar.start(steps, first, shown());
  return {
    update: () => bar.update(history.losses.length, shown()),
    stop: () => bar.stop(),
  };
}

export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
}
