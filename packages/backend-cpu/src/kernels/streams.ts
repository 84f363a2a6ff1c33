/**
 * What is contiguous in memory read in several places at once: an axis is cut into so many parts, and each round of a sweep takes a
 * vector of each.
 *
 *      one after another   ▒▒▒▒────────────────        in streams   ▒▒──── ▒▒──── ▒▒──── ▒▒────
 *
 * A processor reads ahead in each of them, so that more is on its way: a loop that only reads 64 MiB takes 26 GB/s on two cores in
 * one stream, 33 in two, 36 to 43 in four; a copy 32, 37, 38.
 */
import type { View } from '@tessera/tensor/backend';
import { eachNode, type LoadNode, type Node, weight } from '../domain';
import { isDear } from './kept';

const most = 4;
/** Pointers that fit in registers, nodes of an expression that is memory's, not arithmetic's, to be waited for. */
const mostPointers = 8;
const mostNodes = 24;
/** Shortest stream along the swept axis: pieces of a row of 16 kB lie 4 kB apart, in few sets of the cache (0.85 times as quick). */
const leastLength = 16384;

/** An axis, and how many of its elements are to be gone through. */
export interface Stretched {
  readonly axis: number;
  readonly length: number;
}
/** `count` streams along an axis, each `length` elements long. */
export interface Streams extends Stretched {
  readonly count: number;
}

/** The streams for these expressions and as many stores: along the first of `axes` that can be cut; `last` is the swept one. */
export function streamsOf(
  roots: readonly Node[],
  stores: number,
  axes: readonly Stretched[],
  last: number,
): Streams | null {
  for (const { axis, length } of axes) {
    for (let count = most; count > 1; count /= 2) {
      const each = length / count;
      const whole = axis === last ? each % 4 === 0 && each >= leastLength : Number.isInteger(each);
      if (whole && sideBySide(roots, stores, count, axis, last)) return { axis, count, length: each };
    }
  }
  return null;
}

/** Do `count` copies of these expressions, each at another place along `axis`, go into one sweep? */
export function sideBySide(roots: readonly Node[], stores: number, count: number, axis: number, last: number): boolean {
  if (weight(roots) > mostNodes || roots.some((root) => isDear(root, last))) return false;
  return count * (stores + pointersOf(roots, axis, last)) <= mostPointers;
}

/** How many loads move along; too many where one is padded or looked up. */
function pointersOf(roots: readonly Node[], axis: number, last: number): number {
  let pointers = 0;
  eachNode(roots, (node) => {
    if (node.op !== 'load') return;
    if (node.at || node.view.valid) pointers = Infinity;
    else if (node.view.strides[axis] !== 0 || node.view.strides[last] !== 0) pointers++;
  });
  return pointers;
}

/** The view of a stream's elements as seen from the first stream's coordinates. */
export const shiftedView = (view: View, axis: number, by: number): View => ({
  ...view,
  offset: view.offset + by * (view.strides[axis] as number),
});

/**
 * The expressions of the stream that begins `by` elements on, and asks for results numbered from `results` on; `moved` hears of each
 * load that is another one there.
 */
export function shifted(
  roots: readonly Node[],
  axis: number,
  by: number,
  results = 0,
  moved: (from: LoadNode, to: LoadNode) => void = () => {},
): Node[] {
  const memo = new Map<Node, Node>();
  const make = (node: Node): Node => {
    if (node.op === 'affine') {
      const stride = node.strides[axis] as number;
      return stride === 0 ? node : { ...node, offset: (node.offset + Math.imul(stride, by)) | 0 };
    }
    if (node.op === 'acc') return results === 0 ? node : { ...node, index: node.index + results };
    if (node.op === 'load' && !node.at && node.view.strides[axis] !== 0) {
      const there: LoadNode = { ...node, view: shiftedView(node.view, axis, by) };
      moved(node, there);
      return there;
    }
    if (node.op !== 'apply') return node;
    const args = node.args.map(visit);
    return args.every((arg, i) => arg === node.args[i]) ? node : { ...node, args };
  };
  const visit = (node: Node): Node => {
    const known = memo.get(node) ?? make(node);
    memo.set(node, known);
    return known;
  };
  return roots.map(visit);
}

/** Rows side by side, in elements: shorter ones are begun and ended too often, longer ones leave the cache. */
const [shortestRow, longestRow] = [512, 8192];
const leastRows = 64;

/**
 * How many rows of a reduction along memory make a unit of work, one of each half of them all: their streams go on from unit to
 * unit. Layer norm of rows of 4096: 18 GB/s one by one, 24 two and two (20 where they are neighbours). Not where exponentials are
 * kept, whose pass is arithmetic and wants its row in the first-level cache.
 */
export function rowsTogether(
  first: readonly Node[],
  roots: readonly Node[],
  rows: Stretched,
  last: { readonly axis: number; readonly length: number },
): 1 | 2 {
  if (rows.length % 2 || rows.length < leastRows || last.length < shortestRow || last.length > longestRow) return 1;
  if (roots.some((root) => isDear(root, last.axis))) return 1;
  let plain = true;
  eachNode(roots, (node) => {
    if (node.op === 'load') plain &&= !node.at && !node.view.valid;
  });
  return plain && sideBySide(first, 0, 2, rows.axis, last.axis) ? 2 : 1;
}
