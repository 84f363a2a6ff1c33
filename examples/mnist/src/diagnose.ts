/** Where numbers stopped being numbers. */

import type { Sequential } from '@tessera/nn';
import { all, isFinite as finite, type State, type Tensor } from '@tessera/tensor';

/** The first layer with a parameter or an output that holds NaN or ±∞, going through the model with x. Leaves the model as it is. */
export async function firstNonFinite(model: Sequential, x: Tensor): Promise<string> {
  const statistics = model.namedBuffers().map(([, buffer]) => ({ buffer, value: buffer.read() }));
  try {
    if (!(await allFinite(x))) return 'the input';
    let place = 0;
    for (const layer of model) {
      const name = `layer ${place} (${layer.constructor.name})`;
      for (const [key, parameter] of layer.namedParameters())
        if (!(await allFinite(parameter))) return `${key} of ${name}`;
      x = layer.forward(x);
      if (!(await allFinite(x))) return `the output of ${name}`;
      place++;
    }
    return 'the loss function';
  } finally {
    for (const { buffer, value } of statistics) buffer.assign(value);
  }
}

const allFinite = async (x: Tensor | State): Promise<boolean> => (await all(finite(x)).item()) !== 0;
