/** Where numbers stopped being numbers. */
import { all, isFinite as finite, isTensor, randomState, stack, type Tensor } from '@tessera/tensor';
import { addForwardHook } from './hooks';
import { type Module, Parameter } from './module';

const theInput = 'the input';
const theLoss = 'the loss function';

/** What mends a loss that is no number, by where that was first seen. */
export function mendOf(where: string): string {
  if (where === theInput) return 'look at the data';
  if (where === theLoss) return 'is each target one that it takes, a class number below the count of classes, say?';
  return "lower the learning rate, or look at that layer's input";
}

/**
 * What first holds NaN or ±∞ as x goes through the model, in words: 'the input', 'weight of layer 2 (Conv2d)', 'the output of
 * layer 2 (Conv2d)'; where all is finite, 'the loss function'. Leaves the model and the random numbers as they are.
 */
export async function firstNonFinite(model: Module<[x: Tensor], unknown>, x: Tensor): Promise<string> {
  const before = [...model.namedBuffers().map(([, buffer]) => buffer), randomState()].map((state) => ({
    state,
    value: state.read(),
  }));
  const found: { readonly what: string; readonly value: Tensor }[] = [{ what: theInput, value: x }];
  const hooks = model.namedModules().flatMap(([path, module]) => {
    const own = Object.entries(module).filter((field): field is [string, Parameter] => field[1] instanceof Parameter);
    const inner = module.namedModules().length > 1;
    if (inner && !own.length) return [];
    const layer = path ? `layer ${path} (${module.constructor.name})` : module.constructor.name;
    const see = (_: readonly unknown[], output: unknown): void => {
      for (const [name, parameter] of own) found.push({ what: `${name} of ${layer}`, value: parameter.read() });
      const outputs = (Array.isArray(output) ? output : [output]).filter(isTensor);
      for (const value of outputs) found.push({ what: `the output of ${layer}`, value });
    };
    return [addForwardHook<readonly unknown[], unknown>(module as never, see)];
  });
  try {
    model.forward(x);
    // One read for all: layer by layer the layers before would be computed again and again.
    const flags = await stack(found.map(({ value }) => all(finite(value)))).data();
    return found[flags.indexOf(0)]?.what ?? theLoss;
  } finally {
    for (const off of hooks) off();
    for (const { state, value } of before) state.assign(value);
  }
}
