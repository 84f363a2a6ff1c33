/**
 * Sums of products by the names of their axes. Operands are taken in turn: of each pair, axes that both have and nobody wants
 * any more are summed by one matmul; what only one has and nobody wants is summed first.
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { mul } from './arithmetic';
import { matrixProduct } from './linalg';
import { diagonal } from './place';
import { sum } from './reduction';
import { expand, permute, reshape } from './shape';
import { isFloat } from './types';

/** A tensor and the label of each of its axes; an axis under an ellipsis is labelled by its place from the right. */
interface Term {
  readonly x: Tensor;
  readonly labels: readonly string[];
}
type SizeOf = (label: string) => number | null;

/**
 * y[output labels] = Σ over the other labels of the product of the operands, each read at its own labels:
 * einsum('bik,bkj->bij', a, b). Without `->` the output has the labels that occur once, in order of the alphabet. A label
 * twice in one operand is its diagonal; `...` stands for axes that broadcast, as sizes of 1 do. torch.einsum.
 * @throws ArgumentError where the equation is malformed, ShapeError where operands do not fit it; both name the equation.
 */
export function einsum(equation: string, ...operands: readonly TensorLike[]): Tensor {
  const inputs = operands.map((operand) => toTensor(operand, 'einsum'));
  const wrong = (what: string) => new ArgumentError(`einsum '${equation}': ${what}`);
  const [left = '', right, ...more] = equation.replaceAll(' ', '').split('->');
  const written = left.split(',');
  if (more.length) throw wrong("more than one '->'; wants at most one");
  if (written.length !== inputs.length)
    throw wrong(`${inputs.length} operands for ${written.length} terms; wants one operand a term`);

  const named = inputs.map((x, i): Term => ({ x, labels: labelsOf(written[i] as string, x.rank, wrong, x) }));
  const all = named.flatMap(({ labels }) => labels);
  const hidden = [...new Set(all.filter((label) => label.startsWith('.')))].sort((a, b) => +b.slice(1) - +a.slice(1));
  const output =
    right === undefined
      ? [...hidden, ...all.filter((label, i) => !label.startsWith('.') && !all.includes(label, i + 1) && all.indexOf(label) === i).sort()] // biome-ignore format: one
      : labelsOf(right, right.includes('...') ? right.length - 3 + hidden.length : right.length, wrong);
  for (const label of output) {
    if (!all.includes(label)) throw wrong(`the output has '${label}', which no operand has`);
    if (output.indexOf(label) !== output.lastIndexOf(label)) throw wrong(`the output has '${label}' twice`);
  }

  const sizeOf = sizesOf(equation, named);
  const terms = named.map((term) => whole(taken(term), sizeOf));
  let product = terms[0] as Term;
  for (let i = 1; i < terms.length; i++) {
    const next = terms[i] as Term;
    const later = [...output, ...terms.slice(i + 1).flatMap(({ labels }) => labels)];
    const [a, b] = [keep(product, [...later, ...next.labels]), keep(next, [...later, ...product.labels])];
    product = contract(a, b, later, sizeOf);
  }
  return arrange(keep(product, output), output);
}

/** One label an axis. */
function labelsOf(term: string, rank: number, wrong: (what: string) => Error, x?: Tensor): string[] {
  const [before = '', after, ...more] = term.split('...');
  const letters = before + (after ?? '');
  if (more.length || /[^a-zA-Z]/.test(letters))
    throw wrong(`the term '${term}'; wants letters a-z, A-Z and at most one '...'`);
  const rest = rank - letters.length;
  if (rest < 0 || (after === undefined && rest > 0))
    throw new ShapeError(
      wrong(`the term '${term}' for shape ${x ? showShape(x.shape) : ''}; wants one letter an axis, or '...'`).message,
    );
  return [...before, ...Array.from({ length: rest }, (_, i) => `.${rest - i}`), ...(after ?? '')];
}

