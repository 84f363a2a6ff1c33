/** The live buffers of a backend: how many, their bytes, the most there ever were, and the error where no more fit. */
import { BackendError, type MemoryUse } from '@tessera/tensor/backend';
import { formatBytes } from './memory';

export class Live<Buffer extends { readonly bytes: number }> extends Set<Buffer> {
  bytes = 0;
  peak = 0;

  override add(buffer: Buffer): this {
    this.bytes += buffer.bytes;
    this.peak = Math.max(this.peak, this.bytes);
    return super.add(buffer);
  }
  override delete(buffer: Buffer): boolean {
    const was = super.delete(buffer);
    if (was) this.bytes -= buffer.bytes;
    return was;
  }
  override clear(): void {
    super.clear();
    this.bytes = 0;
  }

  use(reserved: number): MemoryUse {
    return { bytes: this.bytes, buffers: this.size, reserved, peak: this.peak };
  }
  outOfMemory(bytes: number, what: string, reserved: number, limit: number): BackendError {
    return new BackendError(
      `cpu: out of memory: wanted ${formatBytes(bytes)} for ${what}; ${this.size} buffers with ${formatBytes(this.bytes)} ` +
        `are live and ${formatBytes(reserved)} reserved of at most ${formatBytes(limit)}; ` +
        'dispose of tensors (using), take smaller batches, or await reads more often',
    );
  }
}
