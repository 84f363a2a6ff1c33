/**
 * Running results along an axis, with work that grows as the axis does. A workgroup has blocks of `lanes` × `each` elements:
 *
 *     lane    0        1        2                each lane goes through elements that follow each other;
 *     x       ▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ …       what lanes found is summed up over all before, in log₂(lanes) steps,
 *     total         ▒        ▒        ▒          in workgroup memory; from there each goes through its own again, and stores
 *
 * A row of several blocks takes three dispatches: the blocks' totals, what stands before each block (the same over totals), results.
 * Where memory lies together across rows a thread has a block by itself, and neighbours have neighbouring rows.
 */
import { type ScanKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs, fromCarried, fromWord, join, toCarried, toWord } from '../accumulate';
import { atCoords, unravel } from '../place';
import { type Block, type Dispatch, dispatch, type Given, type Program, type Target } from '../shader';
import { readsAlong } from './reduction';

export const tile = {
  /** Lanes of a row at most, elements of each, and threads of a workgroup at least. */
  lanes: 256,
  each: 8,
  threads: 64,
  /** Elements of a thread where memory lies across rows. */
  across: 64,
} as const;
/** What a tuner tries in its place. */
export const scanTiles = [{ lanes: 64 }, { lanes: 512 }, { each: 4 }, { each: 16 }, { across: 16 }, { threads: 128 }];

/** How elements come and go in one dispatch; `n` is a u32 in the row. */
interface Walk {
  /** Elements of a lane: of this block, or of all. */
  readonly each: number;
  readonly length: number;
  /** Value and position at `n`. */
  load(block: Block): { at: Block; value: string; position: string };
  /** What is there before the lane's first element, beside other lanes; null for nothing. */
  readonly before?: (block: Block) => void;
  /** Where the result of element `n` is known. */
  readonly store?: (at: Block) => void;
  /** Where those before element `n` are. */
  readonly exclude?: (at: Block) => void;
}

