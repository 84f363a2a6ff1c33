/** The golden format: cases `{op, case, attrs, in, out}` with their tensors, as make_golden.py writes them. */
import { LoadError } from '@tessera/tensor';
import { readSafetensors, type Stored } from '../safetensors';

/** Settings of a case, in Python's spelling. */
export type Attrs = Readonly<Record<string, never>>;

export interface GoldenCase {
  readonly op: string;
  /** op/number. */
  readonly name: string;
  readonly attrs: Attrs;
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
}
export interface GoldenFile {
  /** Seeds the formula of weights and inputs that are not stored. */
  readonly seed: number;
  readonly cases: readonly GoldenCase[];
}

interface Listed {
  readonly op: string;
  readonly case: string;
  readonly attrs: Attrs;
  readonly in: readonly string[];
  readonly out: readonly string[];
}

/** @throws LoadError where the bytes are no golden file. */
export function readGolden(bytes: Uint8Array): GoldenFile {
  const { metadata, tensors } = readSafetensors(bytes);
  if (!metadata.cases)
    throw new LoadError('golden: the file has no list of cases in its metadata; write it with make_golden.py');
  const listed = JSON.parse(metadata.cases) as readonly Listed[];
  const taken = (base: string, group: string, names: readonly string[]) =>
    Object.fromEntries(
      names.map((name) => {
        const stored = tensors.get(`${base}/${group}/${name}`);
        if (!stored)
          throw new LoadError(`golden: ${base}/${group}/${name} is listed and not stored; write the file again`);
        return [name, stored];
      }),
    );
  return {
    seed: Number(metadata.seed ?? 0),
    cases: listed.map((each) => ({
      op: each.op,
      name: each.case,
      attrs: each.attrs,
      inputs: taken(each.case, 'in', each.in),
      outputs: taken(each.case, 'out', each.out),
    })),
  };
}
