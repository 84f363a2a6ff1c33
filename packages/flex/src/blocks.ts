/**
 * Blocks of flex layers, after torchmore's combos, for images [N,C,H,W]. Those that are lists are spliced into a model:
 * `new nn.Sequential(...convBlock(64, { pool: 2 }), ...fcBlock([4096, 10]))`.
 */
import {
  Additive,
  Dropout2d,
  Flatten,
  FractionalMaxPool2d,
  Identity,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
  Shortcut,
} from '@tessera/nn';
import { ArgumentError } from '@tessera/tensor';
import { Conv2d, ConvTranspose2d } from './conv';
import { Linear } from './linear';
import { BatchNorm } from './norm';

export interface BlockOptions {
  /** A norm after each layer but the last of a fcBlock. Default true. */
  readonly batchNorm?: boolean;
  /** What follows the norm. Default ReLU. */
  readonly nonlinearity?: () => Module;
}
export interface ConvBlockOptions extends BlockOptions {
  /** Of each convolution, whose padding is half of it: an odd one keeps the sizes. Default 3. */
  readonly kernelSize?: number;
  /** Convolutions one after the other. Default 1. */
  readonly repeat?: number;
  /** Window of the max pooling at the end. Default none. */
  readonly pool?: number | null;
  /** Or the share of height and width that fractional max pooling of 3×3 windows leaves. Default none. */
  readonly fractionalPool?: number | null;
}

/** `repeat` times conv → norm → nonlinearity, then max pooling: [N,C,H,W] → [N,channels,H/pool,W/pool]. combos.conv2d_block
 *  @throws ArgumentError for both kinds of pooling. */
export function convBlock(channels: number, options: ConvBlockOptions = {}): Module[] {
  const { kernelSize = 3, repeat = 1, pool = null, fractionalPool = null, ...rest } = options;
  if (pool !== null && fractionalPool !== null)
    throw new ArgumentError(`convBlock: pool ${pool} and fractionalPool ${fractionalPool}; wants one of them`);
  return [
    ...Array.from({ length: repeat }, () => withNorm(convolution(channels, kernelSize), rest)).flat(),
    ...(pool === null ? [] : [new MaxPool2d(pool)]),
    ...(fractionalPool === null ? [] : [new FractionalMaxPool2d(3, { outputRatio: fractionalPool })]),
  ];
}
const convolution = (channels: number, kernelSize: number): Module =>
  new Conv2d(channels, kernelSize, { padding: Math.floor(kernelSize / 2) });
const withNorm = (layer: Module, { batchNorm = true, nonlinearity = () => new ReLU() }: BlockOptions): Module[] => [
  layer,
  ...(batchNorm ? [new BatchNorm()] : []),
  nonlinearity(),
];

/** Flatten, then linear → norm → nonlinearity for each size, the last linear layer bare: [N,…] → [N,sizes.at(−1)].
 *  combos.fc_block @throws ArgumentError without sizes. */
export function fcBlock(sizes: readonly number[], options: BlockOptions = {}): Module[] {
  const last = lastOf('fcBlock', sizes);
  const hidden = sizes.slice(0, -1).flatMap((size) => withNorm(new Linear(size), options));
  return [new Flatten(), ...hidden, new Linear(last)];
}
function lastOf(block: string, sizes: readonly number[]): number {
  const last = sizes.at(-1);
  if (last === undefined) throw new ArgumentError(`${block}: no sizes; wants at least one`);
  return last;
}

export interface ResidualOptions {
  /** Of the convolutions, of the one in the middle of a bottleneck. Default 3. */
  readonly kernelSize?: number;
  /** Channels between two 1×1 convolutions, as in ResNet-50. Default: two convolutions of all channels. */
  readonly bottleneck?: number | null;
  /** What the block is added to. Default x itself, which must have `channels` then. */
  readonly identity?: Module;
  /** What follows the sum. Default BatchNorm; there is no ReLU. */
  readonly post?: Module | null;
}
/** post(identity(x) + norm(conv(relu(norm(conv(x)))))): [N,channels,H,W] → the same. combos.ResnetBlock, ResnetBottleneck
 *  @throws forward: ShapeError where x has other channels and `identity` does not change them. */
export function residual(channels: number, options: ResidualOptions = {}): Additive {
  const { kernelSize = 3, bottleneck = null, identity = new Identity(), post = new BatchNorm() } = options;
  const between = bottleneck ?? channels;
  const block = new Sequential(
    ...withNorm(convolution(between, bottleneck === null ? kernelSize : 1), {}),
    ...(bottleneck === null ? [] : withNorm(convolution(between, kernelSize), {})),
    convolution(channels, bottleneck === null ? kernelSize : 1),
    new BatchNorm(),
  );
  return new Additive([identity, block], { post });
}

export interface UnetOptions {
  /** Convolutions before and after each level's bridge, and at the bottom. Default 2. */
  readonly repeat?: number;
  /** Share of channels left out after each level in training: of all, or a level each. Default 0. */
  readonly dropout?: number | readonly number[];
  /** Norms after the convolutions. Default false. */
  readonly batchNorm?: boolean;
}
/**
 * U-Net with a level for each of `sizes`: [N,C,H,W] → [N,sizes[0],H,W], H and W multiples of 2^(levels − 1). A level is conv-ReLU
 * twice → a bridge [N,d,H,W] → [N,2d,H,W], which joins its input to what max pooling, the levels below and a transposed
 * convolution of stride 2 make of it → conv-ReLU twice, back to d. combos.make_unet with UnetLayer2 (Ronneberger 2015)
 * @throws ArgumentError without sizes; forward: ShapeError where H or W do not halve.
 */
export function unet(sizes: readonly number[], options: UnetOptions = {}): Sequential {
  lastOf('unet', sizes);
  const { repeat = 2, dropout = 0, batchNorm = false } = options;
  const [channels, ...below] = sizes as readonly [number, ...number[]];
  const [share, ...sharesBelow] = typeof dropout === 'number' ? sizes.map(() => dropout) : dropout;
  const convolutions = () => convBlock(channels, { repeat, batchNorm });
  const dropped = share ? [new Dropout2d(share)] : [];
  if (!below.length) return new Sequential(...convolutions(), ...dropped);
  const up = new ConvTranspose2d(channels, 3, { stride: 2, padding: 1, outputPadding: 1 });
  const bridge = new Shortcut([new MaxPool2d(2), unet(below, { ...options, dropout: sharesBelow }), up]);
  return new Sequential(...convolutions(), bridge, ...convolutions(), ...dropped);
}
