/** The networks of the bench, without dropout, so that everyone's losses are equal; without auxiliary heads. */
import type { Module } from '@tessera/nn';

export interface Net {
  readonly title: string;
  /** Height and width of the images. */
  readonly size: number;
  /** PyTorch's time may be passed by this factor: 128-bit SIMD has half of its arithmetic, but Winograd makes up for some of it. */
  readonly torch: 1.3 | 1.8;
  readonly make: () => Promise<Module>;
}

/** 1.3 where most of the arithmetic is in 3×3 convolutions of stride 1. */
export const nets = {
  lectureAlexnet: {
    title: 'lecture AlexNet, 48²',
    size: 48,
    torch: 1.8,
    make: async () => (await import('@tessera/zoo/lecture')).lectureAlexnet({ size: 48 }),
  },
  vggLike: {
    title: 'lecture VGG-like, 64²',
    size: 64,
    torch: 1.3,
    make: async () => (await import('@tessera/zoo/lecture')).vggLike({ size: 64 }),
  },
  alexnet: {
    title: 'AlexNet',
    size: 224,
    torch: 1.8,
    make: async () => (await import('@tessera/zoo/alexnet')).alexnet({ dropout: 0 }),
  },
  vgg16: {
    title: 'VGG-16',
    size: 224,
    torch: 1.3,
    make: async () => (await import('@tessera/zoo/vgg')).vgg16({ dropout: 0 }),
  },
  resnet18: {
    title: 'ResNet-18',
    size: 224,
    torch: 1.3,
    make: async () => (await import('@tessera/zoo/resnet')).resnet18(),
  },
  resnet50: {
    title: 'ResNet-50',
    size: 224,
    torch: 1.8,
    make: async () => (await import('@tessera/zoo/resnet')).resnet50(),
  },
  inceptionV3: {
    title: 'Inception v3',
    size: 299,
    torch: 1.8,
    make: async () => (await import('@tessera/zoo/inception')).inceptionV3({ auxLogits: false, dropout: 0 }),
  },
  mobilenetV2: {
    title: 'MobileNet v2',
    size: 224,
    torch: 1.8,
    make: async () => (await import('@tessera/zoo/mobilenet')).mobilenetV2({ dropout: 0 }),
  },
} satisfies Record<string, Net>;

export type NetName = keyof typeof nets;
/** Forward of the fused model, or forward, backward and SGD with momentum. */
export type Pass = 'forward' | 'train';
