/** A number that may change between steps: held on the device, so that a compiled step reads what it is now. */
import { ArgumentError, runtime, State, tensor } from '@tessera/tensor';

export class Setting {
  /** [] float32 */
  readonly state: State;
  readonly #name: string;
  #value: number;

  constructor(name: string, value: number) {
    this.#name = name;
    this.#value = value;
    this.state = new State(hostScalar(value));
  }
  get value(): number {
    return this.#value;
  }
  /** @throws ArgumentError inside a compiled function, where it would be one and the same at each replay. */
  set value(next: number) {
    if (runtime.trace)
      throw new ArgumentError(
        `${this.#name}: it is set inside a compiled function, which runs this line only once; set it between the steps`,
      );
    // Equal values need no assignment, and so no upload.
    if (Object.is(next, this.#value)) return;
    this.#value = next;
    this.state.assign(hostScalar(next));
  }
}

/** Host data rather than a number: assigning it is an upload, with no kernel to fill it in. */
const hostScalar = (value: number) => tensor(Float32Array.of(value), { shape: [] });
