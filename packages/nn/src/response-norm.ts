/** Local response normalisation: each value is divided by what its neighbours come to. */
import {
  ArgumentError,
  abs,
  add,
  avgPool2d,
  conv2d,
  div,
  flatten,
  mul,
  pad,
  pow,
  reshape,
  ShapeError,
  showShape,
  square,
  type Tensor,
  tensor,
  wantWord,
} from '@tessera/tensor';
import { Module } from './module';
import type { Maps, shapes } from './types';
import { wantCount } from './want-count';

/** torch.nn.LocalResponseNorm's settings. */
export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}
/** Every setting of y = x / (k + outer·(inner + alpha·S + eps)^beta), S = K ∗ |x|^gamma. */
export interface ResponseSettings {
  /** Neighbours: channels at the same place, or places of the same channel. */
  readonly window: 'channel' | 'spatial';
  /** n; the window begins ⌊n/2⌋ before, and is zero beyond the border. */
  readonly size: number;
  /** K's weights: 1 each; 1 within n/2 of the centre; e^(−d²/2σ²) with σ = n/4. Default 'box'. */
  readonly kernel?: 'box' | 'disk' | 'gaussian';
  /** Divide K by the sum of its weights, at the border too. Default false. */
  readonly average?: boolean;
  /** Default 0. */
  readonly k?: number;
  /** Default 0. */
  readonly inner?: number;
  /** Default 1. */
  readonly alpha?: number;
  /** Default 1. */
  readonly outer?: number;
  /** Default 2. */
  readonly gamma?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Keeps the power's slope finite where nothing responds. Default 0. */
  readonly eps?: number;
}

/** Settings of the literature, for `new LocalResponseNorm(responseSettings.paper)`; change one with `{ ...preset, size: 3 }`. */
export const responseSettings = {
  /** AlexNet (Krizhevsky 2012): x / (2 + 1e-4·Σ x²)^0.75 over five channels. */
  paper: { window: 'channel', size: 5, inner: 2, alpha: 1e-4 },
  /** torch.nn.LocalResponseNorm(5): x / (1 + 1e-4·mean x²)^0.75. */
  torch: { window: 'channel', size: 5, average: true, inner: 1, alpha: 1e-4 },
  /** tf.nn.local_response_normalization, depth_radius 5: x / (1 + Σ x²)^0.5 over eleven channels. */
  tensorflow: { window: 'channel', size: 11, inner: 1, beta: 0.5 },
  /** The lecture's slide: x / (2 + 1e-4·(Σ x²)^0.75) over 5 × 5 places. */
  slide: { window: 'spatial', size: 5, k: 2, outer: 1e-4, eps: 1e-12 },
  /** x / √(mean x² + 1e-5) over 5 × 5 places. */
  variance: { window: 'spatial', size: 5, average: true, beta: 0.5, eps: 1e-5 },
} as const satisfies Readonly<Record<string, ResponseSettings>>;

/**
 * y = x / (k + outer·(inner + alpha·S + eps)^beta), S = K ∗ |x|^gamma over neighbouring channels or places.
 * `new LocalResponseNorm(size, { alpha, beta, k })` is torch.nn.LocalResponseNorm: x / (k + alpha/size·Σ x²)^beta.
 * x [N,C,…] for channels, [N,C,H,W] for places → the same.
 * @throws ArgumentError for a size below 1, or a round window of channels; forward: ShapeError for another rank.
 */
export class LocalResponseNorm extends Module {
  declare readonly [shapes]: Maps<'LocalResponseNorm', '[N,C,…]', number>;
  readonly settings: Required<ResponseSettings>;

  constructor(size: number | ResponseSettings, options: LocalResponseNormOptions = {}) {
    super();
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    const given: ResponseSettings =
      typeof size === 'number' ? { window: 'channel', size, average: true, alpha, beta, inner: k } : size;
    const numbers = { k: 0, inner: 0, alpha: 1, outer: 1, gamma: 2, beta: 0.75, eps: 0 };
    this.settings = { kernel: 'box', average: false, ...numbers, ...given };
    wantWord('LocalResponseNorm', 'window', this.settings.window, ['channel', 'spatial']);
    wantWord('LocalResponseNorm', 'kernel', this.settings.kernel, ['box', 'disk', 'gaussian']);
    wantCount('LocalResponseNorm', 'size', given.size);
    if (this.settings.window === 'channel' && this.settings.kernel === 'disk')
      throw new ArgumentError(`LocalResponseNorm: a disk of channels is a box; take kernel 'box' or window 'spatial'`);
  }

  forward(x: Tensor): Tensor {
    const { k, inner, alpha, outer, gamma, beta, eps, window } = this.settings;
    if (window === 'channel' ? x.rank < 3 : x.rank !== 4)
      throw new ShapeError(
        `localResponseNorm: input ${showShape(x.shape)} has rank ${x.rank}, wants ${window === 'channel' ? '[N,C,…]' : '[N,C,H,W]'}; reshape it first`,
      );
    const powers = gamma === 2 ? square(x) : pow(abs(x), gamma);
    const inside = add(mul(response(this.settings, powers), alpha), inner + eps);
    const divisor = mul(pow(inside, beta), outer);
    return div(x, k === 0 ? divisor : add(divisor, k));
  }
}

/** K ∗ powers, of the same shape. */
function response(settings: Required<ResponseSettings>, powers: Tensor): Tensor {
  const { window, size, kernel, average } = settings;
  const height = size;
  const width = window === 'channel' ? 1 : size;
  // Planes [N,1,C,places] or [N·C,1,H,W], which a window of one channel passes over.
  const flat = window === 'channel' ? flatten(powers, 2) : flatten(powers, 0, 1);
  const plane = reshape(flat, [flat.shape[0] as number | null, 1, ...flat.shape.slice(1)]);
  const around = (n: number): [number, number] => [Math.floor(n / 2), Math.floor((n - 1) / 2)];
  const padded = pad(plane, [...around(width), ...around(height)]);
  const weights = windowWeights(kernel, height, width);
  const total = average ? weights.reduce((a, b) => a + b, 0) : 1;
  const y =
    kernel === 'box'
      ? avgPool2d(padded, [height, width], { stride: 1, divisorOverride: total })
      : conv2d(
          padded,
          tensor(
            Float32Array.from(weights, (w) => w / total),
            { shape: [1, 1, height, width] },
          ),
        );
  return reshape(y, powers.shape);
}

/** K, row by row. */
function windowWeights(kernel: 'box' | 'disk' | 'gaussian', height: number, width: number): number[] {
  return Array.from({ length: height * width }, (_, i) => {
    const dy = Math.floor(i / width) - Math.floor(height / 2);
    const dx = (i % width) - Math.floor(width / 2);
    const square = dx * dx + dy * dy;
    if (kernel === 'gaussian') return Math.exp(-square / (2 * (height / 4) ** 2));
    return kernel === 'box' || square <= (height / 2) ** 2 ? 1 : 0;
  });
}
