/** An image x [3,37,53] and what torchvision makes of it; the sizes stand in the file's metadata. */
import { loadSafetensors } from '@tessera/nn';
import type { Tensor } from '@tessera/tensor';

export async function torchvision() {
  const { tensors } = await loadSafetensors(new URL('./fixtures/torchvision.safetensors', import.meta.url));
  return Object.fromEntries(tensors) as Record<'x' | 'center_crop' | 'ten_crop' | 'normalize', Tensor>;
}
