/**
 * Four places that follow each other along an axis, at once: loads that lie together there are one vector, and so are stores.
 * Whatever is between is written four times, a place each.
 */
import { type Expr, expr as e, type Kernel, type Load, nodesOf, type Store, type View } from '@tessera/tensor/backend';
import { type Carried, toCarried } from './accumulate';
import { bindingsOf, nameOf } from './pages';
import { atCoords, elementOf, validity } from './place';
import { type Block, bindingOf, narrowed, storedAs } from './shader';

/** Are any four elements from a multiple of 4 along the axis one vector of a buffer of so many elements? */
function isVector({ shape, strides, offset, valid }: View, axis: number, size: number): boolean {
  const whole = (at: number) => shape[at] === 1 || (strides[at] as number) % 4 === 0;
  const all = shape[axis] as number;
  const [low, high] = valid?.[axis] ?? [0, all];
  return (
    strides[axis] === 1 &&
    all % 4 === 0 &&
    size % 4 === 0 &&
    offset % 4 === 0 &&
    low <= 0 &&
    high >= all &&
    shape.every((_, at) => at === axis || whole(at))
  );
}

/** The loads of expressions, each once, in the order they are met. */
export const loadsOf = (exprs: readonly Expr[]): Load[] => [...nodesOf(exprs)].filter((expr) => expr.op === 'load');

/** The axis of two along which the first load that varies there lies together in memory; the last where none does. */
export function alongOf(expr: Expr, axes: readonly [number, number]): number {
  for (const { view, at } of loadsOf([expr])) {
    if (at) continue;
    for (const axis of [axes[1], axes[0]]) if (view.strides[axis] === 1 && view.shape[axis] !== 1) return axis;
  }
  return axes[1];
}

const ownNames = (kernel: Kernel): Set<string> => new Set(bindingsOf(kernel).own.map(nameOf));

/** Bindings of an expression's loads that are vectors along an axis. */
export function vectorsOf(expr: Expr, axis: number, kernel: Kernel): string[] {
  const own = ownNames(kernel);
  const found = loadsOf([expr]).filter(
    ({ input, view, at }) =>
      !at &&
      !kernel.aliases.includes(input) &&
      isVector(view, axis, kernel.inputs[input]?.size ?? 0) &&
      own.has(`in${input}`),
  );
  return found.map(({ input }) => bindingOf(kernel, input));
}

/** Bindings to declare as vectors so that stores write four elements along an axis; null where a store can not. */
export function vectorStores(stores: readonly Store[], axis: number, kernel: Kernel): string[] | null {
  const own = ownNames(kernel);
  const fits = ({ view, output }: Store) => isVector(view, axis, kernel.outputs[output]?.size ?? 0);
  if (!stores.every((store) => fits(store) && own.has(`out${store.output}`))) return null;
  return stores.flatMap(({ output, expr }) => [`out${output}`, ...vectorsOf(expr, axis, kernel)]);
}

/** The places at coords, coords + 1, + 2 and + 3 along `axis`; `acc` tells the kernel's own results at each. */
export class Quad {
  readonly #block: Block;
  readonly #coords: readonly string[];
  readonly #axis: number;
  /** A block for each place. */
  readonly four: readonly Block[];
  readonly #loaded = new Map<Load, string>();

  constructor(block: Block, coords: readonly string[], axis: number, acc?: (place: number, index: number) => string) {
    this.#block = block;
    this.#coords = coords;
    this.#axis = axis;
    this.four = [0, 1, 2, 3].map((place) => {
      const moved = coords.map((coord, at) => (at === axis && place > 0 ? block.once(`${coord} + ${place}i`) : coord));
      const quarter = (load: Load) => {
        const vector = this.#load(load);
        return vector && element(vector, load, place);
      };
      return block.at({ ...atCoords(moved, acc && ((index) => acc(place, index))), quarter });
    });
  }

  /** The four values as a vector, carried as `type`. */
  value(expr: Expr, type: Carried): string {
    if (expr.op === 'load' && expr.dtype !== 'bool') {
      const vector = this.#load(expr);
      if (vector) return vector;
    }
    return `vec4<${type}>(${this.four.map((block) => toCarried(block.value(expr), expr.dtype)).join(', ')})`;
  }

  store(stores: readonly Store[]): void {
    const { kernel } = this.#block.shader;
    const lines = stores.map(({ output, view, expr }) => {
      const { dtype } = kernel.outputs[output] as Kernel['outputs'][number];
      const wanted = e.cast(expr, e.computeOf(dtype));
      const values = this.four.map((block) => narrowed(block.value(wanted), dtype));
      return `out${output}[(${elementOf(view, this.#coords)}) >> 2u] = vec4<${storedAs[dtype]}>(${values.join(', ')});`;
    });
    this.#block.line(...lines);
  }

  /** The name of the vector that a load is for the four places, widened to what it computes in; null where it is none. */
  #load(load: Load): string | null {
    const { kernel, vectors } = this.#block.shader;
    const known = this.#loaded.get(load);
    if (known) return known;
    const { input, view, at, dtype } = load;
    const { size = 0, dtype: stored } = kernel.inputs[input] ?? {};
    const name = bindingOf(kernel, input);
    if (at || !vectors.has(name) || !isVector(view, this.#axis, size)) return null;
    const vector = `${name}[(${elementOf(view, this.#coords)}) >> 2u]`;
    const type = dtype === 'float32' ? 'f32' : stored === 'bool' ? 'u32' : 'i32';
    const value = stored === 'float16' || stored === 'uint8' ? `vec4<${type}>(${vector})` : vector;
    const others = view.valid && {
      ...view,
      valid: view.valid.map((range, axis) =>
        axis === this.#axis ? ([0, view.shape[axis] as number] as const) : range,
      ),
    };
    const valid = others && validity(others, this.#coords, false);
    const bound = this.#block.bind(valid ? `select(vec4<${type}>(), ${value}, ${valid})` : value, 'q');
    this.#loaded.set(load, bound);
    return bound;
  }
}

function element(vector: string, { dtype }: Load, place: number): string {
  const text = `${vector}.${'xyzw'[place]}`;
  return dtype === 'bool' ? `(${text} != 0u)` : text;
}
