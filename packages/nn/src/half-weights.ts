/**
 * Weights of mixed precision are kept in float16 too, beside their float32 values: products read the copy, and whoever assigns a
 * weight in a compiled step stores its next copy in the same kernel. A weight that changed otherwise (loaded, averaged, assigned
 * eagerly) is copied again before the next call, all such weights in one kernel.
 */
import { compile, defineOp, runtime, State, type Tensor, zeros } from '@tessera/tensor';
import { half, inMixed, single } from './precision';
import { untraced } from './untraced';

/** One for each weight, whichever compiled functions read it. */
interface Copy {
  readonly state: State;
  /** Versions that the weight was ahead when they were equal: whatever assigns both leaves that as it is. */
  ahead: number;
}
const copies = /* @__PURE__ */ new WeakMap<State, Copy>();

function copyOf(weight: State): Copy {
  let copy = copies.get(weight);
  if (!copy) {
    copy = { state: new State(zeros(weight.shape as readonly number[], { dtype: 'float16' })), ahead: Number.NaN };
    copies.set(weight, copy);
  }
  return copy;
}

/** The copy, as what a product reads of the weight; a cotangent is the weight's. */
const copied = /* @__PURE__ */ (() => {
  const op = defineOp({
    name: 'copied',
    args: (copy: State, weight: State) => [[copy, weight], {}],
    shape: ([copy]) => copy as Tensor,
    lower: () => ({ kind: 'view', moves: [] }),
  });
  op.gradient = ([g]) => [null, g ? single(g) : null];
  return op;
})();

/** The copies that one compiled function reads. */
export class HalfWeights {
  readonly #weights = new Set<State>();
  /** Is it this function's own call that runs, not one within another's trace or a derivative? */
  #own = false;

  /** Runs a call, by which all copies are as their weights. */
  around<Result>(run: () => Result): Result {
    if (runtime.trace || runtime.recording > 0) return run();
    this.#own = true;
    try {
      this.#renew();
      return run();
    } finally {
      this.#own = false;
    }
  }

  /** Traces f in mixed precision. */
  trace<Result>(f: () => Result): Result {
    const { trace } = runtime;
    if (!trace || !this.#own) return inMixed(f);
    const result = inMixed(f, (weight) => {
      if (trace.assigned.has(weight)) return half(weight.read());
      this.#weights.add(weight);
      return copied(copyOf(weight).state, weight);
    });
    for (const [weight, value] of [...trace.assigned]) copies.get(weight)?.state.assign(half(value));
    untraced(() => this.#renew()); // what is new has no values yet
    return result;
  }

  #renew(): void {
    const all = Array.from(this.#weights, (weight) => ({ weight, copy: copyOf(weight) }));
    const behind = all.filter(({ weight, copy }) => weight.version - copy.state.version !== copy.ahead);
    if (!behind.length) return;
    const copyAll = compile(() => {
      for (const { weight, copy } of behind) copy.state.assign(half(weight.read()));
    });
    copyAll();
    for (const { weight, copy } of behind) copy.ahead = weight.version - copy.state.version;
  }
}
