/** Every network without arithmetic: torchvision's keys and shapes, and the counts of its table. */
import { readFileSync } from 'node:fs';
import type { Module } from '@tessera/nn';
import { meta } from '@tessera/tensor';
import { readGolden } from '@tessera/testkit';
import { describe, expect, it } from 'vitest';
import { alexnet } from '../src/alexnet';
import { googlenet } from '../src/googlenet';
import { inceptionV3 } from '../src/inception';
import * as resnet from '../src/resnet';
import * as vgg from '../src/vgg';
import { type ModelAttrs, makers } from './golden-rows';

const file = readGolden(readFileSync(new URL('../golden/models.safetensors', import.meta.url)));
const sizeOf = (shape: readonly (number | null)[]) => shape.reduce<number>((a, b) => a * (b as number), 1);
const countOf = (model: Module) => model.parameters().reduce((count, { shape }) => count + sizeOf(shape), 0);

describe('keys and shapes are torchvision’s, in its order', () => {
  it.each(file.cases)('$op', ({ op, attrs }) => {
    const model = (makers[op.slice('model_'.length)] as () => Module)();
    const { params, state_dict, grad_norm_of } = attrs as unknown as ModelAttrs;
    expect([...model.stateDict()].map(([key, { shape }]) => [key, shape])).toEqual(Object.entries(state_dict));
    expect(model.namedParameters().map(([key]) => key)).toEqual(grad_norm_of);
    expect(countOf(model)).toBe(params);
  });
});

describe('parameters', () => {
  it.each([
    ['alexnet', alexnet, 61_100_840],
    ['vgg11', vgg.vgg11, 132_863_336],
    ['vgg11_bn', vgg.vgg11_bn, 132_868_840],
    ['vgg13', vgg.vgg13, 133_047_848],
    ['vgg13_bn', vgg.vgg13_bn, 133_053_736],
    ['vgg16', vgg.vgg16, 138_357_544],
    ['vgg16_bn', vgg.vgg16_bn, 138_365_992],
    ['vgg19', vgg.vgg19, 143_667_240],
    ['vgg19_bn', vgg.vgg19_bn, 143_678_248],
    ['resnet18', resnet.resnet18, 11_689_512],
    ['resnet34', resnet.resnet34, 21_797_672],
    ['resnet50', resnet.resnet50, 25_557_032],
    ['resnet101', resnet.resnet101, 44_549_160],
    ['resnet152', resnet.resnet152, 60_192_808],
    ['resnext50_32x4d', resnet.resnext50_32x4d, 25_028_904],
    ['resnext101_32x8d', resnet.resnext101_32x8d, 88_791_336],
    ['resnext101_64x4d', resnet.resnext101_64x4d, 83_455_272],
    ['wide_resnet50_2', resnet.wide_resnet50_2, 68_883_240],
    ['wide_resnet101_2', resnet.wide_resnet101_2, 126_886_696],
    ['googlenet', googlenet, 13_004_888],
    ['inceptionV3', inceptionV3, 27_161_264],
  ] as const)('%s', (_, make, count) => expect(countOf(make())).toBe(count));

  it('of GoogLeNet and Inception v3 are fewer without auxiliary heads', () => {
    expect(countOf(googlenet({ auxLogits: false }))).toBe(6_624_904);
    expect(countOf(inceptionV3({ auxLogits: false }))).toBe(23_834_568);
  });
});

describe('shapes', () => {
  it.each([
    ['alexnet', alexnet({ numClasses: 10 }), 224, [1, 256, 6, 6]],
    ['vgg11_bn', vgg.vgg11_bn({ numClasses: 10 }), 224, [1, 512, 7, 7]],
    ['resnet18', resnet.resnet18({ numClasses: 10 }), 224, [1, 512, 7, 7]],
    ['resnet50', resnet.resnet50({ numClasses: 10 }), 224, [1, 2048, 7, 7]],
    ['googlenet', googlenet({ numClasses: 10 }), 224, [1, 1024, 7, 7]],
    ['inceptionV3', inceptionV3({ numClasses: 10 }), 299, [1, 2048, 8, 8]],
  ] as const)('%s: the last map, then one logit a class', (_, model, size, map) => {
    const features = model.eval().features(meta([1, 3, size, size]));
    expect(features.shape).toEqual(map);
    expect(model.head(features).shape).toEqual([1, 10]);
  });

  it('of a ResNet keep their size where dilation replaces stride', () => {
    const model = resnet.resnet50({ replaceStrideWithDilation: [false, true, true], inChannels: 1 }).eval();
    expect(model.features(meta([1, 1, 64, 64])).shape).toEqual([1, 2048, 8, 8]);
    const dilations = [...model.layer4].map((block) => (block as resnet.Bottleneck).conv2.options.dilation);
    expect(dilations).toEqual([2, 4, 4]);
    expect(() => resnet.resnet18({ replaceStrideWithDilation: [false, true, false] })).toThrow(
      'BasicBlock: groups 1, widthPerGroup 64, dilation 2; wants 1, 64 and 1; take a net of bottlenecks (resnet50)',
    );
  });
});
