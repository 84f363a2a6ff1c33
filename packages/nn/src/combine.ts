/** Modules beside one another, on the same input. Branches are the fields 0, 1, …: keys begin with their place. */
import { ArgumentError, add, cat, ShapeError, showShape, type Tensor } from '@tessera/tensor';
import { Module } from './module';
import { atLayer } from './path';
import { Sequential } from './sequential';
import type { Beside, shapes } from './types';

/** Branches by place, each run on one input. */
abstract class Branches extends Module {
  readonly [index: number]: Module;
  readonly length: number;

  constructor(branches: readonly Module[]) {
    super();
    const odd = branches.findIndex((branch) => !(branch instanceof Module));
    if (odd >= 0 || !branches.length)
      throw new ArgumentError(
        `${new.target.name}: ${odd < 0 ? 'no branches' : `branch ${odd} is a ${typeof branches[odd]}`}, wants modules`,
      );
    Object.assign(this, branches);
    this.length = branches.length;
  }

  /** What each branch makes of x. */
  protected outputs(x: Tensor): Tensor[] {
    return Array.from({ length: this.length }, (_, i) => {
      const branch = this[i] as Module;
      try {
        return branch.forward(x);
      } catch (error) {
        throw atLayer(error, i, branch);
      }
    });
  }
}

export interface ParallelOptions {
  /** The axis along which the branches' results are joined. Default 1, the channels. */
  readonly dim?: number;
}
/**
 * y = cat(branch₀(x), branch₁(x), …) along `dim`: Inception's blocks.  x → [N,ΣCᵢ,H,W] from branches → [N,Cᵢ,H,W].
 * torchmore's layers.Parallel @throws ArgumentError without branches; forward: ShapeError where other axes differ.
 */
export class Parallel<const B extends readonly Module[] = readonly Module[]> extends Branches {
  declare readonly [shapes]: Beside<'Parallel', B, 'cat'>;
  readonly dim: number;
  constructor(branches: B, { dim = 1 }: ParallelOptions = {}) {
    super(branches);
    this.dim = dim;
  }
  forward(x: Tensor): Tensor {
    return cat(this.outputs(x), this.dim);
  }
}

export interface AdditiveOptions {
  /** Applied to the sum. Default: nothing. */
  readonly post?: Module | null;
}
/**
 * y = post(Σᵢ branchᵢ(x)), all branches of one shape: a residual block is `new Additive([new Identity(), block])`.
 * torchmore's layers.Additive @throws ArgumentError without branches; forward: ShapeError where their shapes differ.
 */
export class Additive<const B extends readonly Module[] = readonly Module[]> extends Branches {
  declare readonly [shapes]: Beside<'Additive', B, 'sum'>;
  readonly post: Module | null;
  constructor(branches: B, options?: { readonly post?: null });
  constructor(branches: readonly Module[], options: AdditiveOptions);
  constructor(branches: readonly Module[], { post = null }: AdditiveOptions = {}) {
    super(branches);
    this.post = post;
  }
  forward(x: Tensor): Tensor {
    const [first, ...rest] = this.outputs(x) as [Tensor, ...Tensor[]];
    const sum = rest.reduce((total, y, i) => {
      if (String(y.shape) !== String(first.shape))
        throw new ShapeError(
          `additive: branch ${i + 1} makes ${showShape(y.shape)}, branch 0 ${showShape(first.shape)}; give them one shape to be added`,
        );
      return add(total, y);
    }, first);
    return this.post ? this.post.forward(sum) : sum;
  }
}

/**
 * y = cat(x, block(x)) along `dim`, the layers being the block: U-Net's bridges.  x [N,C,H,W] → [N,C+C',H,W] from a block
 * that makes [N,C',H,W]. torchmore's layers.Shortcut @throws forward: ShapeError where other axes differ.
 */
export class Shortcut<const Layers extends readonly Module[] = readonly Module[]> extends Module {
  declare readonly [shapes]: Beside<'Shortcut', [Sequential<Layers>], 'cat'>;
  readonly block: Sequential;
  readonly dim: number;
  constructor(layers: Layers, { dim = 1 }: ParallelOptions = {}) {
    super();
    this.block = new Sequential(...(layers as readonly Module[]));
    this.dim = dim;
  }
  forward(x: Tensor): Tensor {
    return cat([x, this.block.forward(x)], this.dim);
  }
}
