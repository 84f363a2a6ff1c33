/**
 * What nsfwjs says of the photos in test/fixtures, written beside them. Once, by hand:
 *   cd tools/convert-tfjs/answers && npm ci --ignore-scripts --engine-strict=false && node main.mjs
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import jpeg from 'jpeg-js';
import { load } from 'nsfwjs/core';
import { InceptionV3Model } from 'nsfwjs/models/inception_v3';

await tf.setBackend('cpu');
const net = await load('InceptionV3', { modelDefinitions: [InceptionV3Model] });
const fixtures = new URL('../test/fixtures/', import.meta.url);
const answers = {};
for (const name of readdirSync(fixtures).filter((file) => file.endsWith('.jpg'))) {
  const { data, width, height } = jpeg.decode(readFileSync(new URL(name, fixtures)), {
    formatAsRGBA: false,
    useTArray: true,
  });
  const image = tf.tensor3d(Int32Array.from(data), [height, width, 3], 'int32');
  const pooled = await net.infer(image, 'flatten_1').data();
  answers[name] = {
    classes: Object.fromEntries(
      (await net.classify(image)).map(({ className, probability }) => [className, probability]),
    ),
    // every 32nd of the 2048 features: where classes are as good as certain, these still tell
    features: [...pooled].filter((_, i) => i % 32 === 0),
  };
  console.log(name, answers[name].classes);
}
writeFileSync(new URL('answers.json', fixtures), `${JSON.stringify(answers, null, 1)}\n`);
