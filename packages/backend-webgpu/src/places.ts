/**
 * What must lie where before a plan runs. A kernel with more tensors than bindings wants them in few buffers; and WebGPU lets a
 * dispatch read and write one buffer only by bindings that are all for writing, and do not overlap.
 */
import { BackendError } from '@tessera/tensor/backend';
import type { GpuExecutable } from './compile';
import type { GpuBuffer, Memory, Region } from './memory';
import { nameOf, type Operand } from './pages';

/** A step of a plan: positions in its table of operands that have a binding, and of those in pages. */
interface Placed {
  readonly executable: GpuExecutable;
  readonly own: readonly number[];
  readonly paged: readonly number[];
}

/** The inputs, by name, that lie in a buffer which the kernel also writes to: they are bound for writing, too. */
export function apart(
  operands: readonly Operand[],
  positions: readonly number[],
  regions: readonly Region[],
): string[] {
  const at = (i: number) => regions[positions[i] as number] as Region;
  if (!positions.some((position) => regions[position]?.page)) return [];
  const written = new Set(operands.flatMap(({ type }, i) => (type === 'out' ? [at(i).gpu] : [])));
  return operands.flatMap((operand, i) => (operand.type === 'in' && written.has(at(i).gpu) ? [nameOf(operand)] : []));
}

/** Moves buffers of a plan until each kernel can bind its own: into pages the small ones, out of them what is bound beside. */
export function gather(steps: readonly Placed[], buffers: readonly GpuBuffer[], memory: Memory): void {
  const many = steps.filter(({ paged }) => paged.length);
  for (let moving = true; moving; ) {
    for (const half of [false, true]) {
      // a page more is kept free until what moves has room in as many
      for (let free = 1; ; free++) {
        const moved = chosen(many, buffers, half, free);
        if (memory.pagesOf(moved).length > free) continue;
        memory.gather(moved);
        break;
      }
    }
    moving = false;
    for (const { executable, own, paged } of steps)
      moving = separate(executable, own, paged, buffers, memory) || moving;
  }
}

/** Of each kernel that takes more buffers than it binds, the smaller ones, so that with `free` pages the rest can be bound. */
function chosen(steps: readonly Placed[], buffers: readonly GpuBuffer[], half: boolean, free: number): Set<GpuBuffer> {
  const moved = new Set<GpuBuffer>();
  // what moves for one kernel may leave a page to another that had it whole: until nothing more moves
  for (let before = -1; before < moved.size; ) {
    before = moved.size;
    for (const step of steps) choose(step, buffers, half, free, moved);
  }
  return moved;
}

const tooMuch = (name: string): BackendError =>
  new BackendError(
    `webgpu: ${name} goes over more buffers than this device binds; ask for a device with larger maxStorageBuffersPerShaderStage and maxStorageBufferBindingSize`,
  );

function choose(
  { executable, paged }: Placed,
  buffers: readonly GpuBuffer[],
  half: boolean,
  free: number,
  moved: Set<GpuBuffer>,
): void {
  const { bindings, name } = executable;
  const count = half ? bindings.halves : bindings.words;
  const byBuffer = new Map<GPUBuffer, Set<GpuBuffer>>();
  let pages = 0;
  paged.forEach((position, i) => {
    if ((bindings.paged[i]?.dtype === 'float16') !== half) return;
    const buffer = buffers[position] as GpuBuffer;
    const { gpu } = buffer.region;
    if (moved.has(buffer)) pages = free;
    else byBuffer.set(gpu, (byBuffer.get(gpu) ?? new Set()).add(buffer));
  });
  if (byBuffer.size + pages <= count) return;
  const room = count - free;
  if (room < 0) throw tooMuch(name);
  // what stays: tensors that have to be alone or came from outside, else the most bytes
  const rank = (list: Set<GpuBuffer>) =>
    [...list].reduce((sum, { bytes, alone, foreign }) => sum + (alone || foreign ? 2 ** 50 : bytes), 0);
  const sorted = [...byBuffer.values()].sort((a, b) => rank(b) - rank(a));
  for (const list of sorted.slice(room)) for (const buffer of list) moved.add(buffer);
}

/** What is bound by itself must not lie in a page that is bound as a whole, nor be bound twice where it is bound for writing. Was there any? */
function separate(
  executable: GpuExecutable,
  own: readonly number[],
  paged: readonly number[],
  buffers: readonly GpuBuffer[],
  memory: Memory,
): boolean {
  const { bindings } = executable;
  const of = (positions: readonly number[]) => positions.map((at) => buffers[at] as GpuBuffer);
  const bound = of(own);
  if (!bound.some(({ region }) => region.page)) return false;
  const pages = new Set(of(paged).map(({ region }) => region.gpu));
  const names = apart(
    bindings.own,
    own,
    buffers.map(({ region }) => region),
  );
  const wrong = bound.filter(({ region }, i) => {
    const twice = names.includes(nameOf(bindings.own[i] as Operand)) && bound.indexOf(bound[i] as GpuBuffer) !== i;
    return region.page && (twice || pages.has(region.gpu));
  });
  for (const buffer of new Set(wrong)) {
    if (buffer.alone) throw tooMuch(executable.name);
    buffer.alone = true;
    memory.separate([buffer]);
  }
  return wrong.length > 0;
}