/** The size behind each label: the one that is not 1. */
function sizesOf(equation: string, terms: readonly Term[]): SizeOf {
  const sizes = new Map<string, number | null>();
  for (const { x, labels } of terms)
    for (const [axis, label] of labels.entries()) {
      const [own, size] = [x.shape[axis] as number | null, sizes.get(label)];
      if (size === undefined || size === 1 || (size === null && own !== null && own !== 1)) sizes.set(label, own);
      else if (own !== null && own !== 1 && own !== size)
        throw new ShapeError(
          `einsum '${equation}': '${label}' is ${size} and ${own} in shapes ${terms.map((term) => showShape(term.x.shape)).join(' and ')}; one label has one size, or 1`,
        );
    }
  return (label) => sizes.get(label) ?? null;
}

/** The diagonal of labels that occur twice. */
function taken({ x, labels }: Term): Term {
  const second = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (second < 0) return { x, labels };
  const first = labels.indexOf(labels[second] as string);
  const rest = labels.filter((_, axis) => axis !== first && axis !== second);
  return taken({ x: diagonal(x, { dim1: first, dim2: second }), labels: [...rest, labels[second] as string] });
}
/** Every axis at its label's size. */
function whole({ x, labels }: Term, sizeOf: SizeOf): Term {
  const shape = labels.map((label, axis) => (x.shape[axis] === 1 ? sizeOf(label) : (x.shape[axis] as number | null)));
  return { x: shape.every((size, axis) => size === x.shape[axis]) ? x : expand(x, shape), labels };
}
/** Summed over labels that nobody wants. */
function keep({ x, labels }: Term, wanted: readonly string[]): Term {
  const gone = labels.flatMap((label, axis) => (wanted.includes(label) ? [] : [axis]));
  return gone.length ? { x: sum(x, gone), labels: labels.filter((label) => wanted.includes(label)) } : { x, labels };
}
/** Axes in this order; labels it does not have get an axis of size 1. */
function arrange({ x, labels }: Term, order: readonly string[]): Tensor {
  const own = order.filter((label) => labels.includes(label));
  const sorted = own.every((label, axis) => label === labels[axis])
    ? x
    : permute(x, own.map((label) => labels.indexOf(label))); // biome-ignore format: one
  if (own.length === order.length) return sorted;
  const shape = [...sorted.shape];
  return reshape(sorted, order.map((label) => (own.includes(label) ? (shape.shift() as number | null) : 1))); // biome-ignore format: one
}

/** The product of two terms, summed over the labels they share and `later` does not want. */
function contract(a: Term, b: Term, later: readonly string[], sizeOf: SizeOf): Term {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => later.includes(label));
  const inner = shared.filter((label) => !later.includes(label));
  const [rows, columns] = [a, b].map(({ labels }) => labels.filter((label) => !shared.includes(label))) as [string[], string[]]; // biome-ignore format: one
  const labels = [...batch, ...rows, ...columns];
  const matrices = inner.length > 0 && rows.length + columns.length > 0 && isFloat(a.x.dtype) && isFloat(b.x.dtype);
  if (!matrices) {
    // Without rows and columns there is nothing to tile, and integers have no matmul: the product is part of the sum's loads.
    const order = [...labels, ...inner];
    const product = mul(arrange(a, order), arrange(b, order));
    return { x: inner.length ? sum(product, inner.map((_, i) => labels.length + i)) : product, labels }; // biome-ignore format: one
  }
  const count = (group: readonly string[]) =>
    group.map(sizeOf).reduce<number | null>((n, size) => (n === null || size === null ? null : n * size), 1);
  const stack = (term: Term, ...[m, n]: [string[], string[]]) =>
    reshape(arrange(term, [...batch, ...m, ...n]), [...batch.map(sizeOf), count(m), count(n)]);
  const product = matrixProduct(stack(a, rows, inner), stack(b, inner, columns));
  return { x: reshape(product, labels.map(sizeOf)), labels };
}
