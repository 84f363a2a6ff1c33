/**
 * Updates at computed places, in their order. Where there are few, each element goes through all updates; else the host sorts
 * them by place, stable, and an element takes its own in turn.
 */
import { rowMajor, type ScatterKernel, sizeOf } from '@tessera/tensor/backend';
import { fromCarried, join, toCarried } from '../accumulate';
import { Block } from '../block';
import { constants } from '../division';
import { turn } from '../layout';
import { atElement } from '../place';
import type { Program, Ref } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { tablePass } from '../tables';

/** Elements × updates up to which nothing is sorted. */
const few = 2 ** 18;

export function scatter(build: Build, kernel: ScatterKernel): Program {
  const { shape, updates, combine, stores } = kernel;
  const title = `scatter ${combine} [${updates}] into [${shape}]`;
  const [size, count] = [sizeOf(shape), sizeOf(updates)];
  const sorted = size * count > few ? sortedUpdates(build, kernel, title) : null;
  storePasses(build, title, [{ shape, stores }], { make: take(build, kernel, sorted), lanesOnly: true });
  return build.program();
}

interface Sorted {
  /** The updates by place, and where those of each element begin: words. */
  readonly order: Ref;
  readonly starts: Ref;
}

const take =
  (build: Build, kernel: ScatterKernel, sorted: Sorted | null): Core =>
  (shader, at) => {
    const { shape, updates, combine, init, at: places, value } = kernel;
    const acc = shader.name('acc');
    const dtype = init.dtype;
    shader.line(`let ${acc} = ${toCarried(new Block(shader, kernel, at).value(init)[0] as string, dtype)};`);
    const count = sizeOf(updates);
    if (count > 0) {
      const update = atElement(shader, updates, constants);
      const i = shader.name('u');
      const block = new Block(shader, build.kernel, update);
      const apply = () => {
        const text = toCarried(block.value(value)[0] as string, value.dtype);
        shader.line(`${acc} = ${combine === 'assign' ? text : join(combine, dtype, shader)(acc, text)};`);
      };
      if (sorted) {
        const [order, starts] = [shader.sampler(sorted.order), shader.sampler(sorted.starts)];
        const element = linear(shape, (axis) => at.coord(axis, 0));
        const word = shader.use('intOf');
        const [more, pick] = [shader.name('more'), shader.name('pick')];
        const from = `${word}(${starts}(${element}))`;
        const to = `${word}(${starts}(${element} + 1))`;
        shader.native(more, ['Integer'], 'Boolean', `bool ${more}(int i) { return ${from} + i < ${to}; }`);
        shader.native(pick, ['Integer'], 'Integer', `int ${pick}(int i) { return ${word}(${order}(${from} + i)); }`);
        // A loop whose bound is no constant gpu.js ends at 1000, silently.
        shader.line(`for (let ${i} = 0; ${i} < ${count}; ${i}++) {`, `if (!${more}(${i})) { break; }`);
        shader.line(`${update.name}(${pick}(${i}));`);
        apply();
        shader.line('}');
      } else {
        shader.line(`for (let ${i} = 0; ${i} < ${count}; ${i}++) {`, `${update.name}(${i});`);
        const words = places.map((one) => block.value(one)[0] as string);
        const hits = shader.name('hits');
        const tests = places.map((_, axis) => `${shader.use('intOf')}(w${axis}) == ${at.coord(axis, 0)}`);
        shader.native(
          hits,
          places.map(() => 'Number' as const),
          'Boolean',
          `bool ${hits}(${places.map((_, axis) => `float w${axis}`).join(', ')}) { return ${tests.join(' && ') || 'true'}; }`,
        );
        shader.line(`if (${hits}(${words.join(', ')})) {`);
        apply();
        shader.line('}', '}');
      }
    }
    return () => [fromCarried(acc, dtype)];
  };

const linear = (shape: readonly number[], coord: (axis: number) => string): string =>
  shape.map((size, axis) => (size === 1 ? '0' : `${coord(axis)} * ${rowMajor(shape)[axis]}`)).join(' + ') || '0';

/** Counting sort on the host, of the place of each update. */
function sortedUpdates(build: Build, kernel: ScatterKernel, title: string): Sorted {
  const { shape, updates, at: places } = kernel;
  const [size, count] = [sizeOf(shape), sizeOf(updates)];
  const [table, order, starts] = [build.temporary(count), build.temporary(count), build.temporary(size + 1)];
  tablePass(build, `${title}, places`, updates, [table], (shader, update) => {
    const block = new Block(shader, kernel, update);
    const words = places.map((one) => block.value(one)[0] as string);
    const name = shader.name('place');
    const list = places.map((_, axis) => `float w${axis}`).join(', ');
    const ints = places.map((_, axis) => `int c${axis} = ${shader.use('intOf')}(w${axis});`).join(' ');
    const tests = places.map((_, axis) => `c${axis} >= 0 && c${axis} < ${shape[axis]}`).join(' && ') || 'true';
    const element = linear(shape, (axis) => `c${axis}`);
    shader.native(
      name,
      places.map(() => 'Number' as const),
      'Number',
      `float ${name}(${list}) { ${ints} return ${shader.use('wordOf')}(${tests} ? ${element} : ${size}); }`,
    );
    return [`${name}(${words.join(', ')})`];
  });
  build.steps.push({
    title: `${title}, sorted by place`,
    reads: [{ ref: table, size: count }],
    writes: [
      { ref: order, size: count },
      { ref: starts, size: size + 1 },
    ],
    run: ([words]) => {
      const keys = Int32Array.from(new Int32Array((words as Float32Array).buffer, 0, count), (word) => word ^ turn);
      const first = new Int32Array(size + 2);
      for (const key of keys) first[key + 1]! += 1;
      for (let i = 0; i <= size; i++) first[i + 1]! += first[i]!;
      const next = first.slice();
      const sorted = new Int32Array(count);
      for (let i = 0; i < count; i++) sorted[next[keys[i]!]!++] = i;
      const asWords = (list: Int32Array) => new Float32Array(list.map((i) => i ^ turn).buffer);
      return [asWords(sorted), asWords(first.slice(0, size + 1))];
    },
  });
  return { order, starts };
}
