/** Runs golden cases: an op's row makes the outputs, autograd the gradients, the file has the answers. */
import { vjp } from '@tessera/autograd';
import { type DType, type Tensor, tensor } from '@tessera/tensor';
import type { Stored } from '../safetensors';
import { firstMiss, type Miss, modelBound, opBound } from '../tolerance';
import type { Attrs, GoldenCase } from './format';

export type Inputs = Readonly<Record<string, Tensor>>;
export type Outputs = Readonly<Record<string, Tensor>>;

/** From a case's tensors and settings to its outputs by name. One tensor is `y`; with `dy` given its gradients are compared too. */
export type Row = (inputs: Inputs, attrs: never, seed: number) => Tensor | Outputs | Promise<Tensor | Outputs>;
export type Rows = Readonly<Record<string, Row>>;

/** A row with the attributes it takes named: `row<{ dim: number }>(({ x }, { dim }) => softmax(x, dim))`. */
export const row =
  <A = Attrs>(
    f: (inputs: Record<string, Tensor>, attrs: A, seed: number) => Tensor | Outputs | Promise<Tensor | Outputs>,
  ): Row =>
  (inputs, attrs, seed) =>
    f(inputs as Record<string, Tensor>, attrs as A, seed);

const dtypes = { F32: 'float32', I32: 'int32', U8: 'uint8' } as const satisfies Record<Stored['dtype'], DType>;

/** What is wrong with a case: the first element off, or what went wrong before there was one. */
export type Fault = Miss | { readonly problem: string };

/** null when the case passes. Computes on the chosen backend. */
export async function runCase(rows: Rows, golden: GoldenCase, seed = 0): Promise<Fault | null> {
  const make = Object.hasOwn(rows, golden.op) ? rows[golden.op] : undefined;
  if (!make) return { problem: `no row says how ${golden.op} is computed; add one to the rows of this file` };
  try {
    const outputs = await outputsOf(make, golden, seed);
    const bound = golden.op.startsWith('model_') || golden.op.startsWith('losses_') ? modelBound : opBound;
    for (const [name, wanted] of Object.entries(golden.outputs)) {
      const saw = outputs[name];
      if (!saw) return { problem: `${name} is missing: the row gave ${Object.keys(outputs).join(', ')}` };
      if (String(saw.shape) !== String(wanted.shape))
        return { problem: `${name} has shape [${saw.shape}], wanted [${wanted.shape}]` };
      const allowed = wanted.dtype === 'F32' ? bound(wanted.data) : 0;
      const miss = firstMiss(name, wanted.shape, await saw.data(), wanted.data, allowed);
      if (miss) return miss;
    }
    return null;
  } catch (error) {
    return { problem: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

async function outputsOf(
  make: Row,
  { inputs: stored, attrs, outputs: wanted }: GoldenCase,
  seed: number,
): Promise<Outputs> {
  const inputs = Object.fromEntries(
    Object.entries(stored).map(([name, { data, dtype, shape }]) => [
      name,
      tensor(data, { dtype: dtypes[dtype], shape }),
    ]),
  );
  const { dy, ...rest } = inputs;
  if (!dy) {
    const result = await make(rest, attrs as never, seed);
    return 'node' in result ? { y: result as Tensor } : (result as Outputs);
  }
  // the gradients that the file asks for, and no others: a loss's target is a float without one
  const by = Object.keys(rest).filter((name) => `d${name}` in wanted);
  const { value, pullback } = vjp(
    (...variables) =>
      make(
        { ...rest, ...Object.fromEntries(by.map((name, i) => [name, variables[i]])) } as Inputs,
        attrs as never,
        seed,
      ) as Tensor,
    by.map((name) => rest[name] as Tensor),
  );
  const gradients = pullback(dy);
  return { y: value, ...Object.fromEntries(by.map((name, i) => [`d${name}`, gradients[i] as Tensor])) };
}
