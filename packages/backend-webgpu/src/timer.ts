/** How long kernels run, by timestamp queries: while someone listens, each kernel has a pass of its own. */
import type { Kernel, KernelTiming } from '@tessera/tensor/backend';
import { mapRead, usage } from './device';
import type { PassOf } from './submit';

const mostKernels = 2048; // 4096 timestamps is the most a query set may have

export class Timer {
  /** Timings on their way. */
  readonly pending = new Set<Promise<void>>();
  readonly #device: GPUDevice;
  readonly #listener: (timing: KernelTiming) => void;
  #open: { kernels: Kernel[]; queries: GPUQuerySet } | null = null;
  #stopped = false;

  constructor(device: GPUDevice, listener: (timing: KernelTiming) => void) {
    this.#device = device;
    this.#listener = listener;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Passes for a plan of so many kernels; those beyond the most a query set has are not timed. */
  passesOf(kernels: number): PassOf | undefined {
    if (kernels === 0) return undefined;
    const count = 2 * Math.min(kernels, mostKernels);
    const open = { kernels: [] as Kernel[], queries: this.#device.createQuerySet({ type: 'timestamp', count }) };
    this.#open = open;
    return (encoder, { kernel }) => {
      const at = open.kernels.length;
      if (at === mostKernels) return encoder.beginComputePass();
      open.kernels.push(kernel);
      return encoder.beginComputePass({
        timestampWrites: {
          querySet: open.queries,
          beginningOfPassWriteIndex: 2 * at,
          endOfPassWriteIndex: 2 * at + 1,
        },
      });
    };
  }

  /** Fetches the times of what was submitted since. */
  collect(): void {
    const open = this.#open;
    this.#open = null;
    if (!open) return;
    const fetched = this.#fetch(open.kernels, open.queries).catch(() => {}); // the reads hear of a lost device
    this.pending.add(fetched);
    void fetched.then(() => this.pending.delete(fetched));
  }

  async #fetch(kernels: readonly Kernel[], queries: GPUQuerySet): Promise<void> {
    const device = this.#device;
    const size = kernels.length * 16;
    const resolved = device.createBuffer({ size, usage: usage.queryResolve | usage.copySrc });
    const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyDst });
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(queries, 0, kernels.length * 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(mapRead);
    const times = new BigInt64Array(staging.getMappedRange().slice(0));
    for (const object of [queries, resolved, staging]) object.destroy();
    kernels.forEach((kernel, i) => {
      const nanoseconds = Number((times[2 * i + 1] ?? 0n) - (times[2 * i] ?? 0n));
      if (!this.#stopped) this.#listener({ kernel, milliseconds: Math.max(0, nanoseconds / 1e6) });
    });
  }
}
