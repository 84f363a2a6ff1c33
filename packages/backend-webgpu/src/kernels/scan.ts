/**
 * Running results along an axis. A row is cut in chunks of fixed length; where it has several, the chunks' totals come first:
 *
 *   totals   a thread a chunk:  its total into scratch
 *   before   a thread a row:    each chunk's total becomes that of all chunks before it
 *   results  a thread a chunk:  goes through it from there, and stores
 */
import { type ScanKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, fromCarried, fromWord, join, toCarried, toWord } from '../accumulate';
import { atCoords, unravel } from '../place';
import { type Block, type Dispatch, dispatch, type Program, type Target } from '../shader';

export const tile = { chunk: 64, threads: 64 } as const;

export function scan(kernel: ScanKernel, target: Target): Program {
  const { shape, axis, combine, reverse, a, stores } = kernel;
  const length = shape[axis] as number;
  const others = shape.filter((_, i) => i !== axis);
  const rows = sizeOf(others);
  if (rows * length === 0) return { dispatches: [], scratch: 0 };
  const chunks = Math.ceil(length / tile.chunk);
  const type = carriedAs(a.dtype);
  const title = `scan ${combine} [${shape}] along ${axis}${reverse ? ', from the end' : ''} · ${rows} rows of ${length}`;
  const word = (part: 0 | 1, chunk: string) => `scratch[${part * rows * chunks}u + row * ${chunks}u + ${chunk}]`;

  /** Takes (value, position) into the running result; `first` is the condition that there is none yet. */
  const take = (block: Block, value: string, position: string, first: string) => {
    block.line(`running = select(${join(combine, type, block.shader)('running', value)}, ${value}, ${first});`);
    // The last of equals: a NaN takes the place of a NaN, another value does not.
    const nan = type === 'f32' ? ` || ${block.shader.use('isNan')}(${value})` : '';
    block.line(`if (${value} == running${nan}) { cameFrom = ${position}; }`);
  };
  const make = (what: string, count: number, scratch: boolean, body: (block: Block, i: string) => void): Dispatch =>
    dispatch(
      kernel,
      target,
      { header: [title, what], threads: tile.threads, groups: Math.ceil(count / tile.threads), scratch },
      (block) => {
        const i = block.bind(`group * ${tile.threads}u + lane`, 'i');
        if (count % tile.threads) block.line(`if (${i} >= ${count}u) { return; }`);
        block.line(`var running: ${type};`, 'var cameFrom = 0i;');
        body(block, i);
      },
    );
  /** Goes through a chunk in the order of the scan; the result so far is in `running` and `cameFrom`. */
  const through = (block: Block, i: string, first: string, each?: (element: Block) => void) => {
    block.line(
      `for (var n = chunk * ${tile.chunk}u; n < min(${length}u, (chunk + 1u) * ${tile.chunk}u); n++) {`,
      `let position = i32(${reverse ? `${length - 1}u - n` : 'n'});`,
    );
    const coords = shape.map((_, k) =>
      k === axis ? 'position' : block.bind(unravel('row', others, k < axis ? k : k - 1), 'c'),
    );
    const acc = (index: number) => (index === 0 ? fromCarried('running', a.dtype) : 'cameFrom');
    const element = block.at(atCoords(coords, acc));
    const value = block.bind(toCarried(element.value(a), a.dtype));
    take(block, value, 'position', first);
    each?.(element);
    block.line('}');
    return i;
  };
  const locate = (block: Block, i: string) =>
    block.line(`let row = ${i} / ${chunks}u;`, `let chunk = ${i} % ${chunks}u;`);

  const results = make(`results, chunks of ${tile.chunk}, a thread each`, rows * chunks, chunks > 1, (block, i) => {
    locate(block, i);
    if (chunks > 1) {
      block.line('if (chunk > 0u) {', `running = ${fromWord(word(0, 'chunk'), type)};`);
      block.line(`cameFrom = ${fromWord(word(1, 'chunk'), 'i32')};`, '}');
    }
    through(block, i, 'n == 0u', (element) => element.store(stores));
  });
  if (chunks === 1) return { dispatches: [results], scratch: 0 };

  const totals = make(`totals of chunks of ${tile.chunk}, a thread each`, rows * chunks, true, (block, i) => {
    locate(block, i);
    through(block, i, `n == chunk * ${tile.chunk}u`);
    block.line(`${word(0, 'chunk')} = ${toWord('running')};`, `${word(1, 'chunk')} = ${toWord('cameFrom')};`);
  });
  const before = make('what stands before each chunk, a thread a row', rows, true, (block, i) => {
    block.line(`let row = ${i};`, `for (var chunk = 0u; chunk < ${chunks}u; chunk++) {`);
    block.line(`let total = ${fromWord(word(0, 'chunk'), type)};`, `let place = ${fromWord(word(1, 'chunk'), 'i32')};`);
    block.line(`${word(0, 'chunk')} = ${toWord('running')};`, `${word(1, 'chunk')} = ${toWord('cameFrom')};`);
    take(block, 'total', 'place', 'chunk == 0u');
    block.line('}');
  });
  return { dispatches: [totals, before, results], scratch: 2 * rows * chunks };
}
