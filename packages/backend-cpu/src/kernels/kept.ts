/**
 * What a pass over a row has computed and a later one asks for again: the exponentials of a softmax, which its sum and its
 * result both want. They are kept in the worker's scratch, an unit's at a time, if they are dear and few enough for the cache.
 *
 *      stage 1   Σ exp(x − max)  ──► scratch ──►   store   kept / Σ
 */
import { type ExprOp, sizeOf, type View } from '@tessera/tensor/backend';
import { eachNode, type LoadNode, type Node, replaceNodes } from '../domain';

/** Dearer than to write four bytes and read them again. */
// biome-ignore format: a table
const dear = /* @__PURE__ */ new Set<ExprOp>([
  'exp', 'expm1', 'log', 'log1p', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh',
  'tanh', 'asinh', 'acosh', 'atanh', 'erf', 'erfinv', 'pow', 'atan2', 'philox',
]);
/** What a second-level cache holds beside the row itself and what is written back. */
const mostBytes = 2 ** 18;

/** A node of a stage and the load that later passes have in its place. */
export interface Kept {
  readonly node: Node;
  readonly load: LoadNode;
  /** Bytes from the start of the scratch. */
  readonly offset: number;
}

/** The expressions of a reduction's passes, in order, with loads of what an earlier pass has kept; `bytes` of scratch are taken then. */
export interface Passes {
  readonly passes: readonly (readonly Node[])[];
  /** By pass. */
  readonly kept: readonly (readonly Kept[])[];
  readonly bytes: number;
}

/**
 * `row` are the sizes of what lies in scratch, for the last axes of the domain, whose number of axes is `rank`; `from` bytes of it are
 * taken.
 */
export function keep(passes: readonly (readonly Node[])[], rank: number, row: readonly number[], from = 0): Passes {
  const view = viewOf(row, rank);
  const size = 4 * (sizeOf(row) + 4);
  const kept: Kept[][] = [];
  let left = passes;
  let offset = from;
  passes.forEach((_, i) => {
    const later = new Set<Node>();
    eachNode(left.slice(i + 1).flat(), (node) => later.add(node));
    const found = wanted(left[i] as readonly Node[], later, rank - 1);
    const mine: Kept[] = [];
    for (const node of found) {
      if (offset + size > mostBytes) break;
      mine.push({ node, offset, load: { op: 'load', dtype: node.dtype, input: -1, view, at: null } });
      offset += size;
    }
    kept.push(mine);
    const loads = new Map<Node, Node>(mine.map(({ node, load }) => [node, load]));
    if (mine.length) left = left.map((roots, j) => (j > i ? replaceNodes(roots, loads) : roots));
  });
  return { passes: left, kept, bytes: offset };
}

/** The topmost nodes below `roots` that later passes have too and that are dear. */
function wanted(roots: readonly Node[], later: ReadonlySet<Node>, axis: number): Node[] {
  const [found, seen] = [new Set<Node>(), new Set<Node>()];
  const walk = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (later.has(node) && isDear(node, axis)) found.add(node);
    else if (node.op === 'apply') node.args.forEach(walk);
  };
  roots.forEach(walk);
  return [...found];
}

/** Has it a dear function of what varies along the axis? All others are computed once, before the loop. */
export function isDear(root: Node, axis: number): boolean {
  let is = false;
  eachNode([root], (node) => {
    is ||= node.op === 'apply' && dear.has(node.fn) && variesAlong(node, axis);
  });
  return is;
}

function variesAlong(root: Node, axis: number): boolean {
  let does = false;
  eachNode([root], (node) => {
    if (node.op === 'affine') does ||= node.strides[axis] !== 0;
    if (node.op === 'load' && !node.at) does ||= node.view.strides[axis] !== 0;
  });
  return does;
}

/** Row-major over the last axes, the same for all coordinates of the others. */
function viewOf(row: readonly number[], rank: number): View {
  const strides = new Array<number>(rank).fill(0);
  const shape = new Array<number>(rank).fill(1);
  let stride = 1;
  for (let i = row.length - 1; i >= 0; i--) {
    const axis = rank - row.length + i;
    strides[axis] = stride;
    shape[axis] = row[i] as number;
    stride *= row[i] as number;
  }
  return { shape, strides, offset: 0, valid: null };
}
