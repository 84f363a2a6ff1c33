/** The machine's GPU under a backend that is the chosen one; without some features, where the run is to do without them. */
import { webgpu } from '@tessera/backend-webgpu';
import { manualSeed, setBackend } from '@tessera/tensor';
import { type NodeGpu, nodeGpu } from './node.ts';

/** An adapter whose devices do not have these. */
export async function gpuWithout(without: string | undefined): Promise<NodeGpu> {
  const { adapter, emulated } = await nodeGpu();
  const request = adapter.requestDevice.bind(adapter);
  const names = without?.split(',') ?? [];
  adapter.requestDevice = (descriptor = {}) =>
    request({
      ...descriptor,
      requiredFeatures: [...(descriptor.requiredFeatures ?? [])].filter((name) => !names.includes(name)),
    });
  return { adapter, emulated };
}

export async function start({ without }: { readonly without?: string | undefined }) {
  const backend = await webgpu({ adapter: (await gpuWithout(without)).adapter });
  setBackend(backend);
  manualSeed(0);
  return backend;
}
