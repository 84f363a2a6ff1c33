/** Batches of examples: rows of arrays, shuffled, gathered, changed at will, handed out as tensors. */
import { ArgumentError, isTensor, ShapeError, type Tensor, tensor } from '@tessera/tensor';
import type { HostArray } from './array';
import { permutation, wordsOf } from './random';

/** Arrays with a row an example, by name (`{ image, label }`) or by position (`[image, label]`). */
export type Columns<C> = { readonly [K in keyof C]: HostArray | Tensor };
/** The same names or positions, another thing in each. */
export type Each<C, T> = { -readonly [K in keyof C]: T };

/** What a transform may ask about the rows it is given. */
export interface Draw {
  readonly epoch: number;
  /** Which examples the batch holds. */
  readonly indices: Uint32Array;
  /** Four random 32-bit words of a row: a function of the seed, the epoch and the example alone. */
  words(row: number): Uint32Array;
}

export interface BatchOptions<C> {
  /** Examples a batch. */
  readonly size: number;
  /** Another order each epoch. Default false: as they stand. */
  readonly shuffle?: boolean;
  /** Integer ≥ 0; the order and every draw follow from it. Default 0. */
  readonly seed?: number;
  /** Leave out a last batch that is smaller than `size`. Default false. */
  readonly dropLast?: boolean;
  /** Changes the rows before they become tensors; the arrays it is given are its own. */
  readonly transform?: (batch: Each<C, HostArray>, draw: Draw) => Readonly<Each<C, HostArray>>;
}

/** Where a reader stands: plain data, for a checkpoint. */
export interface Position {
  readonly epoch: number;
  /** How many rows of the epoch's order are behind it. */
  readonly row: number;
}

/** Longest stretch without a macrotask: finalizers, timers and signals run only between macrotasks. */
const patience = 50;

/**
 * Examples in batches. `for await` gives the rest of the present epoch, then stands at the start of the next one; leave the
 * loop or save `position` where you like, and the next `for await` goes on there. torch.utils.data.DataLoader.
 */
export class Batches<C extends Columns<C>> implements AsyncIterable<Each<C, Tensor>> {
  /** Rows in all. */
  readonly count: number;
  readonly #columns: C;
  readonly #options: BatchOptions<C>;
  readonly #seed: number;
  #position: Position = { epoch: 0, row: 0 };
  /** When the last macrotask was, also where each epoch takes less than `patience`. */
  #rested = performance.now();

  constructor(columns: C, options: BatchOptions<C>) {
    const { size, seed = 0 } = options;
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`batches: size is ${size}, wants an integer of at least 1`);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new ArgumentError(`batches: seed is ${seed}, wants an integer from 0 to 2^53 − 1`);
    this.count = commonRows(columns);
    this.#columns = columns;
    this.#options = options;
    this.#seed = seed;
  }

  /** Batches an epoch. */
  get length(): number {
    const { size, dropLast } = this.#options;
    return dropLast ? Math.floor(this.count / size) : Math.ceil(this.count / size);
  }

  /** The next row to be read, as JSON-able data; assign it to go on from there. */
  get position(): Position {
    return this.#position;
  }
  set position({ epoch, row }: Position) {
    if (![epoch, row].every((n) => Number.isSafeInteger(n) && n >= 0) || row > this.count)
      throw new ArgumentError(
        `batches: position { epoch: ${epoch}, row: ${row} } does not fit ${this.count} rows; was it saved with other data?`,
      );
    this.#position = { epoch, row };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Each<C, Tensor>, void, undefined> {
    const { size, shuffle = false, dropLast = false, transform } = this.#options;
    const arrays = await Promise.all(Object.values<HostArray | Tensor>(this.#columns).map(onHost));
    const { epoch, row } = this.#position;
    const order = shuffle ? permutation(this.count, this.#seed, epoch) : null;
    const last = dropLast ? this.count - size : this.count - 1;
    for (let start = row; start <= last; start += size) {
      const end = Math.min(start + size, this.count);
      const indices = order ? order.slice(start, end) : Uint32Array.from({ length: end - start }, (_, i) => start + i);
      const rows = this.#named(arrays.map((array) => take(array, indices)));
      const words = (i: number) => wordsOf(indices[i] as number, epoch, this.#seed);
      const batch = transform ? transform(rows, { epoch, indices, words }) : rows;
      if (performance.now() - this.#rested > patience) {
        await macrotask();
        this.#rested = performance.now();
      }
      this.#position = start + size <= last ? { epoch, row: end } : { epoch: epoch + 1, row: 0 };
      yield this.#named(Object.values<HostArray>(batch).map(toTensor));
    }
    // Nothing was left to give (a position at the end, or fewer rows than one batch): the epoch is over all the same.
    if (row > last) this.#position = { epoch: epoch + 1, row: 0 };
  }

  /** A value a column, under the columns' names or positions. */
  #named<T>(values: readonly T[]): Each<C, T> {
    const named = Array.isArray(this.#columns)
      ? values
      : Object.fromEntries(Object.keys(this.#columns).map((name, i) => [name, values[i]]));
    return named as Each<C, T>;
  }
}

/**
 * `for await (const { image, label } of batches({ image, label }, { size: 128, shuffle: true, seed: 1 }))`.
 * Columns are host arrays or tensors, [rows, …] each; the batches hold tensors [size, …] under the same names or positions.
 * @throws ArgumentError, ShapeError where sizes are wrong or the columns differ in rows.
 */
export const batches = <const C extends Columns<C>>(columns: C, options: BatchOptions<C>): Batches<C> =>
  new Batches(columns, options);

function commonRows(columns: Readonly<Record<string, HostArray | Tensor>>): number {
  const found = Object.entries(columns).map(([name, { shape }]) => ({ name, shape, rows: shape[0] }));
  const [first] = found;
  const odd = found.find(({ rows }) => typeof rows !== 'number' || rows !== first?.rows);
  if (!first || odd || typeof first.rows !== 'number')
    throw new ShapeError(
      `batches: columns ${found.map(({ name, shape }) => `${name} [${shape}]`).join(', ') || '(none)'} must have the same number of rows`,
    );
  for (const [name, column] of Object.entries(columns)) {
    const wanted = column.shape.reduce<number>((product, size) => product * (size ?? 1), 1);
    if (!isTensor(column) && column.data.length !== wanted)
      throw new ShapeError(
        `batches: column ${name} [${column.shape}] wants ${wanted} values, its data has ${column.data.length}`,
      );
  }
  return first.rows;
}

/** A tensor's values, read once an epoch; a host array as it is. */
async function onHost(column: HostArray | Tensor): Promise<HostArray> {
  if (!isTensor(column)) return column;
  return { data: (await column.data()) as HostArray['data'], shape: column.shape as number[], dtype: column.dtype };
}

/** The rows at `indices`, copied. */
function take({ data, shape, dtype }: HostArray, indices: Uint32Array): HostArray {
  const width = shape.slice(1).reduce((product, size) => product * size, 1);
  const rows = new (data.constructor as new (length: number) => HostArray['data'])(indices.length * width);
  indices.forEach((index, i) => {
    rows.set(data.subarray(index * width, (index + 1) * width), i * width);
  });
  return { data: rows, shape: [indices.length, ...shape.slice(1)], ...(dtype && { dtype }) };
}

const toTensor = ({ data, shape, dtype }: HostArray): Tensor => tensor(data, { shape, ...(dtype && { dtype }) });

const macrotask = () => new Promise<void>((resolve) => setTimeout(resolve));
