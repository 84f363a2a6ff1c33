/** The training: `fit` with a checkpoint an epoch, a validation and a signal. */
import { join } from 'node:path';
import { batches, randomShift } from '@tessera/data';
import * as nn from '@tessera/nn';
import { crossEntropy, manualSeed, tensor } from '@tessera/tensor';
import { topK } from '@tessera/zoo/topk';
import { Classifier, prepare, pretrained, side } from './model';
import type { Options } from './options';
import { loadTiles, photographs, type Tiles } from './photos';
import { progressBar } from './progress';

/** Trains, and shows some answers. → share of the test tiles that is right, or null where the signal stopped it. */
export async function finetune(options: Options, signal: AbortSignal): Promise<number | null> {
  const { epochs, seed, out, resume, tile } = options;
  const { train, test } = loadTiles(tile);
  const backbone = await pretrained(out);
  manualSeed(seed); // only now: the network that was loaded drew numbers of its own
  const model = new Classifier(backbone, photographs.length);
  const { parameters, trainable } = nn.summary(model, [null, 3, side, side]);
  console.log(
    `${train.label.shape} tiles to learn, ${test.label.shape} for the test; ${number(trainable)} of ${number(parameters)} parameters train`,
  );

  const data = batches(train, {
    size: 16,
    shuffle: true,
    seed,
    dropLast: true,
    transform: ({ image, label }, draw) => ({ image: randomShift(image, tile >> 4, draw), label }),
  });
  const optimizer = new nn.AdamW(model.trainableParameters());
  const checkpoint = join(out, 'checkpoint.safetensors');
  const bar = progressBar();
  const { reason, steps, ...result } = await nn
    .fit(model, {
      data,
      input: ({ image }) => prepare(image),
      loss: crossEntropy,
      optimizer,
      schedule: new nn.OneCycleLR(optimizer, { maxLr: 0.03, totalSteps: epochs * data.length }),
      epochs,
      metrics: { accuracy: nn.accuracy },
      validation: batches(test, { size: 16 }),
      checkpoint: { to: checkpoint },
      resume: resume ? checkpoint : null,
      signal,
      onProgress: bar.show,
      onEpoch: bar.epoch,
    })
    .finally(bar.stop);
  if (reason === 'aborted') {
    const goOn = steps
      ? `step ${steps}; go on with: npm start -- --resume --out ${out}`
      : 'the start; nothing was saved';
    console.log(`stopped at ${goOn}`);
    return null;
  }
  await nn.saveSafetensors(model.head.stateDict(), join(out, 'head.safetensors'));
  await showAnswers(model, test);
  return result.epochs.at(-1)?.validation?.metrics['accuracy'] ?? null;
}

/** The first test tile of each photograph, and the photographs that it is most probably of. */
async function showAnswers(model: Classifier, { image, label }: Tiles): Promise<void> {
  model.eval();
  const pixels = image.data.length / label.data.length;
  for (const [i, name] of photographs.entries()) {
    const at = label.data.indexOf(i) * pixels;
    const tile = tensor(image.data.subarray(at, at + pixels), { shape: [1, ...image.shape.slice(1)] });
    const [best = []] = await topK(model.forward(prepare(tile)), photographs, 3);
    const answers = best.map((answer) => `${answer.label} ${(100 * answer.probability).toFixed(0)} %`);
    console.log(`a tile of ${name}: ${answers.join(', ')}`);
  }
}

const number = (value: number): string => value.toLocaleString('en-US');
