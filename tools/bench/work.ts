/** What is measured: a piece of work as data, which every contestant reads, and how much of it there is. */
import type { Network } from './networks/layers.ts';
import type { NetName, Pass } from './networks/nets.ts';

export type Shape = readonly number[];
export type Direction = 'forward' | 'inputGrad' | 'weightGrad';

export type Work =
  /** a [...B,M,K] · b [...B,K,N]; 'nt' takes b as [...B,N,K], 'tn' takes a as [...B,K,M]: the two gradients of a product. */
  | { readonly op: 'matmul'; readonly a: Shape; readonly b: Shape; readonly form?: 'nt' | 'tn' }
  /** x [N,C,H,W], w [O,C/groups,R,S]; the gradients take the output's cotangent and w, or x and that cotangent. */
  | {
      readonly op: 'conv';
      readonly direction: Direction;
      readonly x: Shape;
      readonly w: Shape;
      readonly stride: number;
      readonly padding: number;
      readonly groups: number;
    }
  /** softmax over the last axis; layerNorm over it with weight and bias; batchNorm with the batch's statistics, x [N,C,H,W];
   *  sum of all; transpose of the last two axes, written out; chain: |relu(1.5x + 0.25)·x − 0.75|, six element-wise ops. */
  | {
      readonly op: 'softmax' | 'layerNorm' | 'batchNorm' | 'sum' | 'transpose' | 'chain';
      readonly x: Shape;
    }
  /** One training step of the main job's network (examples/mnist): forward, backward, AdamW. */
  | { readonly op: 'mnist'; readonly batch: number }
  /** A network of the zoo (networks/nets.ts) on random images. Peers are told its layers. */
  | {
      readonly op: 'network';
      readonly net: NetName;
      readonly batch: number;
      readonly pass: Pass;
      /** Height and width of the images; the network's own where it is left out. */
      readonly size?: number;
      readonly network?: Network;
    }
  /** What the machine can do at most (limits.ts): a loop of multiply-adds in registers, or a copy. */
  | { readonly op: 'limit'; readonly of: Limit; readonly threads: number };

/** 'plain' is f32x4.mul and f32x4.add, 'relaxed' is f32x4.relaxed_madd. */
export type Limit = 'plain' | 'relaxed' | 'copy';
/** More is better in each. */
export type Unit = 'GFLOP/s' | 'GB/s' | 'images/s';

export const product = (shape: Shape): number => shape.reduce((all, size) => all * size, 1);
const at = (shape: Shape, axis: number): number => shape.at(axis) ?? 1;

/** [M, N, K] of a product in either form. */
export function sidesOf({ a, b, form }: Extract<Work, { op: 'matmul' }>): [m: number, n: number, k: number] {
  const [m, k] = form === 'tn' ? [at(a, -1), at(a, -2)] : [at(a, -2), at(a, -1)];
  return [m, form === 'nt' ? at(b, -2) : at(b, -1), k];
}

/** [N,O,P,Q]: the shape of a convolution's output. */
export function outputOf({ x, w, stride, padding }: Extract<Work, { op: 'conv' }>): Shape {
  const places = [2, 3].map((axis) => Math.floor((at(x, axis) + 2 * padding - at(w, axis)) / stride) + 1);
  return [at(x, 0), at(w, 0), ...places];
}

/** Floating-point operations of the plain algorithm, a multiply-add being two: Winograd does fewer, and may pass the limit. */
export function flopsOf(work: Work): number {
  if (work.op === 'matmul') return 2 * product(work.a.slice(0, -2)) * product(sidesOf(work));
  if (work.op === 'conv') return 2 * product(outputOf(work)) * product(work.w.slice(1));
  throw new TypeError(`bench: ${work.op} is not counted in GFLOP/s`);
}

/** Bytes in float32, each element of what goes in and of what comes out once. */
export function bytesOf(work: Work): number {
  if (work.op === 'sum') return 4 * product(work.x);
  if (work.op === 'matmul') {
    const [m, n] = sidesOf(work);
    return 4 * (product(work.a) + product(work.b) + product(work.a.slice(0, -2)) * m * n);
  }
  if ('x' in work && work.op !== 'conv') return 8 * product(work.x);
  throw new TypeError(`bench: ${work.op} is not counted in GB/s`);
}

/** How much of the unit's thousand millions (or images) one run of the work does. */
export function amountOf(work: Work, unit: Unit): number {
  if (unit === 'images/s') return 'batch' in work ? work.batch : Number.NaN;
  return (unit === 'GFLOP/s' ? flopsOf(work) : bytesOf(work)) / 1e9;
}

/**
 * Numbers from −½ to ½, the same for every contestant, so that their answers can be compared. `seed` tells inputs apart. Mixed
 * well: weights whose neighbours depend on each other would make a deep network's values vanish.
 */
export function numbers(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  const start = Math.imul(seed, 0x9e3779b9) + 1;
  for (let i = 0; i < count; i++) {
    let hash = Math.imul(start + i, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    values[i] = ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32 - 0.5;
  }
  return values;
}

/** The shapes of the work's inputs, in order. */
export function inputsOf(work: Work): Shape[] {
  switch (work.op) {
    case 'matmul':
      return [work.a, work.b];
    case 'conv':
      return { forward: [work.x, work.w], inputGrad: [outputOf(work), work.w], weightGrad: [work.x, outputOf(work)] }[
        work.direction
      ];
    case 'layerNorm':
      return [work.x, work.x.slice(-1), work.x.slice(-1)];
    case 'batchNorm':
      return [work.x, work.x.slice(1, 2), work.x.slice(1, 2)];
    case 'mnist':
      return [[work.batch, 1, 28, 28]];
    case 'network':
    case 'limit':
      return [];
    default:
      return [work.x];
  }
}
