/**
 * The worker of remote.ts: calls of a backend come as messages, the reference backend answers them. A worker's module of
 * its own, and no dynamic import in worker.ts: where a bundler writes workers as one script, that would carry this.
 */
import type { DeviceBuffer, Executable, Kernel } from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { openPort } from './port';
import type { Call } from './protocol';

const port = openPort();
const backend = reference({ dtype: 'float32' });
const buffers = new Map<number, DeviceBuffer>();
const executables = new Map<number, Executable>();
const numbers = new WeakMap<Kernel, number>();

const buffer = (id: number) => buffers.get(id) as DeviceBuffer;

function answer(token: number, data: Promise<Awaited<ReturnType<typeof backend.download>> | null>): void {
  data.then(
    (data) => port.postMessage({ type: 'answer', token, data }, data ? [data.buffer as ArrayBuffer] : []),
    (error: unknown) => port.postMessage({ type: 'error', message: String((error as Error)?.message ?? error) }),
  );
}

function perform(call: Call): void {
  switch (call.do) {
    case 'allocate':
      buffers.set(call.id, backend.allocate(call.dtype, call.size));
      return;
    case 'free':
      backend.free(buffer(call.id));
      buffers.delete(call.id);
      return;
    case 'upload':
      backend.upload(buffer(call.id), call.dtype, call.data);
      return;
    case 'compile':
      executables.set(call.id, backend.compile(call.kernel));
      numbers.set(call.kernel, call.id);
      return;
    case 'drop':
      executables.delete(call.id);
      return;
    case 'submit': {
      const steps = call.steps.map((step) => ({ ...step, executable: executables.get(step.executable) as Executable }));
      backend.submit({ steps }, call.buffers.map(buffer), call.uniforms);
      return;
    }
    case 'download':
      answer(call.token, backend.download(buffer(call.id), call.dtype, call.size));
      return;
    case 'sync':
      answer(call.token, Promise.resolve(null));
      return;
    case 'timing':
      backend.onKernel?.(
        call.on
          ? ({ kernel, milliseconds }) =>
              port.postMessage({
                type: 'timings',
                timings: new Float64Array([numbers.get(kernel) as number, milliseconds]),
              })
          : null,
      );
      return;
    default:
      call satisfies never;
  }
}

port.listen((message) => {
  if (message.type === 'start') port.postMessage({ type: 'ready' });
  else if (message.type === 'call') perform(message.call);
});
