/** The line that moves while the network learns, and a line an epoch. */
import type { EpochEvent, ProgressEvent } from '@tessera/nn';
import { Presets, SingleBar } from 'cli-progress';

export function progressBar() {
  const bar = new SingleBar(
    {
      format: 'epoch {epoch} {bar} {percentage}% | {rate} images/s | loss {loss} | accuracy {accuracy} | {left}s left',
      hideCursor: true,
      noTTYOutput: true,
      notTTYSchedule: 5000,
      gracefulExit: false, // Ctrl-C is the program's to answer
    },
    Presets.shades_classic,
  );
  return {
    show({ step, steps, epoch, epochs, loss, metrics, imagesPerSecond, secondsLeft }: ProgressEvent): void {
      const shown = {
        epoch: `${epoch}/${epochs}`,
        rate: Math.round(imagesPerSecond),
        loss: loss.toFixed(3),
        accuracy: metrics['accuracy']?.toFixed(2),
        left: Math.ceil(secondsLeft ?? 0),
      };
      if (bar.isActive) bar.update(step, shown);
      else bar.start(steps ?? 0, step, shown);
    },
    epoch({ epoch, loss, validation }: EpochEvent): void {
      bar.stop();
      const accuracy = validation?.metrics['accuracy']?.toFixed(3);
      console.log(`epoch ${epoch}: loss ${loss.toFixed(4)}, test accuracy ${accuracy}`);
    },
    stop: () => bar.stop(),
  };
}
