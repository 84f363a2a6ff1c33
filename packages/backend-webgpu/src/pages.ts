/**
 * Which operands of a kernel have a binding of their own, and which are found by a table. A device binds 8 to 16 storage buffers;
 * a kernel with more operands binds pages, buffers that many tensors lie in (memory.ts), and reads from a table where each operand
 * begins:
 *
 *     own …        large operands, where there is room for all: as in any kernel
 *     table        rows of two words: which page an operand lies in, and its first element there
 *     words0 …     pages of words: float32, int32, uint8 and bool
 *     halves0 …    pages of float16
 *
 * Pages are bound for writing, whatever is done with them: one buffer cannot be bound for both in one dispatch.
 */
import type { DType, Kernel } from '@tessera/tensor/backend';

export interface Operand {
  readonly type: 'in' | 'out';
  readonly index: number;
  readonly dtype: DType;
}
export interface Bindings {
  readonly own: readonly Operand[];
  /** In the order of the table's rows, where a program has none of its own. */
  readonly paged: readonly Operand[];
  /** How many pages of each kind are bound. */
  readonly words: number;
  readonly halves: number;
}

/** A row of a program's table: an operand, by its place among `paged`, and elements to go on from its first; or two numbers. */
export type Row = { readonly operand: number; readonly plus: number } | readonly [number, number];

/** Pages that a kernel binds at least, beside those that its operands fill: one for each large or foreign buffer that stays. */
const spare = 2;
/** Elements: what is larger is bound by itself or lies in pages apart from all that is smaller, so the two never meet in one dispatch. */
export const large = 2 ** 18;

/** Operands that have a buffer: an input that is written in place has its output's. */
export function operandsOf({ inputs, outputs, aliases }: Kernel): Operand[] {
  const written = new Set(aliases);
  return [
    ...inputs.flatMap(({ dtype }, index) => (written.has(index) ? [] : [{ type: 'in', index, dtype } as const])),
    ...outputs.map(({ dtype }, index) => ({ type: 'out', index, dtype }) as const),
  ];
}

export const nameOf = ({ type, index }: Operand): string => `${type}${index}`;

/** What a device binds: buffers of a dispatch, one of which is kept for scratch, and bytes of each. */
export interface Room {
  readonly buffers: number;
  readonly bytes: number;
}

function assign(kernel: Kernel, { buffers, bytes }: Room): Bindings {
  const all = operandsOf(kernel);
  if (all.length < buffers) return { own: all, paged: [], words: 0, halves: 0 };
  const sizeOfOne = ({ type, index }: Operand) => (type === 'in' ? kernel.inputs : kernel.outputs)[index]?.size ?? 0;
  const isHalf = ({ dtype }: Operand) => dtype === 'float16';
  const [some, rest] = [true, false].map((is) => all.filter((operand) => sizeOfOne(operand) > large === is)) as [
    Operand[],
    Operand[],
  ];
  const kinds = new Set(rest.map(isHalf)).size;
  const own = kernel.kind !== 'map' && some.length + kinds <= buffers - 2 ? some : [];
  const paged = all.filter((operand) => !own.includes(operand));
  const counts = [false, true].map((half) => {
    const kind = paged.filter((operand) => isHalf(operand) === half);
    const filled = kind.reduce((sum, operand) => sum + sizeOfOne(operand) * (half ? 2 : 4), 0) / bytes;
    return kind.length ? Math.min(kind.length, Math.ceil(filled) + spare) : 0;
  }) as [number, number];
  const free = buffers - 2 - own.length;
  const halves = Math.min(counts[1], counts[0] ? free >> 1 : free);
  return { own, paged, words: Math.min(counts[0], free - halves), halves };
}

type Bound<K extends Kernel = Kernel> = K & { readonly bindings?: Bindings };

/** The kernel with how it is bound on a device; one without has a binding for each operand. */
export const bind = <K extends Kernel>(kernel: K, room: Room): Bound<K> => ({
  ...kernel,
  bindings: assign(kernel, room),
});
export const bindingsOf = (kernel: Bound): Bindings =>
  kernel.bindings ?? { own: operandsOf(kernel), paged: [], words: 0, halves: 0 };

/** The rows of a kernel whose operands are one each. */
export const rowsOf = ({ paged }: Bindings): Row[] => paged.map((_, operand) => ({ operand, plus: 0 }));
