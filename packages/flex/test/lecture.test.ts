/** The lecture's two cells, verbatim but for JavaScript's spelling. Where shapes are inferred no backend is set. */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import * as nn from '@tessera/nn';
import { compile, manualSeed, ones, rand, realize, runtime, setBackend, sub, sum, type Tensor } from '@tessera/tensor';
import { afterEach, describe, expect, it } from 'vitest';
import * as flex from '../src/index';

afterEach(() => {
  runtime.backend?.dispose();
  runtime.backend = null;
  manualSeed(0); // its numbers were on that backend
});

/** Rows of a summary as text: place, layer, output, parameters. */
const rowsOf = (model: nn.Module, side: number) =>
  nn
    .summary(model, [null, 3, side, side])
    .rows.map(({ path, layer, output, parameters }) => `${path} ${layer} ${output.slice(1)} ${parameters}`);

describe('the cell “AlexNet (approximately)”', () => {
  const makeModel = (side = 224) =>
    new nn.Sequential(
      new nn.Input('BDHW', { sizes: [null, 3, side, side] }),
      new flex.Conv2d(2 * 48, [11, 11]),
      new nn.ReLU(),
      new nn.MaxPool2d([2, 2]),
      new flex.Conv2d(2 * 192, [3, 3]),
      new nn.ReLU(),
      new flex.Conv2d(2 * 192, [3, 3]),
      new nn.ReLU(),
      new flex.Conv2d(2 * 128, [3, 3]),
      new nn.Reshape(0, [1, 2, 3]),
      new flex.Linear(4096),
      new nn.ReLU(),
      new flex.Linear(4096),
      new nn.ReLU(),
      new flex.Linear(1000),
    );

  it('has 10,719,985,768 parameters, found without a backend to compute or allocate with', () => {
    const model = makeModel();
    expect(runtime.backend).toBeNull();
    expect(flex.shapeInference(model, [null, 3, 224, 224])).toEqual([null, 1000]);
    expect(rowsOf(model, 224)).toEqual([
      '0 Input 3,224,224 0',
      '1 Conv2d 96,214,214 34944',
      '2 ReLU 96,214,214 0',
      '3 MaxPool2d 96,107,107 0',
      '4 Conv2d 384,105,105 332160',
      '5 ReLU 384,105,105 0',
      '6 Conv2d 384,103,103 1327488',
      '7 ReLU 384,103,103 0',
      '8 Conv2d 256,101,101 884992',
      '9 Reshape 2611456 0',
      '10 Linear 4096 10696527872',
      '11 ReLU 4096 0',
      '12 Linear 4096 16781312',
      '13 ReLU 4096 0',
      '14 Linear 1000 4097000',
    ]);
    const { parameters, rows, macs } = nn.summary(model);
    expect(parameters).toBe(10_719_985_768);
    expect(rows.filter((row) => row.macs).map((row) => Math.round(row.macs / 1e5) / 10)).toEqual([
      1595.9, 3657.8, 14079.2, 9025.2, 10696.5, 16.8, 4.1,
    ]);
    expect(Math.round(macs / 1e5) / 10).toBe(39075.6);
    expect(String(nn.summary(model))).toContain('10,719,985,768 parameters');
    expect(model.parameters().every(({ storage }) => storage === null)).toBe(true);
  });

  it('names layer 10, the bytes wanted, the limit and the mend when it is realised or trained', async () => {
    const backend = await cpu();
    setBackend(backend);
    const before = backend.memory().bytes;
    const model = makeModel();
    flex.shapeInference(model, [null, 3, 224, 224]);
    expect(backend.memory().bytes).toBe(before);
    const limit =
      /^10: .*\[4096,2611456\] needs 42786095104 bytes, the backend holds at most \d+ in one buffer.*stride and pooling/;
    const named = expect.objectContaining({ name: 'BackendError', message: expect.stringMatching(limit) });
    await expect(realize(...model.parameters())).rejects.toEqual(named);
    const step = compile((x: Tensor) => {
      const { value, grads } = valueAndGrad(() => sum(model.forward(x)), model.parameters());
      for (const [i, parameter] of model.parameters().entries()) parameter.assign(sub(parameter, grads[i] as Tensor));
      return value;
    });
    await expect((async () => step(ones([1, 3, 224, 224])))()).rejects.toEqual(named);
    expect(backend.memory().bytes).toBe(before);
  });

  it.each([
    [32, '96,22,22 96,11,11 384,9,9 384,7,7 256,5,5', 6_400, 49_676_392],
    [48, '96,38,38 96,19,19 384,17,17 384,15,15 256,13,13', 43_264, 200_671_336],
    [64, '96,54,54 96,27,27 384,25,25 384,23,23 256,21,21', 112_896, 485_884_008],
  ])('makes of images of side %i the maps %s, rows of %i, and has %i parameters', (side, maps, flat, parameters) => {
    const model = makeModel(side);
    flex.shapeInference(model, [null, 3, side, side]);
    const { rows, parameters: all } = nn.summary(model);
    expect([1, 3, 4, 6, 8].map((place) => rows[place]?.output.slice(1)).join(' ')).toBe(maps);
    expect(rows[9]?.output).toEqual([null, flat]);
    expect(all).toBe(parameters);
  });

  it('classifies 32×32 images with the first forward settling the shapes', async () => {
    setBackend(await cpu());
    const model = makeModel(32).eval();
    const logits = await model.forward(rand([2, 3, 32, 32])).data();
    expect(logits).toHaveLength(2000);
    expect(logits.every(Number.isFinite)).toBe(true);
    expect(new Set(logits).size).toBeGreaterThan(1000);
    expect(nn.summary(model).parameters).toBe(49_676_392);
  });
});

