/** Every network without arithmetic: keys, counts, shapes, and what it costs. */
import { readFileSync } from 'node:fs';
import { type Module, summary } from '@tessera/nn';
import { meta, ShapeError } from '@tessera/tensor';
import { readGolden } from '@tessera/testkit';
import { describe, expect, it } from 'vitest';
import { alexnetPaper } from '../src/alexnet';
import { googlenet } from '../src/googlenet';
import { inceptionV3 } from '../src/inception';
import { createModel, listModels, type ModelName } from '../src/index';
import { lectureAlexnet, vggLike } from '../src/lecture';
import { type Bottleneck, resnet18, resnet50 } from '../src/resnet';
import { type ModelAttrs, makers } from './golden-rows';

const casesOf = (name: string) =>
  readGolden(readFileSync(new URL(`../golden/${name}.safetensors`, import.meta.url))).cases;
const cases = [...casesOf('models'), ...casesOf('families')].map(({ op, attrs }) => ({
  name: op.slice('model_'.length),
  attrs: attrs as unknown as ModelAttrs,
}));
const sizeOf = (shape: readonly (number | null)[]) => shape.reduce<number>((a, b) => a * (b as number), 1);
const countOf = (model: Module) => model.parameters().reduce((count, { shape }) => count + sizeOf(shape), 0);

describe('keys and shapes are PyTorch’s, in its order', () => {
  it.each(cases)('$name', ({ name, attrs }) => {
    const model = (makers[name] as () => Module)();
    if (attrs.state_dict)
      expect([...model.stateDict()].map(([key, { shape }]) => [key, shape])).toEqual(Object.entries(attrs.state_dict));
    expect(model.namedParameters().map(([key]) => key)).toEqual(attrs.grad_norm_of);
    expect(countOf(model)).toBe(attrs.params);
  });
});

/** Parameters, and billions of multiply-adds of one image of the size that the network is made for. */
const table: Readonly<Record<ModelName, readonly [parameters: number, macs: number]>> = {
  alexnet: [61_100_840, 0.714],
  alexnetPaper: [60_965_224, 0.724],
  overfeatFast: [145_920_872, 2.801],
  overfeatAccurate: [144_656_488, 5.355],
  vgg11: [132_863_336, 7.609],
  vgg11_bn: [132_868_840, 7.609],
  vgg13: [133_047_848, 11.308],
  vgg13_bn: [133_053_736, 11.308],
  vgg16: [138_357_544, 15.47],
  vgg16_bn: [138_365_992, 15.47],
  vgg19: [143_667_240, 19.632],
  vgg19_bn: [143_678_248, 19.632],
  googlenet: [13_004_888, 1.498],
  inception_v3: [27_161_264, 5.713],
  resnet18: [11_689_512, 1.814],
  resnet34: [21_797_672, 3.664],
  resnet50: [25_557_032, 4.089],
  resnet101: [44_549_160, 7.801],
  resnet152: [60_192_808, 11.514],
  resnext50_32x4d: [25_028_904, 4.23],
  resnext101_32x8d: [88_791_336, 16.414],
  resnext101_64x4d: [83_455_272, 15.46],
  wide_resnet50_2: [68_883_240, 11.398],
  wide_resnet101_2: [126_886_696, 22.753],
  plain18: [11_515_688, 1.795],
  plain34: [21_623_848, 3.644],
  cifarResnet20: [269_722, 0.041],
  cifarResnet32: [464_154, 0.069],
  cifarResnet44: [658_586, 0.097],
  cifarResnet56: [853_018, 0.125],
  cifarResnet110: [1_727_962, 0.253],
  cifarResnet1202: [19_421_274, 2.829],
  cifarPlain20: [269_722, 0.041],
  cifarPlain32: [464_154, 0.069],
  cifarPlain44: [658_586, 0.097],
  cifarPlain56: [853_018, 0.125],
  cifarPlain110: [1_727_962, 0.253],
  preactResnet18: [11_687_720, 1.814],
  preactResnet34: [21_795_880, 3.664],
  preactResnet50: [25_549_352, 4.089],
  preactResnet101: [44_541_480, 7.801],
  preactResnet152: [60_185_128, 11.514],
  preactResnet200: [64_666_152, 15.007],
  cifarPreactResnet164: [1_703_258, 0.248],
  cifarPreactResnet1001: [10_327_706, 1.491],
  squeezenet1_0: [1_248_424, 0.819],
  squeezenet1_1: [1_235_496, 0.349],
  densenet121: [7_978_856, 2.834],
  densenet161: [28_681_000, 7.728],
  densenet169: [14_149_480, 3.36],
  densenet201: [20_013_928, 4.291],
  mobilenet_v2: [3_504_872, 0.301],
  lectureAlexnet: [10_719_985_768, 39.076],
  vggLike: [230_603_048, 20.804],
};
const names = Object.keys(table) as ModelName[];
/** Height and width of the images that a network is made for. */
function sideOf(name: ModelName): number {
  const sides: { readonly [N in ModelName]?: number } = {
    overfeatFast: 231,
    overfeatAccurate: 221,
    inception_v3: 299,
    vggLike: 256,
  };
  return sides[name] ?? (name.startsWith('cifar') ? 32 : 224);
}

