/** What an error says of a shader that does not compile. */
import { BackendError, type Kernel, structure } from '@tessera/tensor/backend';

/** Letters of a kernel's IR that an error shows. */
const mostIr = 2000;

/** A shader that does not compile is a fault of this package: the error shows kernel, message and line. */
export async function shaderFault(
  kernel: Kernel,
  label: string,
  source: string,
  module: GPUShaderModule,
  cause: unknown,
): Promise<BackendError> {
  const info = await module.getCompilationInfo().catch(() => null); // a lost device tells nothing
  const first = info?.messages.find(({ type }) => type === 'error');
  const line = first ? `line ${first.lineNum}: ${source.split('\n')[first.lineNum - 1]?.trim()}: ${first.message}` : '';
  const reason = line || (cause instanceof Error ? cause.message : String(cause));
  const title = label.replace('tessera ', '');
  return new BackendError(
    `webgpu: the shader of ${title} does not compile, ${reason}\nIR: ${structure(kernel).slice(0, mostIr)}`,
    { cause },
  );
}
