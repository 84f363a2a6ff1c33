/** Values as PyTorch prints them. */
import { knownShape, type Tensor } from './tensor';

export interface PrintOptions {
  /** Digits behind the point. Default 4. */
  readonly precision?: number;
  /** Tensors of more elements are cut to their edges. Default 1000. */
  readonly threshold?: number;
  /** Entries shown at each edge of a cut axis. Default 3. */
  readonly edgeItems?: number;
}

/** Prints the values to the console, as `print(t)` of PyTorch would. */
export async function print(x: Tensor, options: PrintOptions = {}): Promise<void> {
  console.log(await format(x, options));
}

/** The text that `print` prints: "tensor([[1., 2.],\n        [3., 4.]])". */
export async function format(
  x: Tensor,
  { precision = 4, threshold = 1000, edgeItems = 3 }: PrintOptions = {},
): Promise<string> {
  const shape = knownShape(x, 'print');
  const data = await x.data();
  const cut = data.length > threshold;
  const shown = (size: number): (number | null)[] =>
    cut && size > 2 * edgeItems
      ? [...Array(edgeItems).keys(), null, ...Array.from({ length: edgeItems }, (_, i) => size - edgeItems + i)]
      : [...Array(size).keys()];
  const visible: number[] = [];
  const walk = (axis: number, at: number): void => {
    if (axis === shape.length) visible.push(data[at] as number);
    else for (const i of shown(shape[axis] as number)) if (i !== null) walk(axis + 1, at * (shape[axis] as number) + i);
  };
  walk(0, 0);
  const number = numberFormat(visible, x.dtype === 'float32' || x.dtype === 'float16', x.dtype === 'bool', precision);
  const measured = visible.filter((value) => x.dtype === 'bool' || (Number.isFinite(value) && value !== 0));
  const width = Math.max(0, ...measured.map((value) => number(value).length));
  const level = (axis: number, at: number, indent: number): string => {
    if (axis === shape.length) return number(data[at] as number).padStart(shape.length ? width : 0);
    const size = shape[axis] as number;
    const last = axis === shape.length - 1;
    const entries = shown(size).map((i) => (i === null ? '...' : level(axis + 1, at * size + i, indent + 1)));
    const gap = last ? ', ' : `,${'\n'.repeat(shape.length - 1 - axis)}${' '.repeat(indent + 1)}`;
    return `[${entries.join(gap)}]`;
  };
  const suffix = [
    ...(data.length === 0 && shape.length > 1 ? [`size=(${shape.join(', ')})`] : []),
    ...(x.dtype === 'int32' || x.dtype === 'uint8' || x.dtype === 'float16' ? [`dtype=${x.dtype}`] : []),
  ];
  const body = data.length === 0 ? '[]' : level(0, 0, 'tensor('.length);
  return `tensor(${[body, ...suffix].join(', ')})`;
}

/** One way to write all of them: integers with a point, scientific where the range is wide, else fixed. */
function numberFormat(
  values: readonly number[],
  floats: boolean,
  bools: boolean,
  precision: number,
): (value: number) => string {
  if (bools) return (value) => (value ? 'True' : 'False');
  if (!floats) return String;
  const finite = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const special = (value: number): string | null =>
    Number.isNaN(value)
      ? 'nan'
      : value === Number.POSITIVE_INFINITY
        ? 'inf'
        : value === Number.NEGATIVE_INFINITY
          ? '-inf'
          : null;
  const largest = Math.max(0, ...finite);
  const smallest = Math.min(Number.POSITIVE_INFINITY, ...finite);
  const whole = finite.every(Number.isInteger);
  const scientific = whole ? largest >= 1e8 : largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4;
  const exponent = (value: number): string => value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
  return (value) =>
    special(value) ??
    (scientific && finite.length ? exponent(value) : whole ? `${value.toFixed(0)}.` : value.toFixed(precision));
}
