/** What matmul and convolution read: plain operands where they lie, all others written out to scratch first. */
import { type Expr, type Kernel, rowMajor, sizeOf } from '@tessera/tensor/backend';
import { type Arg, type Code, i32, type Local, type Module } from '../assembler';
import { argWords } from '../expression';
import { isPlain, materialise } from './pack';

/** Sizes of one to three spatial axes as three. */
export const three = (sizes: readonly number[], fill: number): [number, number, number] =>
  [...new Array<number>(3 - sizes.length).fill(fill), ...sizes] as [number, number, number];

/** Shared scratch as it is given out. */
export class Scratch {
  bytes = 0;
  reserve(bytes: number): number {
    const offset = this.bytes;
    this.bytes += 64 * Math.ceil((bytes + 64) / 64);
    return offset;
  }
}

/** An operand [n, c, ...spatial] of a convolution with contiguous rows. */
export interface Planar {
  /** Elements from one to the next. */
  readonly strides: readonly [image: number, channel: number, slice: number, row: number];
  /** Address of channel c of image n. */
  at(args: Local, n: Arg, c: Arg): Code;
}

/** The operand where it lies if it is plain with contiguous rows, or a copy in scratch. */
export function operandOf(
  module: Module,
  kernel: Kernel,
  expr: Expr,
  domain: readonly number[],
  name: string,
  scratch: Scratch,
  phases: { name: string; chunks: number }[],
): Planar {
  const words = argWords(kernel);
  let [word, offset, strides] = [words.sharedScratch, 0, rowMajor(domain)];
  if (isPlain(kernel, expr) && (expr.view.strides.at(-1) === 1 || domain.at(-1) === 1)) {
    word = words.input(expr.input);
    offset = 4 * expr.view.offset;
    strides = [...expr.view.strides];
  } else {
    offset = scratch.reserve(4 * sizeOf(domain));
    phases.push(materialise(module, kernel, expr, domain, offset, name));
  }
  const [image, channel] = strides as [number, number];
  const [slice, row] = three(strides.slice(2), 0);
  return {
    strides: [image, channel, slice, row],
    at: (args, n, c) =>
      i32.add(i32.load(args, 4 * word), i32.add(offset, i32.add(i32.mul(n, 4 * image), i32.mul(c, 4 * channel)))),
  };
}
