/** The lecture's VGG-like network: its shapes at 256×256, then a training of it on small pictures by `nn.fit`. */
import { cpu } from '@tessera/backend-cpu';
import { batches } from '@tessera/data';
import * as flex from '@tessera/flex';
import * as nn from '@tessera/nn';
import { crossEntropy, manualSeed, setBackend } from '@tessera/tensor';
import { Command } from 'commander';
import { makeVggLikeModel } from './model';
import { draw } from './shapes';

const { narrow, images, epochs, seed } = new Command('npm start --')
  .description('Trains the lecture’s VGG-like network on drawn shapes of 64×64 pixels.')
  .option('--narrow <n>', 'divides the width of all layers: 1, 2, 4 … 32', Number, 8)
  .option('--images <n>', 'to train on', Number, 480)
  .option('--epochs <n>', 'passes over them', Number, 4)
  .option('--seed <n>', 'pictures, initial weights and order follow from it', Number, 0)
  .parse()
  .opts<{ narrow: number; images: number; epochs: number; seed: number }>();

const lecture = makeVggLikeModel();
flex.shapeInference(lecture, [null, 3, 256, 256]);
console.log(String(nn.summary(lecture, [null, 3, 256, 256])));

const backend = await cpu();
setBackend(backend);
manualSeed(seed);
const side = 64;
const [train, test] = [await draw(images, side), await draw(120, side)];
const model = makeVggLikeModel(narrow);
flex.shapeInference(model, [null, 3, side, side]);
console.log(
  `\ntraining ${nn.summary(model, [null, 3, side, side]).parameters.toLocaleString('en-US')} parameters on ${images} pictures of ${side}×${side}`,
);

const data = batches(train, { size: 16, shuffle: true, seed, dropLast: true });
const optimizer = new nn.AdamW(model.parameters());
const { epochs: done } = await nn.fit(model, {
  data,
  loss: crossEntropy,
  optimizer,
  schedule: new nn.OneCycleLR(optimizer, { maxLr: 0.003, totalSteps: epochs * data.length }),
  epochs,
  metrics: { accuracy: nn.accuracy },
  validation: batches(test, { size: 60 }),
  onEpoch: ({ epoch, loss, validation }) =>
    console.log(
      `epoch ${epoch}: loss ${loss.toFixed(3)}, test accuracy ${validation?.metrics['accuracy']?.toFixed(3)}`,
    ),
});
backend.dispose();
console.log(`accuracy ${done.at(-1)?.validation?.metrics['accuracy']?.toFixed(2)}`);
