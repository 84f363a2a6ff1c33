/**
 * The walk back. The graph is lazy and immutable, so there is no tape: the nodes made while a function ran are the record of
 * it. A derivative is taken of that function: what it captured and did not make itself is constant, unless it is wanted.
 */
import {
  add,
  cast,
  GradientError,
  type GradientRule,
  type Node,
  onesLike,
  runtime,
  Tensor,
  zerosLike,
} from '@tessera/tensor';
import type { Cotangents } from './rules';

/** A way back that is not the node's own inputs and its op's rule (customGradient, checkpoint). */
export interface Route {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[] | null;
  readonly rule: GradientRule | null;
}
export const routes = /* @__PURE__ */ new WeakMap<Node, Route>();

/** One node on the way, with what it had when the path was found: realising it later lets go of its inputs. */
interface Step {
  readonly node: Node;
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly rule: GradientRule;
}
export interface Path {
  /** Outputs first: in falling order of creation, so that cotangents add up in the same order each time. */
  readonly steps: readonly Step[];
  readonly outputs: readonly Tensor[];
  readonly wanted: readonly Tensor[];
  /** Does this input lead to something wanted? */
  readonly leads: (input: Tensor) => boolean;
}

/** Nodes that rules made, as far as another derivative is being taken of them. */
const madeByRule = /* @__PURE__ */ new WeakSet<Node>();

/** Runs `body` while nodes keep their inputs; `first()` is the id of the first node made since. */
export function recording<Result>(body: (first: () => number) => Result): Result {
  const start = runtime.recorded.length;
  runtime.recording++;
  try {
    return body(() => runtime.recorded[start]?.id ?? Number.POSITIVE_INFINITY);
  } finally {
    if (--runtime.recording === 0) {
      for (const node of runtime.recorded) {
        routes.delete(node);
        node.recorded = false;
        if (node.realised) node.detach();
      }
      runtime.recorded.length = 0;
    }
  }
}

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'float16';
const shown = ({ shape, dtype }: Tensor): string => `${dtype} [${shape.map((size) => size ?? '?').join(',')}]`;

/** Holders of single outputs, by node and position. */
class Outputs<Value> {
  readonly #lists = new Map<Node, Value[]>();
  get({ node, output }: Tensor): Value | undefined {
    return this.#lists.get(node)?.[output];
  }
  set({ node, output }: Tensor, value: Value): void {
    const list = this.#lists.get(node);
    if (list) list[output] = value;
    else {
      const fresh: Value[] = [];
      fresh[output] = value;
      this.#lists.set(node, fresh);
    }
  }
}

/** Nodes with id ≥ first that the outputs are made of, newest first, with their edges. */
function nodesBehind(outputs: readonly Tensor[], first: number): Node[] {
  const found = new Set<Node>();
  const stack = outputs.map(({ node }) => node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (node.id < first || found.has(node)) continue;
    found.add(node);
    for (const input of (routes.get(node) ?? node).inputs) stack.push(input.node);
  }
  return [...found].sort((a, b) => b.id - a.id);
}

/**
 * What lies between `outputs` and `wanted`, among nodes with id ≥ first.
 * @throws GradientError where something wanted is reached only through what has no gradient, or a rule is missing.
 */
