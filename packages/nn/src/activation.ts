/** Activations as layers: element by element, of any shape. Settings are fixed when a layer is made. */
import {
  celu,
  elu,
  full,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  prelu,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  type Tensor,
  tanh,
} from '@tessera/tensor';
import { Module, Parameter } from './module';
import type { Keeps, shapes } from './types';

/** y = x. torch.nn.Identity */
export class Identity extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return x;
  }
}
/** y = max(x, 0). torch.nn.ReLU */
export class ReLU extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}
/** y = min(max(x, 0), 6). torch.nn.ReLU6 */
export class ReLU6 extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}
/** y = x for x > 0, else negativeSlope·x. torch.nn.LeakyReLU */
export class LeakyReLU extends Module {
  declare readonly [shapes]: Keeps;
  readonly negativeSlope: number;
  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = negativeSlope;
  }
  forward(x: Tensor): Tensor {
    return leakyRelu(x, this.negativeSlope);
  }
}
export interface PReLUOptions {
  /** One slope for all (1), or one for each channel of x [N,C,…]. Default 1. */
  readonly numParameters?: number;
  /** The slopes at first. Default 0.25. */
  readonly init?: number;
}
/** y = x for x > 0, else weight·x; weight [numParameters] is learnt. torch.nn.PReLU (He 2015)
 *  @throws forward: ArgumentError where the channels are not as many as the slopes. */
export class PReLU extends Module {
  declare readonly [shapes]: Keeps;
  readonly weight: Parameter;
  constructor({ numParameters = 1, init = 0.25 }: PReLUOptions = {}) {
    super();
    this.weight = new Parameter(full([numParameters], init));
  }
  forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }
}
/** y = x for x > 0, else alpha·(eˣ − 1). torch.nn.ELU (Clevert 2016) */
export class ELU extends Module {
  declare readonly [shapes]: Keeps;
  readonly alpha: number;
  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }
}
/** y = x for x > 0, else alpha·(e^(x/alpha) − 1). torch.nn.CELU @throws forward: ArgumentError for alpha 0. */
export class CELU extends Module {
  declare readonly [shapes]: Keeps;
  readonly alpha: number;
  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return celu(x, this.alpha);
  }
}
/** y = 1.0507·elu(x, 1.6733). torch.nn.SELU (Klambauer 2017) */
export class SELU extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return selu(x);
  }
}
/** y = x·Φ(x), or its approximation by tanh. torch.nn.GELU (Hendrycks 2016) */
export class GELU extends Module {
  declare readonly [shapes]: Keeps;
  readonly approximate: 'none' | 'tanh';
  constructor({ approximate = 'none' }: { readonly approximate?: 'none' | 'tanh' } = {}) {
    super();
    this.approximate = approximate;
  }
  forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }
}
/** y = x·sigmoid(x). torch.nn.SiLU */
export class SiLU extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}
/** y = x·tanh(ln(1 + eˣ)). torch.nn.Mish */
export class Mish extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return mish(x);
  }
}
/** y = min(max(x + 3, 0), 6) / 6. torch.nn.Hardsigmoid */
export class Hardsigmoid extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return hardsigmoid(x);
  }
}
/** y = x·hardsigmoid(x). torch.nn.Hardswish */
export class Hardswish extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return hardswish(x);
  }
}
/** y = min(max(x, minVal), maxVal). torch.nn.Hardtanh @throws forward: ArgumentError unless minVal < maxVal. */
export class Hardtanh extends Module {
  declare readonly [shapes]: Keeps;
  readonly minVal: number;
  readonly maxVal: number;
  constructor(minVal = -1, maxVal = 1) {
    super();
    this.minVal = minVal;
    this.maxVal = maxVal;
  }
  forward(x: Tensor): Tensor {
    return hardtanh(x, this.minVal, this.maxVal);
  }
}
/** y = 1 / (1 + e⁻ˣ). torch.nn.Sigmoid */
export class Sigmoid extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}
/** y = ln sigmoid(x). torch.nn.LogSigmoid */
export class LogSigmoid extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}
/** y = tanh x. torch.nn.Tanh */
export class Tanh extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}
/** y = x / (1 + |x|). torch.nn.Softsign */
export class Softsign extends Module {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    return softsign(x);
  }
}
/** y = ln(1 + e^(beta·x)) / beta, and x where beta·x > threshold. torch.nn.Softplus */
export class Softplus extends Module {
  declare readonly [shapes]: Keeps;
  readonly beta: number;
  readonly threshold: number;
  constructor({ beta = 1, threshold = 20 }: { readonly beta?: number; readonly threshold?: number } = {}) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(x: Tensor): Tensor {
    return softplus(x, { beta: this.beta, threshold: this.threshold });
  }
}
/** yᵢ = eˣⁱ / Σⱼ eˣʲ along `dim`. torch.nn.Softmax; `dim` is the last axis unless told. */
export class Softmax extends Module {
  declare readonly [shapes]: Keeps;
  readonly dim: number;
  constructor(dim = -1) {
    super();
    this.dim = dim;
  }
  forward(x: Tensor): Tensor {
    return softmax(x, this.dim);
  }
}
/** y = ln softmax(x) along `dim`. torch.nn.LogSoftmax; `dim` is the last axis unless told. */
export class LogSoftmax extends Module {
  declare readonly [shapes]: Keeps;
  readonly dim: number;
  constructor(dim = -1) {
    super();
    this.dim = dim;
  }
  forward(x: Tensor): Tensor {
    return logSoftmax(x, this.dim);
  }
}
