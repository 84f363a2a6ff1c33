/**
 * Loss scaling: float16 gradients below 6e-8 would be 0, so the loss is multiplied before differentiating and the gradients
 * are divided after. The scale doubles as long as that overflows nothing, and is halved when it does; that step is skipped.
 */
import { type Differentiable, type Matching, valueAndGrad } from '@tessera/autograd';
import {
  ArgumentError,
  add,
  amax,
  amin,
  cat,
  div,
  isFinite as finite,
  flatten,
  ge,
  logicalAnd,
  lt,
  mul,
  runtime,
  State,
  type Tensor,
  tensor,
  where,
} from '@tessera/tensor';
import { type LoadOptions, type LoadReport, loadInto, type StateDict } from './state-dict';

export interface LossScalerOptions {
  /** The first scale. Default 65536. */
  readonly initScale?: number;
  /** Default 2. */
  readonly growthFactor?: number;
  /** Default 0.5. */
  readonly backoffFactor?: number;
  /** So many steps without overflow make it grow. Default 2000. */
  readonly growthInterval?: number;
}

/**
 * `const step = nn.compile(() => { const { value, grads } = scaler.valueAndGrad(…); optimizer.step(grads); return value; },
 * { precision: 'mixed', lossScale: scaler })`. Scale and count live on the device: no step waits for a flag.
 * torch.amp.GradScaler @throws ArgumentError for settings out of range.
 */
export class LossScaler {
  readonly #scale: State;
  /** Steps since it last changed. */
  readonly #growth = new State(tensor(0, { dtype: 'int32' }));
  readonly #options: Required<LossScalerOptions>;
  /** While a step is traced: were all its gradients finite? */
  #finite: Tensor | null = null;

  constructor(options: LossScalerOptions = {}) {
    const defaults = { initScale: 65536, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 };
    this.#options = { ...defaults, ...options };
    const { initScale, growthFactor, backoffFactor, growthInterval } = this.#options;
    const wants = (name: string, value: number, ok: boolean, wanted: string): void => {
      if (!ok) throw new ArgumentError(`LossScaler: ${name} is ${value}, wants ${wanted}`);
    };
    wants('initScale', initScale, initScale > 0 && initScale < Infinity, 'a number above 0');
    wants('growthFactor', growthFactor, growthFactor > 1 && growthFactor < Infinity, 'a number above 1');
    wants('backoffFactor', backoffFactor, backoffFactor > 0 && backoffFactor < 1, 'a number between 0 and 1');
    wants('growthInterval', growthInterval, Number.isInteger(growthInterval) && growthInterval >= 1, 'an integer ≥ 1');
    this.#scale = new State(tensor(initScale));
  }

  /** [] float32 */
  get scale(): State {
    return this.#scale;
  }

  /** autograd's valueAndGrad, differentiated with the loss scaled; value and gradients are those without it. */
  valueAndGrad<Result extends Tensor | readonly [Tensor, unknown], Wanted extends readonly Differentiable[]>(
    f: () => Result,
    wrt: Wanted,
  ): {
    readonly value: Tensor;
    readonly grads: Matching<Wanted>;
    readonly aux: Result extends readonly [Tensor, infer Aux] ? Aux : undefined;
  } {
    const scale = this.#scale.read();
    const { grads, aux } = valueAndGrad(
      (): [Tensor, [Tensor, unknown]] => {
        const result = f();
        const [loss, inner] = (Array.isArray(result) ? result : [result, undefined]) as [Tensor, unknown];
        return [mul(loss, scale), [loss, inner]];
      },
      wrt as readonly Differentiable[],
    );
    const scaled = grads as readonly Tensor[];
    const flag = finiteness(scaled).reduce((a, b) => logicalAnd(a, b));
    this.#finite = this.#finite ? logicalAnd(this.#finite, flag) : flag;
    // who divides waits for the flag, so that the scale has been read when the next one is written over it
    const divisor = where(flag, scale, Number.NaN);
    return { value: aux[0], grads: scaled.map((g) => div(g, divisor)) as never, aux: aux[1] as never };
  }

  /** Internal: traces a step so that its assignments hold only where its gradients are finite, and moves the scale. */
  guarding<Result>(step: () => Result): Result {
    const { trace } = runtime;
    if (!trace)
      throw new ArgumentError(
        'LossScaler: the step runs eagerly within a derivative; call it compiled, or scale the loss yourself',
      );
    const before = new Map(trace.assigned);
    this.#finite = null;
    const result = step();
    const flag = this.#finite as Tensor | null;
    this.#finite = null;
    if (!flag)
      throw new ArgumentError(
        "LossScaler: the step never called the scaler's valueAndGrad; differentiate by that, or leave lossScale out",
      );
    for (const [state, value] of [...trace.assigned])
      if (before.get(state) !== value)
        trace.assignState(state, where(flag, value, before.get(state) ?? trace.before(state)));
    this.#move(flag);
    return result;
  }
  #move(flag: Tensor): void {
    const { growthFactor, backoffFactor, growthInterval } = this.#options;
    const scale = this.#scale.read();
    const steps = add(this.#growth.read(), 1);
    const grows = ge(steps, growthInterval);
    const grown = mul(scale, growthFactor); // beyond the largest number it stays, else it would never come back
    const kept = where(logicalAnd(grows, finite(grown)), grown, scale);
    this.#scale.assign(where(flag, kept, mul(scale, backoffFactor)));
    this.#growth.assign(where(logicalAnd(flag, lt(steps, growthInterval)), steps, 0));
  }

  /** 'scale' and 'growth_tracker', as PyTorch names them. */
  stateDict(): Map<string, State> {
    return new Map([
      ['scale', this.#scale],
      ['growth_tracker', this.#growth],
    ]);
  }
  /** @throws StateDictError with every key which is missing, not wanted, or of another shape. */
  loadStateDict(given: StateDict, options: LoadOptions = {}): LoadReport {
    return loadInto('LossScaler', this.stateDict(), given, options);
  }
}

/** Gradients of fewer elements are copied into one, that one kernel looks at them all. */
const small = 1 << 14;

/** Is all finite? Largest and least say so, NaN among them: they read what is there already, in one pass. */
function finiteness(gradients: readonly Tensor[]): Tensor[] {
  const few = gradients.filter(({ size }) => size < small).map((g) => flatten(g));
  const looked = gradients.filter(({ size }) => size >= small);
  if (few.length) looked.push(cat(few));
  return looked.map((g) => logicalAnd(finite(amax(g)), finite(amin(g))));
}