export function findPath(outputs: readonly Tensor[], wanted: readonly Tensor[], first: number): Path {
  const sought = new Outputs<number>();
  wanted.forEach((tensor, i) => {
    if (!isFloat(tensor))
      throw new GradientError(
        `grad: wanted input ${i} is ${shown(tensor)}; only float tensors have gradients, convert it with cast(x, 'float32')`,
      );
    sought.set(tensor, i);
  });
  const nodes = nodesBehind(outputs, first);

  // From the outputs down: what a cotangent can reach, and what is reached only past something without a gradient. That is
  // a mistake in what a user wrote; in what a rule wrote (the mask of relu, seen by a second derivative) it is a zero.
  const live = new Set<Node>();
  const written = new Set<Node>();
  const blocked = new Map<Node, string>();
  const reached = new Set<number>();
  const barred = new Map<number, string>();
  const pass = (to: Tensor, by: string | null, byUser: boolean): void => {
    const why = by ?? (isFloat(to) ? null : `a tensor of dtype ${to.dtype}`);
    const position = sought.get(to);
    if (byUser) written.add(to.node);
    if (why === null) {
      live.add(to.node);
      if (position !== undefined) reached.add(position);
    } else if (byUser) {
      if (!blocked.has(to.node)) blocked.set(to.node, why);
      if (position !== undefined) barred.set(position, why);
    }
  };
  for (const output of outputs) pass(output, null, true);
  for (const node of nodes) {
    const alive = live.has(node);
    const before = blocked.get(node) ?? null;
    if (!alive && before === null) continue;
    const route = routes.get(node);
    const reason = route?.rule || node.op?.gradient ? null : (node.op?.notDifferentiable ?? null);
    const here = reason === null ? null : `${node.op?.opName}, which has no gradient (${reason})`;
    const byUser = written.has(node) && !madeByRule.has(node);
    for (const input of (route ?? node).inputs) pass(input, alive ? here : before, byUser);
  }
  for (const [position, why] of barred)
    if (!reached.has(position))
      throw new GradientError(
        `grad: the output reaches wanted input ${position}, ${shown(wanted[position] as Tensor)}, only through ${why}; ` +
          'say so with stopGradient, or use a differentiable op',
      );

  // from the wanted up: which of the live nodes lead to them
  const leading = new Set<Node>();
  const leads = (input: Tensor): boolean =>
    isFloat(input) && (sought.get(input) !== undefined || leading.has(input.node));
  const steps: Step[] = [];
  for (const node of nodes.reverse()) {
    const route = routes.get(node);
    const { inputs } = route ?? node;
    const rule = route?.rule ?? node.op?.gradient ?? null;
    if (!live.has(node) || (!rule && node.op?.notDifferentiable) || !inputs.some(leads)) continue;
    const name = route?.name ?? node.op?.opName ?? 'input';
    if (!rule)
      throw new GradientError(
        `grad: ${name} has no gradient; define one with defineGradient(${name}, …), or install its family`,
      );
    leading.add(node);
    steps.push({
      node,
      name,
      inputs,
      outputs: route?.outputs ?? node.outputs.map((_, i) => new Tensor(node, i)),
      rule,
    });
  }
  return { steps: steps.reverse(), outputs, wanted, leads };
}

/**
 * Cotangents of what is wanted from those of the outputs; null where none arrives. `own` is how many recordings are the
 * caller's: under more than those another derivative will see what is made here.
 */
export function pull(path: Path, cotangents: Cotangents, own = 0): Cotangents {
  const start = runtime.recorded.length;
  const pulled = walk(path, cotangents);
  if (runtime.recording > own)
    for (let i = start; i < runtime.recorded.length; i++) madeByRule.add(runtime.recorded[i] as Node);
  return pulled;
}

function walk({ steps, outputs, wanted, leads }: Path, cotangents: Cotangents): Cotangents {
  const sums = new Outputs<Tensor>();
  const give = (to: Tensor, g: Tensor): void => {
    const sum = sums.get(to);
    sums.set(to, sum ? add(sum, g) : g);
  };
  outputs.forEach((output, i) => {
    const g = cotangents[i];
    if (g) give(output, fit('vjp', `the cotangent of output ${i}`, g, output));
  });
  for (const { node, name, inputs, outputs: own, rule } of steps) {
    const g = node.outputs.map((_, output) => sums.get(new Tensor(node, output)) ?? null);
    if (g.every((cotangent) => cotangent === null)) continue;
    // an input may have been disposed since; a fresh handle on its node is as good
    const results = rule(g, inputs.map(fresh), own.map(fresh), node.attributes);
    if (results.length !== inputs.length)
      throw new GradientError(
        `grad: the rule of ${name} gives ${results.length} cotangents for ${inputs.length} inputs; give null for none`,
      );
    inputs.forEach((input, i) => {
      const result = results[i];
      if (result && leads(input)) give(input, fit('grad', `the rule of ${name} for input ${i}`, result, input));
    });
  }
  return wanted.map((tensor) => sums.get(tensor) ?? null);
}

const fresh = (tensor: Tensor): Tensor => (tensor.disposed ? new Tensor(tensor.node, tensor.output) : tensor);

/** A cotangent has its tensor's shape and dtype. */
function fit(op: string, what: string, g: Tensor, of: Tensor): Tensor {
  const same = g.shape.length === of.shape.length && g.shape.every((size, i) => size === of.shape[i]);
  if (!same)
    throw new GradientError(
      `${op}: ${what} is ${shown(g)}, wants ${shown(of)}; sum broadcast axes with sumTo(g, x.shape)`,
    );
  return g.dtype === of.dtype ? g : cast(g, of.dtype);
}

/** Zeros where no cotangent arrived. */
export const orZeros = (cotangents: Cotangents, like: readonly Tensor[]): Tensor[] =>
  cotangents.map((g, i) => g ?? zerosLike(like[i] as Tensor));

/** The cotangent 1 of a scalar. @throws GradientError where y has more than one element. */
export function seed(op: string, y: Tensor): Tensor {
  if (y.shape.some((size) => size !== 1))
    throw new GradientError(`${op}: f gave ${shown(y)}, wants one element; take its mean or sum, or use vjp`);
  if (!isFloat(y)) throw new GradientError(`${op}: f gave ${shown(y)}, wants a float; cast it`);
  return onesLike(y);
}
