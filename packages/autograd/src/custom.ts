/**
 * Functions with a way back of their own: customGradient and checkpoint. The values are f's; derivatives take a route past
 * the nodes f made, over a hub: a node that is never computed and stands for the whole call.
 *
 *     inputs ──► (what f made) ──► value ──► y       values
 *     inputs ◄──────────── hub ◄──────────── y       cotangents
 */
import {
  defineMultiOp,
  GradientError,
  type GradientRule,
  type Meta,
  makeNode,
  type Node,
  runtime,
  type Tensor,
} from '@tessera/tensor';
import { findPath, pull, type Route, recording, routes } from './path';
import type { Cotangents } from './rules';
import type { Tensors } from './transforms';
import { after, identity } from './variables';

const hub = /* @__PURE__ */ defineMultiOp({
  name: 'hub',
  args: (outputs: readonly Meta[]) => [[], { outputs }],
  shape: (_, { outputs }) => outputs,
  lower: () => {
    throw new GradientError('hub: a route of gradients was read as a value; this is a fault of @tessera/autograd');
  },
});

/** The same values, with `rule` as their way back to `inputs`. */
function reroute<Value extends Tensors>(
  name: string,
  value: Value,
  inputs: readonly Tensor[],
  rule: GradientRule,
): Value {
  const list = Array.isArray(value) ? (value as readonly Tensor[]) : [value as Tensor];
  const ends = hub(list.map(({ shape, dtype }) => ({ shape, dtype })));
  const outputs = list.map((output) => identity(output));
  for (const [i, { node }] of outputs.entries())
    routes.set(node, { name, inputs: [ends[i] as Tensor], outputs: null, rule: null });
  if (ends[0]) routes.set(ends[0].node, { name, inputs, outputs, rule });
  return (Array.isArray(value) ? outputs : outputs[0]) as Value;
}

/** From the cotangent(s) of the value, the inputs and the value, to the cotangents of the inputs (null for none). */
export type CustomRule<Value extends Tensors> = Value extends readonly Tensor[]
  ? (g: readonly (Tensor | null)[], inputs: readonly Tensor[], outputs: readonly Tensor[]) => Cotangents
  : (g: Tensor, inputs: readonly Tensor[], output: Tensor) => Cotangents;

/**
 * f with `rule` as its gradient instead of that of its ops. Only the inputs get gradients: what f captures is constant.
 * torch.autograd.Function
 */
export function customGradient<Value extends Tensors>(
  f: (...inputs: Tensor[]) => Value,
  rule: CustomRule<Value>,
): (...inputs: Tensor[]) => Value {
  return (...inputs) => {
    const value = f(...inputs);
    if (!runtime.recording) return value;
    const slot: GradientRule = Array.isArray(value)
      ? (rule as CustomRule<readonly Tensor[]>)
      : (g, xs, outputs) => (rule as CustomRule<Tensor>)(g[0] as Tensor, xs, outputs[0] as Tensor);
    return reroute('customGradient', value, inputs, slot);
  };
}

/**
 * f, but derivatives compute its insides again instead of keeping them: memory for time. torch.utils.checkpoint
 * What is computed again are f's nodes, not f's JavaScript: random numbers are the same, state is assigned once, and
 * parameters that f captures get their gradients.
 */
export function checkpoint<Args extends readonly unknown[], Value extends Tensors>(
  f: (...args: Args) => Value,
): (...args: Args) => Value {
  return (...args) => {
    if (!runtime.recording) return f(...args);
    return recording((first) => {
      const value = f(...args);
      const region = regionOf(Array.isArray(value) ? (value as readonly Tensor[]) : [value as Tensor], first());
      return reroute('checkpoint', value, region.boundary, (g, boundary) => again(region, g, boundary));
    });
  };
}

/** What f made, inputs first, and the float tensors from outside (or sources) that it is made of. */
interface Region {
  readonly made: readonly {
    readonly node: Node;
    readonly inputs: readonly Tensor[];
    readonly route: Route | undefined;
  }[];
  readonly boundary: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

function regionOf(outputs: readonly Tensor[], first: number): Region {
  const inside = new Set<Node>();
  const outside = new Map<string, Tensor>();
  const stack = [...outputs];
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    const { node, output } = tensor;
    if (node.id < first || !node.op) {
      if (tensor.dtype.startsWith('float')) outside.set(`${node.id}.${output}`, tensor);
    } else if (!inside.has(node)) {
      inside.add(node);
      stack.push(...node.inputs, ...(routes.get(node)?.inputs ?? []));
    }
  }
  const made = [...inside]
    .sort((a, b) => a.id - b.id)
    .map((node) => ({ node, inputs: node.inputs, route: routes.get(node) }));
  const boundary = [...outside.values()].sort((a, b) => a.node.id - b.node.id || a.output - b.output);
  return { made, boundary, outputs };
}

/**
 * Makes the region's nodes again from its boundary and pulls through them. The copies wait for the cotangents, or a scheduler
 * would make them right after the originals; a mark in their attributes keeps them from being merged with those.
 */
function again({ made, boundary, outputs }: Region, g: Cotangents, inputs: readonly Tensor[]): Cotangents {
  const arrived = g.filter((cotangent) => cotangent !== null);
  const variables = inputs.map((input) => after(input, arrived));
  return recording((first) => {
    const copies = new Map<Node, readonly Tensor[]>();
    boundary.forEach(({ node, output }, i) => {
      const list = [...(copies.get(node) ?? [])];
      list[output] = variables[i] as Tensor;
      copies.set(node, list);
    });
    const copy = (tensor: Tensor): Tensor => copies.get(tensor.node)?.[tensor.output] ?? tensor;
    for (const { node, inputs: from } of made) {
      const depth = ((node.attributes.recomputed as number | undefined) ?? 0) + 1;
      if (node.op)
        copies.set(node, makeNode(node.op, from.map(copy), { ...node.attributes, recomputed: depth }, node.outputs));
    }
    for (const { node, route } of made) {
      const to = copies.get(node)?.[0]?.node;
      if (route && to)
        routes.set(to, { ...route, inputs: route.inputs.map(copy), outputs: route.outputs?.map(copy) ?? null });
    }
    return pull(findPath(outputs.map(copy), variables, first()), g);
  });
}
