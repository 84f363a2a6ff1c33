/**
 * Domains cut where padding begins: the inside, which needs no checks, and thin borders, where checks have known answers.
 *
 *      ┌─┬─────────┬─┐     Cuts come from the valid ranges of loads and from comparisons of a coordinate with a constant
 *      ├─┼─────────┼─┤     (what pooling asks of its windows). In each box a load is whole or nothing, and such a
 *      │ │ inside  │ │     comparison true or false, so that selects of them go too.
 *      └─┴─────────┴─┘
 */
import type { ExprOp, View } from '@tessera/tensor/backend';
import { type Affine, type ApplyNode, type Domain, eachNode, type Node, simplify, weight } from './domain';

/** Cuts along one axis, boxes altogether, and the size from which it is worth the code. */
const [mostCuts, mostBoxes, leastElements] = [4, 25, 2048];

// Borders of the last axis are columns, which go through all of the memory again: only where that costs less than the checks.
const heavy = 16;

const compares = new Set<ExprOp>(['lt', 'le', 'gt', 'ge']);

/** The boxes of a domain; itself where there is nothing to cut or too much. */
export function split(domain: Domain): Domain[] {
  const cuts = domain.shape.map(() => new Set<number>());
  const { shape } = domain;
  if (shape.reduce((a, b) => a * b, 1) < leastElements) return [domain];
  eachNode(domain.roots, (node) => {
    if (node.op === 'load' && !node.at) {
      node.view.valid?.forEach(([lo, hi], axis) => {
        cuts[axis]?.add(lo).add(hi);
      });
    }
    const edge = edgeOf(node);
    if (edge) cuts[edge.axis]?.add(edge.at);
  });
  if (weight(domain.roots) < heavy) cuts[shape.length - 1]?.clear();
  const pieces = cuts.map((set, axis): [number, number][] => {
    const size = shape[axis] as number;
    const inner = [...set].filter((at) => at > 0 && at < size).sort((a, b) => a - b);
    const bounds = inner.length > mostCuts ? [0, size] : [0, ...inner, size];
    return bounds.slice(1).map((to, i) => [bounds[i] as number, to]);
  });
  if (pieces.every(({ length }) => length === 1)) return [domain];
  if (pieces.reduce((n, { length }) => n * length, 1) > mostBoxes) return [domain];
  return pieces
    .reduce<[number, number][][]>(
      (boxes, ranges) => boxes.flatMap((box) => ranges.map((range) => [...box, range])),
      [[]],
    )
    .map((box) => slice(domain, box));
}

/** A comparison of offset + stride · coordinate with a constant changes where the coordinate reaches `at`. */
function edgeOf(node: Node): { axis: number; at: number } | null {
  if (node.op !== 'apply' || !compares.has(node.fn)) return null;
  const [x, limit] = node.args;
  if (x?.op !== 'affine' || limit?.op !== 'const') return null;
  const axis = x.strides.findIndex((stride) => stride !== 0);
  const stride = x.strides[axis] as number;
  if (stride <= 0 || x.strides.some((other, i) => other !== 0 && i !== axis)) return null;
  const strict = node.fn === 'lt' || node.fn === 'ge';
  return { axis, at: Math.ceil((limit.value + (strict ? 0 : 1) - x.offset) / stride) };
}

/** The part of a domain within [lo, hi) along each axis, with what is known there worked in. */
function slice(domain: Domain, box: readonly (readonly [number, number])[]): Domain {
  const shape = box.map(([lo, hi]) => hi - lo);
  const shift = (strides: readonly number[]) =>
    strides.reduce((sum, stride, axis) => sum + stride * (box[axis]?.[0] ?? 0), 0);
  const viewOf = (view: View): View => {
    const valid = view.valid?.map(([lo, hi], axis): readonly [number, number] => {
      const [from, to] = box[axis] as readonly [number, number];
      const first = Math.min(Math.max(lo, from), to);
      return [first - from, Math.max(first, Math.min(hi, to)) - from];
    });
    const whole = valid?.every(([lo, hi], axis) => lo === 0 && hi === shape[axis]) ?? true;
    return {
      shape,
      strides: view.strides,
      offset: view.offset + shift(view.strides),
      valid: whole ? null : (valid ?? null),
    };
  };
  const memo = new Map<Node, Node>();
  const visit = (node: Node): Node => {
    const known = memo.get(node);
    if (known) return known;
    const made = make(node);
    memo.set(node, made);
    return made;
  };
  const make = (node: Node): Node => {
    switch (node.op) {
      case 'affine':
        return { ...node, offset: (node.offset + shift(node.strides)) | 0 };
      case 'load': {
        if (node.at) return { ...node, at: node.at.map(visit) };
        const view = viewOf(node.view);
        if (view.valid?.some(([lo, hi]) => lo >= hi)) return { op: 'const', dtype: node.dtype, value: 0 };
        return { ...node, view };
      }
      case 'apply':
        return fold({ ...node, args: node.args.map(visit) }, shape);
      default:
        return node;
    }
  };
  const sliced = { roots: domain.roots.map(visit), views: domain.views.map(viewOf) };
  return simplify(shape, sliced.roots, sliced.views);
}

const truth = (value: boolean): Node => ({ op: 'const', dtype: 'bool', value: +value });

/** What is known of a function in this box: comparisons that hold throughout, and logic and selects of them. */
function fold(node: ApplyNode, shape: readonly number[]): Node {
  const [a, b, c] = node.args;
  if (compares.has(node.fn) && a?.op === 'affine' && b?.op === 'const') {
    const [least, most] = range(a, shape);
    const all = { lt: most < b.value, le: most <= b.value, gt: least > b.value, ge: least >= b.value };
    const none = { lt: least >= b.value, le: least > b.value, gt: most <= b.value, ge: most < b.value };
    const fn = node.fn as keyof typeof all;
    if (all[fn] || none[fn]) return truth(all[fn]);
  }
  if (node.dtype === 'bool' && (node.fn === 'and' || node.fn === 'or')) {
    for (const [known, other] of [
      [a, b],
      [b, a],
    ]) {
      if (known?.op !== 'const' || !other) continue;
      return (known.value !== 0) === (node.fn === 'and') ? other : truth(node.fn === 'or');
    }
  }
  if (node.fn === 'select' && a?.op === 'const' && b && c) return a.value !== 0 ? b : c;
  return node;
}

function range({ strides, offset }: Affine, shape: readonly number[]): [number, number] {
  let [least, most] = [offset, offset];
  strides.forEach((stride, axis) => {
    const reach = stride * ((shape[axis] as number) - 1);
    if (reach < 0) least += reach;
    else most += reach;
  });
  // Beyond 32 bits it would wrap: then nothing is known.
  return least < -(2 ** 31) || most >= 2 ** 31 ? [-Infinity, Infinity] : [least, most];
}