describe('createModel', () => {
  it('knows the networks of the table, and no others', () => expect(listModels()).toEqual(names));

  it.each(names)('%s has the parameters and multiply-adds of the table', async (name) => {
    const model = await createModel(name);
    const [parameters, macs] = table[name];
    expect(countOf(model)).toBe(parameters);
    expect(summary(model, [null, 3, sideOf(name), sideOf(name)]).macs / 1e9).toBeCloseTo(macs, 3);
  });

  it.each(names)('%s takes other classes and channels, and is its head on its features', async (name) => {
    const model = await createModel(name, { numClasses: 7, inChannels: 1 });
    const images = meta([2, 1, sideOf(name), sideOf(name)]);
    expect(model.forward(images).shape).toEqual([2, 7]);
    expect(model.head(model.features(images)).shape).toEqual([2, 7]);
  });

  it.each<[ModelName, number]>([
    ['alexnet', 16],
    ['vgg16', 32],
    ['vgg16_bn', 97],
    ['resnet18', 122],
    ['resnet50', 320],
    ['resnet152', 932],
    ['googlenet', 364],
    ['inception_v3', 580],
  ])('%s has the %i keys of torchvision’s files', async (name, keys) =>
    expect((await createModel(name)).stateDict().size).toBe(keys),
  );

  it('names the networks that there are where it has none', async () => {
    await expect(createModel('resnet19' as 'resnet18')).rejects.toThrow(
      /^createModel: no network 'resnet19'; there are alexnet, alexnetPaper, /,
    );
    await expect(createModel('toString' as 'resnet18')).rejects.toThrow("no network 'toString'");
  });

  it('goes by torchvision’s names, and no others, where torchvision has the network', async () => {
    expect((await createModel('inception_v3', { numClasses: 2 })).constructor.name).toBe('InceptionV3');
    expect((await createModel('mobilenet_v2', { widthMult: 0.35 })).constructor.name).toBe('MobileNetV2');
    // @ts-expect-error the constructor's name
    await expect(createModel('mobilenetV2')).rejects.toThrow("no network 'mobilenetV2'");
  });

  it('takes the options of the network it makes, and tells its type', async () => {
    const model = await createModel('googlenet', { auxLogits: false });
    expect(countOf(model)).toBe(6_624_904);
    expect(model.aux1).toBe(null);
    // @ts-expect-error AlexNet has no auxiliary heads
    await createModel('alexnet', { auxLogits: false });
  });
});

describe('parameters', () => {
  it('of GoogLeNet and Inception v3 are fewer without auxiliary heads', () => {
    expect(countOf(googlenet({ auxLogits: false }))).toBe(6_624_904);
    expect(countOf(inceptionV3({ auxLogits: false }))).toBe(23_834_568);
  });
  it('of the paper’s AlexNet are more with one tower', () =>
    expect(countOf(alexnetPaper({ groups: 1 }))).toBe(62_378_344));
  it.each([
    [32, 49_676_392],
    [48, 200_671_336],
    [64, 485_884_008],
  ])('of the lecture’s AlexNet follow its images: %i', (size, count) =>
    expect(countOf(lectureAlexnet({ size }))).toBe(count),
  );
});

