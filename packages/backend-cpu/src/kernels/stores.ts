/** What a product kernel's stores ask for. */
import { isContiguous, type Kernel, type Store } from '@tessera/tensor/backend';

/** Is the kernel's result stored as it is, row-major? Then it can be made where it belongs. */
export function isBareStore(kernel: Kernel, stores: readonly Store[]): boolean {
  const [store] = stores;
  if (!store || stores.length !== 1 || store.expr.op !== 'acc') return false;
  return isContiguous(store.view) && kernel.outputs[store.output]?.dtype === store.expr.dtype;
}
