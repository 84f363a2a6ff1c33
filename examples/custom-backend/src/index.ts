/**
 * A whole backend of a stranger's making: typed arrays are its device memory, and a kernel becomes one JavaScript function,
 * printed from the IR. It leans on nothing but `@tessera/tensor/backend`.
 */
import type * as ir from '@tessera/tensor/backend';
import { BackendError, roundHalf } from '@tessera/tensor/backend';
import { write } from './kernels';
import { Writer } from './print';

type Data = ir.TypedArray;
type Compiled = ir.Executable & { readonly run: (inputs: Data[], outputs: Data[], uniforms: number[]) => void };

const arrays = { float32: Float32Array, float16: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array };

class Scribe implements ir.Backend {
  readonly name = 'scribe';
  readonly limits: ir.Limits = {
    maxBuffers: Number.MAX_SAFE_INTEGER,
    maxBufferBytes: 2 ** 31,
    inPlace: true,
    operandExpressions: true,
    dtypes: ['float32', 'float16', 'int32', 'uint8', 'bool'],
  };
  private readonly live = new Map<ir.DeviceBuffer, Data>();
  private bytes = 0;
  private peak = 0;
  private disposed = false;

  allocate(dtype: ir.DType, size: number): ir.DeviceBuffer {
    if (this.disposed) throw new BackendError('scribe: the backend was disposed; make a new one');
    try {
      const data = new arrays[dtype](size);
      const buffer = { bytes: data.byteLength };
      this.live.set(buffer, data);
      this.bytes += buffer.bytes;
      this.peak = Math.max(this.peak, this.bytes);
      return buffer;
    } catch (cause) {
      throw new BackendError(`scribe: no memory for ${size} elements of ${dtype}`, { cause });
    }
  }

  free(buffer: ir.DeviceBuffer): void {
    if (this.live.delete(buffer)) this.bytes -= buffer.bytes;
  }

  upload(buffer: ir.DeviceBuffer, dtype: ir.DType, data: Data): void {
    const narrow = { float16: roundHalf, bool: (x: number) => +(x !== 0) }[dtype as string];
    this.dataOf(buffer).set(narrow ? data.map(narrow) : data);
  }

  async download(buffer: ir.DeviceBuffer, _: ir.DType, size: number): Promise<Data> {
    return this.dataOf(buffer).slice(0, size);
  }

  compile(kernel: ir.Kernel): Compiled {
    const w = new Writer(kernel);
    for (const i of kernel.inputs.keys()) w.line(`const in${i} = inputs[${i}];`);
    for (const i of kernel.outputs.keys()) w.line(`const out${i} = outputs[${i}];`);
    write(kernel, w);
    const make = new Function('f', 'fround', 'half', `return (inputs, outputs, uniforms) => {${w.lines.join('\n')}}`);
    return { kernel, run: make(w.functions, Math.fround, roundHalf) };
  }

  submit({ steps }: ir.Plan, buffers: readonly ir.DeviceBuffer[], numbers: readonly number[]): void {
    const bind = (places: readonly number[]) => places.map((at) => this.dataOf(buffers[at]));
    for (const { executable, inputs, outputs, uniforms } of steps) {
      const scalars = uniforms.map((at) => numbers[at] as number);
      (executable as Compiled).run(bind(inputs), bind(outputs), scalars);
    }
  }

  async sync(): Promise<void> {}

  memory() {
    return { bytes: this.bytes, buffers: this.live.size, reserved: this.bytes, peak: this.peak };
  }

  dispose(): void {
    this.live.clear();
    this.bytes = 0;
    this.disposed = true;
  }

  private dataOf(buffer: ir.DeviceBuffer | undefined): Data {
    const data = buffer && this.live.get(buffer);
    if (!data) throw new BackendError('scribe: the buffer was freed, or belongs to another backend');
    return data;
  }
}

/** A backend that prints each kernel as a JavaScript function. */
export const scribe = (): ir.Backend => new Scribe();
