/**
 * The header of a safetensors file, read strictly: `{"<key>": {"dtype", "shape", "data_offsets"}, …, "__metadata__": {…}}`.
 * Not JSON.parse, for that hides duplicate keys, and builds whatever a hostile file describes before anyone can object.
 */
import { LoadError } from '@tessera/tensor';

export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** [begin, end) in the data behind the header. */
  readonly offsets: readonly [begin: number, end: number];
}
export interface Header {
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** More axes than any tensor here has: a shape longer than this is an attack. */
const maxRank = 64;

/** Longest header of the reference implementation. */
const maxHeader = 100_000_000;

/** The header's length, from the first eight bytes. @throws LoadError where it is longer than any header. */
export function headerLength(bytes: Uint8Array): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > maxHeader)
    throw new LoadError(
      `loadSafetensors: the header is ${length} bytes long, at most ${maxHeader} are allowed; is it a safetensors file?`,
    );
  return Number(length);
}

/** @throws LoadError naming the place in the header, and the key it belongs to. */
export function parseHeader(bytes: Uint8Array): Header {
  try {
    return parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    throw new LoadError('loadSafetensors: the header is no UTF-8; is it a safetensors file?', { cause });
  }
}

function parse(text: string): Header {
  const entries = new Map<string, HeaderEntry>();
  let metadata: Map<string, string> | null = null;
  const scan = new Scanner(text);
  scan.object((key) => {
    if (key === '__metadata__') {
      if (metadata) scan.fail('__metadata__ occurs twice');
      const strings = new Map<string, string>();
      scan.object((name) => {
        if (strings.has(name)) scan.fail(`metadata ${quote(name)} occurs twice`);
        strings.set(name, scan.string(`metadata ${quote(name)}`));
      });
      metadata = strings;
    } else {
      if (entries.has(key)) scan.fail(`key ${quote(key)} occurs twice`);
      entries.set(key, entry(scan, key));
    }
  });
  scan.end();
  return { entries, metadata: Object.fromEntries(metadata ?? []) };
}

function entry(scan: Scanner, key: string): HeaderEntry {
  const found: { dtype?: string; shape?: number[]; offsets?: number[] } = {};
  scan.object((field) => {
    const what = `${field} of ${quote(key)}`;
    const name = field === 'data_offsets' ? 'offsets' : field;
    if (name !== 'dtype' && name !== 'shape' && name !== 'offsets')
      return scan.fail(`${quote(key)} has the field ${quote(field)}, wants dtype, shape and data_offsets`);
    if (found[name] !== undefined) scan.fail(`${what} occurs twice`);
    if (name === 'dtype') found.dtype = scan.string(what);
    else found[name] = scan.integers(what, name === 'shape' ? maxRank : 2);
  });
  const { dtype, shape, offsets } = found;
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined)
    return scan.fail(`${quote(key)} wants dtype, shape and data_offsets [begin, end]`);
  return { dtype, shape, offsets: [begin, end] };
}

/** A key as errors show it: long ones cut. */
export const quote = (key: string): string => JSON.stringify(key.length > 80 ? `${key.slice(0, 77)}…` : key);

/** The part of JSON that headers are made of, without recursion of its own: nothing in it nests deeper than its callers. */
class Scanner {
  readonly text: string;
  #at = 0;
  constructor(text: string) {
    this.text = text;
  }

  fail(problem: string): never {
    throw new LoadError(
      `loadSafetensors: the header is wrong at character ${this.#at}: ${problem}; the file is damaged or no safetensors file`,
    );
  }

  object(member: (key: string) => void): void {
    this.#expect('{');
    if (this.#take('}')) return;
    do {
      const key = this.string('a key');
      this.#expect(':');
      member(key);
    } while (this.#take(','));
    this.#expect('}');
  }

  integers(what: string, most: number): number[] {
    const list: number[] = [];
    this.#expect('[');
    if (this.#take(']')) return list;
    do {
      if (list.length === most) this.fail(`${what} has more than ${most} numbers`);
      list.push(this.#integer(what));
    } while (this.#take(','));
    this.#expect(']');
    return list;
  }

  string(what: string): string {
    this.#space();
    const start = this.#at;
    if (this.text[start] !== '"') this.fail(`wants ${what} as a string, saw ${this.#seen()}`);
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    if (end >= this.text.length) this.fail(`the string of ${what} does not end`);
    this.#at = end + 1;
    try {
      return JSON.parse(this.text.slice(start, end + 1)) as string;
    } catch {
      return this.fail(`the string of ${what} has an escape or a control character that JSON does not allow`);
    }
  }

  end(): void {
    this.#space();
    if (this.#at < this.text.length) this.fail(`something follows the header: ${this.#seen()}`);
  }

  #integer(what: string): number {
    this.#space();
    const digits = /^(0|[1-9][0-9]{0,15})(?![0-9.eE])/.exec(this.text.slice(this.#at, this.#at + 17))?.[0];
    const value = Number(digits);
    if (digits === undefined || !Number.isSafeInteger(value))
      return this.fail(`${what} wants integers from 0 to 2^53 − 1, saw ${this.#seen()}`);
    this.#at += digits.length;
    return value;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.text[this.#at] ?? '#')) this.#at++;
  }
  #take(mark: string): boolean {
    this.#space();
    if (this.text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }
  #expect(mark: string): void {
    if (!this.#take(mark)) this.fail(`wants ${mark}, saw ${this.#seen()}`);
  }
  #seen(): string {
    return this.#at < this.text.length ? quote(this.text.slice(this.#at, this.#at + 12)) : 'its end';
  }
}
