/** Loading many state cells by key, all or none, with every fault named at once. */
import { cast, LoadError, type Shape, type State, type Tensor } from '@tessera/tensor';

/** Tensors or state by key: a module's or an optimizer's own, or what `loadSafetensors` read. */
export type StateDict = ReadonlyMap<string, Tensor | State> | Readonly<Record<string, Tensor | State>>;

export interface LoadOptions {
  /** Refuse missing and unwanted keys. Default true. */
  readonly strict?: boolean;
}
/** Keys that only one side has. */
export interface LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/** A tensor whose shape there is not the one here. */
export interface Mismatch {
  readonly key: string;
  readonly wanted: Shape;
  readonly given: Shape;
}
/** Values that do not fit: the message has the first thirty keys of each kind, the fields have all of them. */
export class StateDictError extends LoadError {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly mismatched: readonly Mismatch[];
  constructor(message: string, { missing, unexpected, mismatched }: LoadReport & { mismatched: readonly Mismatch[] }) {
    super(message);
    this.missing = missing;
    this.unexpected = unexpected;
    this.mismatched = mismatched;
  }
}

export const entriesOf = (given: StateDict): Map<string, Tensor | State> =>
  new Map(given instanceof Map ? given : Object.entries(given));

/** @throws StateDictError with the missing, unexpected and misshapen keys; nothing is assigned then. */
export function loadInto(
  owner: string,
  own: ReadonlyMap<string, State>,
  given: StateDict,
  { strict = true }: LoadOptions,
): LoadReport {
  const values = entriesOf(given);
  const missing = [...own.keys()].filter((key) => !values.has(key));
  const unexpected = [...values.keys()].filter((key) => !own.has(key));
  const pairs = [...own].flatMap(([key, state]) => {
    const value = values.get(key);
    return value ? [{ key, state, value }] : [];
  });
  const mismatched = pairs.flatMap(({ key, state, value }): Mismatch[] =>
    String(state.shape) === String(value.shape) ? [] : [{ key, wanted: state.shape, given: value.shape }],
  );
  const faults = [
    ...(strict ? [fault('missing', missing), fault('unexpected', unexpected)] : []),
    fault(
      'of another shape',
      mismatched.map(({ key, wanted, given }) => `${key} [${given}] (wants [${wanted}])`),
    ),
  ].filter((line) => line !== null);
  if (faults.length)
    throw new StateDictError(
      `loadStateDict: the values do not fit ${owner}: ${faults.join('; ')}; is it the same architecture?` +
        (mismatched.length ? '' : ' strict: false loads the rest'),
      { missing, unexpected, mismatched },
    );
  for (const { state, value } of pairs)
    state.assign(value.dtype === state.dtype ? ('read' in value ? value.read() : value) : cast(value, state.dtype));
  return { missing, unexpected };
}

/** The first keys of a kind of fault, and how many more; null where there are none. */
function fault(what: string, keys: readonly string[]): string | null {
  if (!keys.length) return null;
  const more = keys.length > shown ? `, … ${keys.length - shown} more` : '';
  return `${what}: ${keys.slice(0, shown).join(', ')}${more}`;
}
const shown = 30;