describe('the cell make_vgg_like_model', () => {
  const conv2dBlock = (d: number) => [
    new flex.Conv2d(d, 3, { padding: 1 }),
    new flex.BatchNorm2d(),
    new nn.ReLU(),
    new flex.Conv2d(d, 3, { padding: 1 }),
    new flex.BatchNorm2d(),
    new nn.ReLU(),
    new flex.MaxPool2d(),
  ];
  const makeVggLikeModel = () =>
    new nn.Sequential(
      ...conv2dBlock(64),
      ...conv2dBlock(128),
      ...conv2dBlock(256),
      ...conv2dBlock(512),
      ...conv2dBlock(1024),
      ...conv2dBlock(2048),
      new nn.Flatten(),
      new flex.Linear(4096),
      new flex.BatchNorm(),
      new nn.ReLU(),
      new flex.Linear(4096),
      new flex.BatchNorm(),
      new nn.ReLU(),
      new flex.Linear(1000),
    );

  it('has 230,603,048 parameters, and the table’s maps at 256×256', () => {
    const model = makeVggLikeModel();
    expect(flex.shapeInference(model, [null, 3, 256, 256])).toEqual([null, 1000]);
    const { rows, parameters, macs } = nn.summary(model, [null, 3, 256, 256]);
    expect(parameters).toBe(230_603_048);
    expect(Math.round(macs / 1e5) / 10).toBe(20803.6);
    const block = (b: number) => [6, 0, 3, 1, 4].map((layer) => rows[7 * b + layer]);
    expect(
      [0, 1, 2, 3, 4, 5].map((b) => {
        const [pool, first, second, ...norms] = block(b);
        const inNorms = norms.reduce((sum, row) => sum + (row?.parameters ?? 0), 0);
        return `${pool?.output.slice(1)}: ${first?.parameters} + ${second?.parameters}, ${inNorms}`;
      }),
    ).toEqual([
      '64,128,128: 1792 + 36928, 256',
      '128,64,64: 73856 + 147584, 512',
      '256,32,32: 295168 + 590080, 1024',
      '512,16,16: 1180160 + 2359808, 2048',
      '1024,8,8: 4719616 + 9438208, 4096',
      '2048,4,4: 18876416 + 37750784, 8192',
    ]);
    expect([43, 44, 46, 47, 49].map((place) => rows[place]?.parameters)).toEqual([
      134_221_824, 8192, 16_781_312, 8192, 4_097_000,
    ]);
    expect(rows[42]?.output).toEqual([null, 32_768]);
    expect(model[44]).toBeInstanceOf(nn.BatchNorm1d);
  });

  it('takes 64×64 images, and names layer 41 and that size where they are 32×32', () => {
    const model = makeVggLikeModel();
    expect(() => flex.shapeInference(model, [null, 3, 32, 32])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: 41 (MaxPool2d): maxPool2d: windows [2,2] do not fit input [?,2048,1,1] with padding [0,0]; enlarge the input or lower the window; the smallest input that fits is [?,3,64,64]]`,
    );
    expect(flex.shapeInference(model, [null, 3, 64, 64])).toEqual([null, 1000]);
    expect(nn.summary(model, [null, 3, 64, 64]).rows[41]?.output).toEqual([null, 2048, 1, 1]);
  });

  it('refuses to train on one image, whose channels have one value each behind the linear layers', () => {
    const model = new nn.Sequential(new nn.Flatten(), new flex.Linear(4), new flex.BatchNorm());
    expect(() => model.forward(rand([1, 3, 2, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: 2 (BatchNorm): batchNorm: input [1,4] has one value a channel, whose variance is 0; train with larger batches]`,
    );
    expect(model.eval().forward(rand([1, 3, 2, 2])).shape).toEqual([1, 4]);
  });
});
