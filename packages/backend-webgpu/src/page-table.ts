/** The table of a kernel that finds operands by it, and the pages that it binds. */
import type { GpuExecutable } from './compile';
import { usage } from './device';
import type { Memory, Region } from './memory';
import type { Operand } from './pages';

/** @param paged where the operands lie, in the order of the kernel's `paged` */
export function tableOf(
  { name, bindings, built }: GpuExecutable,
  paged: readonly Pick<Region, 'gpu' | 'offset'>[],
  device: GPUDevice,
  memory: Pick<Memory, 'spare'>,
): GPUBufferBinding[] {
  const kinds = { word: [] as GPUBuffer[], half: [] as GPUBuffer[] };
  const places = paged.map(({ gpu, offset }, i) => {
    const half = (bindings.paged[i] as Operand).dtype === 'float16';
    const pages = half ? kinds.half : kinds.word;
    const page = pages.includes(gpu) ? pages.indexOf(gpu) : pages.push(gpu) - 1;
    return { page, first: offset / (half ? 2 : 4) };
  });
  const words = Uint32Array.from(
    built.table.flatMap((row) => {
      if (!('operand' in row)) return row;
      const { page, first } = places[row.operand] as (typeof places)[number];
      return [page, first + row.plus];
    }),
  );
  let spare = 0;
  const filled = (pages: readonly GPUBuffer[], count: number) =>
    Array.from({ length: count }, (_, i): GPUBufferBinding => {
      const buffer = pages[i];
      return buffer ? { buffer } : memory.spare(spare++);
    });
  const bound = [...filled(kinds.word, bindings.words), ...filled(kinds.half, bindings.halves)];
  const use = usage.storage | usage.copyDst;
  const buffer = device.createBuffer({ label: `tessera table of ${name}`, size: words.byteLength, usage: use });
  device.queue.writeBuffer(buffer, 0, words);
  return [{ buffer }, ...bound];
}
