/**
 * A model as a graph of its layers' calls, found by a forward pass of shapes: what a layer is given is followed back, through the
 * ops between, to the layers it came from. So branches show however they are written, as modules or within a `forward`.
 */
import { isTensor, meta, type Node, reshape, type Shape, type Tensor } from '@tessera/tensor';
import { addForwardHook } from './hooks';
import { inMode } from './mode';
import { countOf, type Module, Parameter } from './module';

/** A call of a layer without layers in it, an op that joins several of them, or one of the model's ends. */
export interface GraphNode {
  readonly kind: 'layer' | 'op' | 'input' | 'output';
  /** Path of the layer; '' for others. */
  readonly path: string;
  /** Class of the layer, with the name it was given; or name of the op. */
  readonly name: string;
  readonly output: Shape;
  readonly parameters: number;
  /** Path of the module that it is drawn in; '' for the model. */
  readonly within: string;
}
export interface GraphEdge {
  readonly from: GraphNode;
  readonly to: GraphNode;
  /** Ops in between, in order. */
  readonly through: readonly string[];
}
/** A module with layers in it. */
export interface GraphGroup {
  readonly path: string;
  readonly name: string;
  /** Elements of its own parameters, beside those of its layers. */
  readonly parameters: number;
}
export interface ModuleGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Outer ones first. */
  readonly groups: readonly GraphGroup[];
}

/** Where a value comes from: a node of the graph, and the ops since. */
interface Origin {
  readonly node: GraphNode;
  readonly through: readonly string[];
}

/** Nothing is computed or allocated; the model evaluates. @throws ShapeError where layers do not fit. */
export function moduleGraph(model: Module<[x: Tensor], unknown>, shape: Shape): ModuleGraph {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const origins = new Map<Node, Map<number, Origin | null>>();
  const know = ({ node, output }: Tensor, origin: Origin | null): Origin | null => {
    const outputs = origins.get(node) ?? new Map<number, Origin | null>();
    origins.set(node, outputs.set(output, origin));
    return origin;
  };
  const place = (node: GraphNode, from: readonly Origin[]): GraphNode => {
    nodes.push(node);
    for (const { node: source, through } of from) edges.push({ from: source, to: node, through });
    return node;
  };

  /** The one node behind a tensor; where there are several, the op that joins them becomes a node. Null: only parameters. */
  const originOf = (tensor: Tensor, user: string): Origin | null => {
    const { node, output } = tensor;
    const known = origins.get(node)?.get(output);
    if (known !== undefined) return known;
    const from = distinct(node.inputs.flatMap((input) => originOf(input, user) ?? []));
    const [first] = from;
    const name = node.op?.opName ?? '';
    if (!first) return know(tensor, null);
    if (from.length === 1) return know(tensor, { node: first.node, through: [...first.through, name] });
    const within = commonGroup(user, from);
    const join = { kind: 'op', path: '', name, output: tensor.shape, parameters: 0, within } as const;
    return know(tensor, { node: place(join, from), through: [] });
  };
  const originsOf = (values: unknown, user: string): Origin[] =>
    distinct(tensorsIn(values).flatMap((tensor) => originOf(tensor, user) ?? []));

  const groups: GraphGroup[] = [];
  const hooks = model.namedModules().map(([path, module]) => {
    const parameters = Object.values(module)
      .filter((field): field is Parameter => field instanceof Parameter)
      .reduce((sum, parameter) => sum + countOf(parameter.shape), 0);
    const label = 'label' in module && typeof module.label === 'string' ? module.label : '';
    const name = label ? `${module.constructor.name} ${label}` : module.constructor.name;
    const outer = module.namedModules().length > 1;
    if (outer) groups.push({ path, name, parameters });
    return addForwardHook<readonly unknown[], unknown>(module as never, (inputs, output) => {
      if (outer) {
        // Ops that join are found now, while it is known which module they stand in.
        originsOf(output, path ? `${path}.` : '');
        return output;
      }
      const made = tensorsIn(output);
      const from = originsOf(inputs, path);
      const within = path.slice(0, Math.max(0, path.lastIndexOf('.')));
      const node: GraphNode = {
        kind: 'layer',
        path,
        name,
        output: made[0]?.shape ?? [],
        parameters,
        within: groupOf(within, groups),
      };
      place(node, from);
      // What a layer hands through is the layer's from here on, and only for those that get it from the layer.
      const own = isTensor(output) && tensorsIn(inputs).includes(output) ? reshape(output, output.shape) : output;
      for (const tensor of tensorsIn(own)) know(tensor, { node, through: [] });
      return own;
    });
  });
  try {
    const x = meta(shape);
    const end = { path: '', parameters: 0, within: '' };
    know(x, { node: place({ ...end, kind: 'input', name: 'input', output: shape }, []), through: [] });
    const y = inMode(model, false, () => model.forward(x));
    const from = originsOf(y, '');
    place({ ...end, kind: 'output', name: 'output', output: tensorsIn(y)[0]?.shape ?? [] }, from);
  } finally {
    for (const off of hooks) off();
  }
  return { nodes, edges, groups };
}

/** The tensors of a layer's arguments or result. */
function tensorsIn(value: unknown): Tensor[] {
  if (isTensor(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.values(value).flatMap(tensorsIn);
  return [];
}

/** Each node once: by the shortest way, and of equal ways the first. */
function distinct(origins: readonly Origin[]): Origin[] {
  const found = new Map<GraphNode, Origin>();
  for (const origin of origins) {
    const other = found.get(origin.node);
    if (!other || origin.through.length < other.through.length) found.set(origin.node, origin);
  }
  return [...found.values()];
}

/** The innermost module around `user` in which one of the origins is, too: there the op that joins them was called. */
function commonGroup(user: string, from: readonly Origin[]): string {
  let within = user;
  while (within.includes('.')) {
    within = within.slice(0, within.lastIndexOf('.'));
    if (from.some(({ node }) => `${node.path || node.within}.`.startsWith(`${within}.`))) return within;
  }
  return '';
}
/** The innermost of the groups around a path: arrays and objects in fields have a place in paths, too. */
function groupOf(path: string, groups: readonly GraphGroup[]): string {
  const around = groups.filter((group) => group.path === path || path.startsWith(`${group.path}.`));
  return around.reduce((best, { path: each }) => (each.length > best.length ? each : best), '');
}