describe('images of the smallest legal size', () => {
  it.each([
    ['alexnet', 63],
    ['alexnetPaper', 63],
    ['overfeatFast', 231],
    ['overfeatAccurate', 221],
    ['vgg11', 32],
    ['googlenet', 15],
    ['inception_v3', 75],
    ['squeezenet1_0', 21],
    ['squeezenet1_1', 17],
    ['densenet121', 29],
  ] as const)('of %s are %i: they pass, smaller ones throw', async (name, side) => {
    const model = (await createModel(name, { numClasses: 2 })).eval();
    expect(model.forward(meta([1, 3, side, side])).shape).toEqual([1, 2]);
    expect(() => model.forward(meta([1, 3, side - 1, side - 1]))).toThrow(ShapeError);
  });

  it.each(['resnet18', 'cifarResnet20', 'preactResnet18', 'mobilenet_v2'] as const)('of %s are 1', async (name) => {
    const model = (await createModel(name, { numClasses: 2 })).eval();
    expect(model.forward(meta([1, 3, 1, 1])).shape).toEqual([1, 2]);
  });

  it('of the lecture’s networks are told when they are made', () => {
    expect(lectureAlexnet({ size: 24 }).forward(meta([1, 3, 24, 24])).shape).toEqual([1, 1000]);
    expect(() => lectureAlexnet({ size: 23 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: 8 (Conv2d): conv2d: a window of 3 does not fit input [?,384,2,2], which is 2 on spatial axis 0 with its padding; enlarge input or padding]`,
    );
    expect(vggLike({ size: 64 }).forward(meta([2, 3, 64, 64])).shape).toEqual([2, 1000]);
    expect(() => vggLike({ size: 32 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: 41 (MaxPool2d): maxPool2d: windows [2,2] do not fit input [?,2048,1,1] with padding [0,0]; enlarge the input or lower the window; the smallest input that fits is [?,3,64,64]]`,
    );
  });
});

describe('taps', () => {
  /** Channels and height of each map of an image of the size. */
  const maps = {
    resnet50: { C1: [64, 112], C2: [256, 56], C3: [512, 28], C4: [1024, 14], C5: [2048, 7] },
    resnet18: { C1: [64, 112], C2: [64, 56], C3: [128, 28], C4: [256, 14], C5: [512, 7] },
    preactResnet50: { C1: [64, 112], C2: [256, 56], C3: [512, 28], C4: [1024, 14], C5: [2048, 7] },
    cifarResnet20: { C0: [16, 32], C1: [32, 16], C2: [64, 8] },
    cifarPreactResnet164: { C0: [64, 32], C1: [128, 16], C2: [256, 8] },
    alexnet: { C2: [64, 55], C3: [192, 27], C4: [256, 13], C5: [256, 6] },
    alexnetPaper: { C2: [96, 55], C3: [256, 27], C4: [256, 13], C5: [256, 6] },
    overfeatFast: { stage1: [96, 56], stage2: [256, 24], stage3: [1024, 12], stage4: [1024, 6] },
    overfeatAccurate: { stage1: [96, 108], stage2: [256, 30], stage3: [1024, 15], stage4: [1024, 5] },
    vgg16: { C0: [64, 224], C1: [128, 112], C2: [256, 56], C3: [512, 28], C4: [512, 14], C5: [512, 7] },
    vgg19_bn: { C0: [64, 224], C1: [128, 112], C2: [256, 56], C3: [512, 28], C4: [512, 14], C5: [512, 7] },
    googlenet: {
      ...{ C1: [64, 112], C2: [192, 56], C3: [480, 28], inception4a: [512, 14], inception4d: [528, 14] },
      ...{ C4: [832, 14], C5: [1024, 7] },
    },
    inception_v3: { C1: [64, 147], C2: [192, 71], C3: [288, 35], C4: [768, 17], C5: [2048, 8] },
    squeezenet1_0: { C1: [96, 109], C2: [256, 54], C3: [512, 27], C4: [512, 13] },
    squeezenet1_1: { C1: [64, 111], C2: [128, 55], C3: [256, 27], C4: [512, 13] },
    densenet121: { C1: [64, 112], C2: [256, 56], C3: [512, 28], C4: [1024, 14], C5: [1024, 7] },
    mobilenet_v2: { C1: [16, 112], C2: [24, 56], C3: [32, 28], C4: [96, 14], C5: [1280, 7] },
    lectureAlexnet: { C0: [96, 214], C1: [256, 101] },
    vggLike: {
      ...{ C0: [64, 256], C1: [128, 128], C2: [256, 64], C3: [512, 32], C4: [1024, 16], C5: [2048, 8] },
      C6: [2048, 4],
    },
  } as const satisfies { readonly [N in ModelName]?: Readonly<Record<string, readonly [number, number]>> };

  it.each(Object.keys(maps) as (keyof typeof maps)[])('of %s are the last map of each size', async (name) => {
    const model: TappedNetwork = (await createModel(name)).eval();
    const images = meta([null, 3, sideOf(name), sideOf(name)]);
    const wanted = Object.entries<readonly [number, number]>(maps[name]);
    expect(Object.keys(model.stages())).toEqual(wanted.map(([tap]) => tap));
    const tapped = model.features(
      images,
      wanted.map(([tap]) => tap),
    );
    expect(Object.entries(tapped).map(([tap, { shape }]) => [tap, shape])).toEqual(
      wanted.map(([tap, [channels, side]]) => [tap, [null, channels, side, side]]),
    );
    expect(model.features(images).shape).toEqual(Object.values(tapped).at(-1)?.shape);
  });

  it('come in the order of the network, each once, and name those that there are', () => {
    const model = resnet18();
    expect(Object.keys(model.features(meta([1, 3, 64, 64]), ['C4', 'C2', 'C2']))).toEqual(['C2', 'C4']);
    expect(() => model.features(meta([1, 3, 64, 64]), ['C6' as 'C5'])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ResNet.features: no map 'C6'; there are C1, C2, C3, C4, C5]`,
    );
  });

  it('stop the network behind the last of them', () => {
    const model = resnet18();
    let calls = 0;
    model.layer3.registerForwardHook(() => void calls++);
    model.features(meta([1, 3, 64, 64]), ['C2', 'C3']);
    expect(calls).toBe(0);
    model.features(meta([1, 3, 64, 64]), ['C4']);
    expect(calls).toBe(1);
  });
});
interface TappedNetwork {
  stages(): object;
  features(x: ReturnType<typeof meta>): ReturnType<typeof meta>;
  features(x: ReturnType<typeof meta>, taps: readonly string[]): Readonly<Record<string, ReturnType<typeof meta>>>;
}

describe('shapes', () => {
  it('of a ResNet keep their size where dilation replaces stride', () => {
    const model = resnet50({ replaceStrideWithDilation: [false, true, true], inChannels: 1 }).eval();
    expect(model.features(meta([1, 1, 64, 64])).shape).toEqual([1, 2048, 8, 8]);
    const dilations = [...model.layer4].map((block) => (block as Bottleneck).conv2.options.dilation);
    expect(dilations).toEqual([2, 4, 4]);
    expect(() => resnet18({ replaceStrideWithDilation: [false, true, false] })).toThrow(
      'BasicBlock: groups 1, widthPerGroup 64, dilation 2; wants 1, 64 and 1; take a net of bottlenecks (resnet50)',
    );
  });

  it('of a narrow MobileNet are multiples of 8, but of the last map', async () => {
    const model = await createModel('mobilenet_v2', { widthMult: 0.35 });
    const { C1, C3, C5 } = model.features(meta([1, 3, 64, 64]), ['C1', 'C3', 'C5']);
    expect([C1, C3, C5].map(({ shape }) => shape[1])).toEqual([8, 16, 1280]);
    expect(countOf(model)).toBe(1_677_128);
  });
});