export function scan(kernel: ScanKernel, target: Target, given?: Given<typeof tile>): Program {
  const own = { ...tile, ...given };
  const { shape, axis, combine, reverse, a, stores } = kernel;
  const length = shape[axis] as number;
  const others = shape.filter((_, i) => i !== axis);
  const rows = sizeOf(others);
  if (rows * length === 0) return { dispatches: [], scratch: 0 };
  const type = carriedAs(a.dtype);
  const places = combine === 'max' || combine === 'min';
  const parts = [{ name: 'running', type }, ...(places ? [{ name: 'cameFrom', type: 'i32' as const }] : [])];

  const across = rows > 1 && !readsAlong(a, axis) && others.some((_, i) => readsAlong(a, i < axis ? i : i + 1));
  const each = across ? own.across : own.each;
  let lanes = 1;
  while (!across && lanes * each < length && lanes < Math.min(own.lanes, target.threads)) lanes *= 2;
  const beside = Math.max(1, own.threads / lanes);
  const blocks = Math.ceil(length / (lanes * each));
  const title = `scan ${combine} [${shape}] along ${axis}${reverse ? ', from the end' : ''} · ${rows} rows of ${length}`;
  const word = (part: number, chunk: string) => `scratch[${part * rows * blocks}u + row * ${blocks}u + ${chunk}]`;

  const later = (block: Block, value: string, from: string) => {
    block.line(`running = ${join(combine, type, block.shader)('running', value)};`);
    // The last of equals: a NaN takes the place of a NaN, another value does not.
    const nan = type === 'f32' ? ` || ${block.shader.use('isNan')}(${value})` : '';
    if (places) block.line(`if (${value} == running${nan}) { cameFrom = ${from}; }`);
  };
  /** What a lane has found becomes that of all up to it: `earlier` stands before it. */
  const earlier = (block: Block, text: (part: number) => string) => {
    block.line('{', ...parts.map(({ name }) => `let its_${name} = ${name};`));
    block.line(...parts.map(({ name }, part) => `${name} = ${text(part)};`));
    later(block, 'its_running', 'its_cameFrom');
    block.line('}');
  };

  const make = (
    what: string,
    group: { lanes: number; beside: number; blocks: number },
    walk: Walk,
    end?: string[],
  ): Dispatch => {
    const { lanes, beside, blocks: count } = group;
    const options = {
      header: [title, `${what}: ${lanes} lanes of ${walk.each} elements, ${beside} rows a workgroup`],
      threads: lanes * beside,
      groups: Math.ceil(rows / beside) * count,
      scratch: blocks > 1,
    };
    return dispatch(kernel, target, options, (block) => {
      const row = `group / ${count}u * ${beside}u + lane / ${lanes}u`;
      const [chunk, part] = [count > 1 ? `group % ${count}u` : '0u', lanes > 1 ? `lane % ${lanes}u` : '0u'];
      block.line(`let chunk = ${chunk};`, `let part = ${part};`, `let live = ${row} < ${rows}u;`);
      block.line(`let row = min(${row}, ${rows - 1}u);`);
      block.line(`let first = (chunk * ${lanes}u + part) * ${walk.each}u;`);
      block.line(`let end = min(first + ${walk.each}u, ${walk.length}u);`);
      block.line(...parts.map(({ name, type }) => `var ${name}: ${type};`));
      const through = (has: string, store: boolean) => {
        const inside = block.inside();
        const { at, value, position } = walk.load(inside);
        if (store) walk.exclude?.(at);
        inside.line(`if ((n > first)${has}) {`);
        later(inside, value, position);
        inside.line('} else {', `running = ${value};`, ...(places ? [`cameFrom = ${position};`] : []), '}');
        if (store) walk.store?.(at);
        block.line('for (var n = first; n < end; n++) {', ...inside.lines, '}');
      };
      if (lanes > 1 || end) through('', false);
      if (lanes > 1) {
        for (const { name, type } of parts) {
          block.shader.declare(`var<workgroup> lanes_${name}: array<${type}, ${lanes * beside}>;`);
        }
        const write = parts.map(({ name }) => `lanes_${name}[lane] = ${name};`);
        block.line(...write, 'workgroupBarrier();');
        block.line(`for (var back = 1u; back < ${lanes}u; back *= 2u) {`, 'if (part >= back) {');
        earlier(block, (part) => `lanes_${parts[part]?.name}[lane - back]`);
        block.line('}', 'workgroupBarrier();', ...write, 'workgroupBarrier();', '}');
      }
      if (end)
        block.line(
          `if (live & (first < ${walk.length}u) & ((end == ${walk.length}u) | (part == ${lanes - 1}u))) {`,
          ...end,
          '}',
        );
      if (!walk.store && !walk.exclude) return;
      if (lanes > 1) {
        block.line('if (part > 0u) {');
        block.line(...parts.map(({ name }) => `${name} = lanes_${name}[lane - 1u];`), '}');
      }
      walk.before?.(block);
      const has = [...(lanes > 1 ? ['part > 0u'] : []), ...(walk.before ? ['chunk > 0u'] : [])];
      block.line('if (live) {');
      through(has.map((one) => ` | (${one})`).join(''), true);
      block.line('}');
    });
  };

  const elements: Walk = {
    each,
    length,
    load(block) {
      const position = block.bind(`i32(${reverse ? `${length - 1}u - n` : 'n'})`, 'position');
      const coords = shape.map((_, k) =>
        k === axis ? position : block.bind(unravel('row', others, k < axis ? k : k - 1), 'c'),
      );
      const acc = (index: number) => (index === 0 ? fromCarried('running', a.dtype) : places ? 'cameFrom' : '0i');
      const at = block.at(atCoords(coords, acc));
      return { at, value: block.bind(toCarried(at.value(a), a.dtype)), position };
    },
  };
  const before = (block: Block) => {
    const text = (part: number) => fromWord(word(part, 'chunk'), parts[part]?.type ?? 'i32');
    block.line('if (chunk > 0u) {', ...(lanes > 1 ? ['if (part > 0u) {'] : []));
    if (lanes > 1) {
      earlier(block, text);
      block.line('} else {');
    }
    block.line(...parts.map(({ name }, part) => `${name} = ${text(part)};`), ...(lanes > 1 ? ['}'] : []), '}');
  };
  const group = { lanes, beside, blocks };
  const store = (at: Block) => at.store(stores);
  const results = make('results', group, { ...elements, store, ...(blocks > 1 && { before }) });
  if (blocks === 1) return { dispatches: [results], scratch: 0 };

  const totals = make(
    'totals',
    group,
    elements,
    parts.map(({ name }, part) => `${word(part, 'chunk')} = ${toWord(name)};`),
  );
  let wide = 1;
  while (wide * own.each < blocks && wide < Math.min(own.lanes, target.threads)) wide *= 2;
  const sums: Walk = {
    each: Math.ceil(blocks / wide),
    length: blocks,
    load(block) {
      const [value = '', position = '0i'] = parts.map(({ type }, part) => block.bind(fromWord(word(part, 'n'), type)));
      return { at: block, value, position };
    },
    exclude: (at) => at.line(...parts.map(({ name }, part) => `${word(part, 'n')} = ${toWord(name)};`)),
  };
  const join1 = make('what stands before each block', { lanes: wide, beside: 1, blocks: 1 }, sums);
  return { dispatches: [totals, join1, results], scratch: parts.length * rows * blocks };
}
