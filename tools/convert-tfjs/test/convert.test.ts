import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@tessera/backend-cpu';
import { loadSafetensors, saveSafetensors } from '@tessera/nn';
import { adaptiveAvgPool2d, div, interpolate, permute, setBackend, softmax, tensor } from '@tessera/tensor';
import { inceptionV3 } from '@tessera/zoo/inception';
import jpeg from 'jpeg-js';
import { InceptionV3Model } from 'nsfwjs/models/inception_v3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convert, type LayersModel } from '../convert.ts';
import answers from './fixtures/answers.json';

let backend: Awaited<ReturnType<typeof cpu>>;
let folder: string;
let json: LayersModel;
let shards: Uint8Array[];
beforeAll(async () => {
  backend = await cpu();
  setBackend(backend);
  folder = await mkdtemp(join(tmpdir(), 'tessera-convert-'));
  json = (await InceptionV3Model.modelJson()).default as unknown as LayersModel;
  const texts = await Promise.all(
    InceptionV3Model.weightBundles.map(async (bundle) => (await bundle()).default as unknown as string),
  );
  shards = texts.map((text) => Buffer.from(text, 'base64'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  backend.dispose();
});

/** As nsfwjs does: [0,1], stretched to 299×299 with the corners in the corners. */
function photo(name: string) {
  const file = readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
  const { data, width, height } = jpeg.decode(file, { formatAsRGBA: false, useTArray: true });
  const image = permute(tensor(Float32Array.from(data), { shape: [1, height, width, 3] }), [0, 3, 1, 2]);
  return interpolate(div(image, 255), { size: 299, mode: 'bilinear', alignCorners: true });
}

/** The furthest that two rows of numbers are apart. */
const apart = (ours: ArrayLike<number>, theirs: readonly number[]): number =>
  Math.max(...theirs.map((value, i) => Math.abs(value - (ours[i] as number))));

describe('convert', () => {
  it('makes a network that says of photos what nsfwjs says', async () => {
    const { tensors, options } = convert(json, shards);
    expect(options).toEqual({ variant: 'keras', auxLogits: false, numClasses: 5, hidden: [256, 128] });
    const path = join(folder, 'nsfw.safetensors');
    await saveSafetensors(tensors, path, { metadata: { options: JSON.stringify(options) } });
    const { tensors: read, metadata } = await loadSafetensors(path);
    const network = inceptionV3(JSON.parse(metadata['options'] as string) as typeof options).eval();
    network.loadStateDict(read);
    for (const [file, { classes, features }] of Object.entries(answers)) {
      const map = network.features(photo(file));
      const pooled = await adaptiveAvgPool2d(map, 1).data();
      const ours = await softmax(network.head(map), 1).data();
      const theirs = ['Drawing', 'Hentai', 'Neutral', 'Porn', 'Sexy'] as const;
      expect(
        apart(
          ours,
          theirs.map((name) => classes[name]),
        ),
      ).toBeLessThan(1e-3);
      const sampled = pooled.filter((_, i) => i % 32 === 0);
      expect(apart(sampled, features)).toBeLessThan(1e-5);
    }
    // the features tell: averages that count the padding are another network
    const other = inceptionV3({ ...options, variant: 'torchvision' }).eval();
    other.loadStateDict(read);
    const pooled = await adaptiveAvgPool2d(other.features(photo('cat.jpg')), 1).data();
    const sampled = pooled.filter((_, i) => i % 32 === 0);
    expect(apart(sampled, answers['cat.jpg'].features)).toBeGreaterThan(1e-3);
  });

  const edited = (change: (copy: LayersModel) => void) => {
    const copy = structuredClone(json);
    change(copy);
    return copy;
  };
  const layer = (model: LayersModel, name: string) => {
    const { layers } = model.modelTopology.model_config.config;
    return layers.find((one) => one.name === name) as { config: Record<string, unknown>; class_name: string };
  };
  it.each<[string, () => LayersModel, () => Uint8Array[], string]>([
    [
      'another stride',
      () => edited((copy) => void (layer(copy, 'conv2d_1').config['strides'] = [1, 1])),
      () => shards,
      'conv2d_1 has strides [1,1], wants [2,2]',
    ],
    [
      'a convolution fewer',
      () => edited((copy) => void (layer(copy, 'conv2d_9').class_name = 'Other')),
      () => shards,
      '93 convolutions, wants the 94 of Inception v3',
    ],
    ['a shard that is missing', () => json, () => shards.slice(0, -1), 'is a shard missing?'],
    ['a shard too many', () => json, () => [...shards, Uint8Array.of(1)], '1 bytes follow the weights'],
    [
      'weights stored otherwise',
      () => edited((copy) => Object.assign(copy.weightsManifest[0]?.weights[0] as object, { dtype: 'complex64' })),
      () => shards,
      'batch_normalization_1/beta is complex64 stored as uint8',
    ],
  ])('refuses %s', (_, model, files, message) => {
    const refused = () => convert(model(), files());
    expect(refused).toThrow(expect.objectContaining({ name: 'LoadError', message: expect.stringContaining(message) }));
  });
});
