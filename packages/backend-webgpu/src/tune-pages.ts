/** Where operands that a kernel finds by a table lie while a tuner measures it: in pages, each as full as it may be. */
import type { Kernel } from '@tessera/tensor/backend';
import type { Bindings, Operand } from './pages';

export interface Packed {
  /** Bytes of each page. */
  readonly pages: readonly number[];
  /** For each operand that lies in one. */
  readonly places: readonly { readonly page: number; readonly offset: number }[];
}

export const sizeOfOperand = ({ inputs, outputs }: Kernel, { type, index }: Operand): number =>
  (type === 'in' ? inputs : outputs)[index]?.size ?? 0;

/** Null where the operands lie in more pages than the kernel binds. @param most bytes of a page */
export function packed(kernel: Kernel, { paged, words, halves }: Bindings, most: number): Packed | null {
  const pages: { half: boolean; bytes: number }[] = [];
  const places = paged.map((operand) => {
    const half = operand.dtype === 'float16';
    const bytes = Math.ceil((sizeOfOperand(kernel, operand) * (half ? 2 : 4)) / 256) * 256;
    let page = pages.findIndex((one) => one.half === half && one.bytes + bytes <= most);
    if (page < 0) page = pages.push({ half, bytes: 0 }) - 1;
    const into = pages[page] as (typeof pages)[number];
    const offset = into.bytes;
    into.bytes += bytes;
    return { page, offset };
  });
  const count = (half: boolean) => pages.filter((one) => one.half === half).length;
  const fits = count(false) <= words && count(true) <= halves && pages.every(({ bytes }) => bytes <= most);
  return fits ? { pages: pages.map(({ bytes }) => bytes), places } : null;
}
