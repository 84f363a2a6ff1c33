/** Runs golden cases: an op's row makes the outputs, autograd the gradients, the file has the answers. */
import { vjp } from '@tessera/autograd';
import { type DType, isTensor, type Tensor, tensor } from '@tessera/tensor';
import type { Stored } from '../safetensors';
import { describeMiss, firstMiss, type Miss, modelBound, opBound } from '../tolerance';
import type { Attrs, GoldenCase, GoldenFile } from './format';

export type Inputs = Readonly<Record<string, Tensor>>;
export type Outputs = Readonly<Record<string, Tensor>>;

/** The file around a case: its seed, and other cases' inputs, where one case holds what another needs. */
export interface Context {
  readonly name: string;
  readonly seed: number;
  readonly inputsOf: (name: string) => Inputs;
}

/** From a case's tensors and settings to its outputs by name. One tensor is `y`; with `dy` given its gradients are compared too. */
export type Row = (inputs: Inputs, attrs: never, context: Context) => Tensor | Outputs | Promise<Tensor | Outputs>;
export type Rows = Readonly<Record<string, Row>>;

/** A row with the attributes it takes named: `row<{ dim: number }>(({ x }, { dim }) => softmax(x, dim))`. */
export const row =
  <A = Attrs>(
    f: (inputs: Record<string, Tensor>, attrs: A, context: Context) => Tensor | Outputs | Promise<Tensor | Outputs>,
  ): Row =>
  (inputs, attrs, context) =>
    f(inputs as Record<string, Tensor>, attrs as A, context);

const dtypes = { F32: 'float32', I32: 'int32', U8: 'uint8' } as const satisfies Record<Stored['dtype'], DType>;

/** What is wrong with a case: the first element off, or what went wrong before there was one. */
export type Fault = Miss | { readonly problem: string };

/** null when the case passes. Computes on the chosen backend. */
export async function runCase(rows: Rows, golden: GoldenCase, file: GoldenFile): Promise<Fault | null> {
  const make = Object.hasOwn(rows, golden.op) ? rows[golden.op] : undefined;
  if (!make) return { problem: `no row says how ${golden.op} is computed; add one to the table of rows` };
  try {
    const outputs = await outputsOf(make, golden, {
      name: golden.name,
      seed: file.seed,
      inputsOf: (name) => tensorsOf(file.cases.find((each) => each.name === name)?.inputs ?? {}),
    });
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

const tensorsOf = (stored: Readonly<Record<string, Stored>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(stored).map(([name, { data, dtype, shape }]) => [
      name,
      tensor(data, { dtype: dtypes[dtype], shape }),
    ]),
  );

async function outputsOf(make: Row, golden: GoldenCase, context: Context): Promise<Outputs> {
  const attrs = golden.attrs as never;
  const { dy, ...inputs } = tensorsOf(golden.inputs);
  if (!dy) {
    const result = await make(inputs, attrs, context);
    return isTensor(result) ? { y: result } : result;
  }
  // the gradients that the file asks for, and no others: a loss's target is a float without one
  const by = Object.keys(inputs).filter((name) => `d${name}` in golden.outputs);
  const { value, pullback } = vjp(
    (...variables) => {
      const given = { ...inputs, ...Object.fromEntries(by.map((name, i) => [name, variables[i] as Tensor])) };
      return make(given, attrs, context) as Tensor;
    },
    by.map((name) => inputs[name] as Tensor),
  );
  const gradients = pullback(dy);
  return { y: value, ...Object.fromEntries(by.map((name, i) => [`d${name}`, gradients[i] as Tensor])) };
}

/** A fault in words. */
export const describeFault = (fault: Fault): string => ('problem' in fault ? fault.problem : describeMiss(fault));
