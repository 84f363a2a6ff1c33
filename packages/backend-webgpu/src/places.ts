/**
 * What must lie where before a plan runs. A kernel with more tensors than bindings wants them in few buffers; and WebGPU lets a
 * dispatch read and write one buffer only by bindings that are all for writing, and do not overlap.
 */
import { BackendError } from '@tessera/tensor/backend';
import type { GpuExecutable } from './compile';
import type { GpuBuffer, Memory, Region } from './memory';
import { large, nameOf, type Operand } from './pages';

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
      for (const free = [1, 1]; ; ) {
        const moved = [...chosen(many, buffers, half, free)];
        const apart = classes.map((ofLarge) => moved.filter((buffer) => isLarge(buffer, half) === ofLarge));
        const full = apart.findIndex((some, i) => memory.pagesOf(some).length > (free[i] as number));
        if (full < 0) {
          for (const some of apart) memory.gather(some);
          break;
        }
        free[full] = (free[full] as number) + 1;
      }
    }
    moving = false;
    for (const { executable, own, paged } of steps)
      moving = separate(executable, own, paged, buffers, memory) || moving;
  }
}

/** Small and large tensors have pages apart: kernels bind large ones by themselves beside pages of small ones. */
const classes = [false, true] as const;
const isLarge = ({ region }: GpuBuffer, half: boolean): boolean => region.size > large * (half ? 2 : 4);

/** Of each kernel that takes more buffers than it binds, the smaller ones, so that with `free` pages of each class the rest can be bound. */
function chosen(
  steps: readonly Placed[],
  buffers: readonly GpuBuffer[],
  half: boolean,
  free: readonly number[],
): Set<GpuBuffer> {
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
  free: readonly number[],
  moved: Set<GpuBuffer>,
): void {
  const { bindings, name } = executable;
  const count = half ? bindings.halves : bindings.words;
  const byBuffer = new Map<GPUBuffer, Set<GpuBuffer>>();
  const pages = [0, 0];
  const move = (buffer: GpuBuffer): void => {
    moved.add(buffer);
    const place = Number(isLarge(buffer, half));
    pages[place] = free[place] as number;
  };
  paged.forEach((position, i) => {
    if ((bindings.paged[i]?.dtype === 'float16') !== half) return;
    const buffer = buffers[position] as GpuBuffer;
    const { gpu } = buffer.region;
    if (moved.has(buffer)) move(buffer);
    else byBuffer.set(gpu, (byBuffer.get(gpu) ?? new Set()).add(buffer));
  });
  // what stays: tensors that have to be alone or came from outside, results that come anew at each run, else the most bytes
  const rank = (list: Set<GpuBuffer>) =>
    [...list].reduce((sum, { bytes, alone, foreign, region }) => {
      return sum + (alone || foreign || region.page?.results ? 2 ** 50 : bytes);
    }, 0);
  const stay = [...byBuffer.values()].sort((a, b) => rank(b) - rank(a));
  while (stay.length + (pages[0] as number) + (pages[1] as number) > count) {
    const least = stay.pop();
    if (!least) throw tooMuch(name);
    for (const buffer of least) move(buffer);
  }
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
