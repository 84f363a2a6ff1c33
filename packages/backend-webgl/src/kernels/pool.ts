/**
 * Pooling over windows. Backward, an input element goes through the windows that contain it, in the order of their places, so
 * that sums have one order.
 */
import { type Expr, type PoolKernel, rowMajor, sizeOf } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { constants } from '../division';
import { cursor } from '../place';
import type { Program } from '../shader';
import { type Build, type Core, countNodes, storePasses } from '../stores';
import { inside, linearOf, unravel, windowOf } from './windows';

export function pool(build: Build, kernel: PoolKernel): Program {
  const { direction, combine, sizes, stores } = kernel;
  const { batch, input, output, kernel: window } = sizes;
  const shape = [batch, ...(direction === 'forward' ? output : input)];
  const title = `pool ${combine} ${direction} [${[batch, ...input]}] windows ${window} stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding}`;
  storePasses(build, title, [{ shape, stores }], { make: windows(build, kernel), lanesOnly: true, known: true });
  return build.program();
}

/** Windows of so few nodes in all are written place by place: their coordinates are then known, and no loop turns. */
const few = 12;

const windows =
  (build: Build, { direction, combine, sizes, stores, a, b }: PoolKernel): Core =>
  (shader, at) => {
    const { input, kernel: window } = sizes;
    const own = input.map((_, axis) => at.coord(axis + 1, 0));
    const other = cursor(shader, input.length + 1);
    const [acc, found, none] = [shader.name('acc'), shader.name('found'), shader.name('none')];
    const best = direction === 'forward' && combine === 'max';
    const places = best && stores.some(({ expr }) => readsPlace(expr));
    shader.line(`let ${acc} = ${start(best ? 'max' : 'sum', a.dtype, shader)};`);
    if (places) shader.line(`let ${found} = ${shader.bits(-1 ^ 0x40000000)};`, `let ${none} = 1;`);
    /** One place of the window, by its coordinates in GLSL; `call` writes a call with what these are in terms of. */
    const take = (taps: readonly string[], args: readonly 'Integer'[], call: (name: string) => string) => {
      const [tap, spot] = [shader.name('tap'), shader.name('spot')];
      const { coords, valid } = direction === 'forward' ? inside(sizes, own, taps) : windowOf(sizes, own, taps);
      const position = direction === 'forward' ? linearOf(coords, input) : linearOf(own, input);
      const lines = [
        `${other.global(0)} = ${at.coord(0, 0)};`,
        ...coords.map((coord, i) => `${other.global(i + 1)} = ${coord};`),
        ...(places || b ? [`${spot}_ = ${shader.use('wordOf')}(${position});`] : []),
      ];
      const list = args.map(() => 'int t').join();
      shader.native(
        tap,
        args,
        'Boolean',
        `float ${spot}_;\nbool ${tap}(${list}) { ${lines.join(' ')} return ${valid ?? 'true'}; }`,
      );
      shader.native(spot, [], 'Number', `float ${spot}() { return ${spot}_; }`);
      const is = shader.bind(call(tap), 'is');
      const block = new Block(shader, build.kernel, other);
      const value = shader.bind(toCarried(block.value(a)[0] as string, a.dtype));
      if (!best) {
        const saved = direction === 'backward' && b ? (block.value(b)[0] as string) : null;
        const counts = saved ? `(${is} && ${shader.use('eqWord')}(${saved}, ${spot}()))` : is;
        shader.line(`${acc} = (${counts} ? ${join('sum', a.dtype, shader)(acc, value)} : ${acc});`);
        return;
      }
      const better = beats('max', a.dtype, shader)(value, acc);
      const wins = shader.bind(places ? `(${is} && (${none} > 0 || ${better}))` : `(${is} && ${better})`, 'wins');
      shader.line(`${acc} = (${wins} ? ${value} : ${acc});`);
      if (places) shader.line(`${found} = (${wins} ? ${spot}() : ${found});`, `${none} = (${is} ? 0.0 : ${none});`);
    };
    const count = sizeOf(window);
    if (count * countNodes(b ? [a, b] : [a]) <= few) {
      for (let place = 0; place < count; place++) take(coordinates(place, window), [], (name) => `${name}()`);
    } else {
      const n = shader.name('n');
      shader.line(`for (let ${n} = 0; ${n} < ${count}; ${n}++) {`);
      take(unravel(constants, 't', window), ['Integer'], (name) => `${name}(${n})`);
      shader.line('}');
    }
    return (index) => [index === 0 ? fromCarried(acc, a.dtype) : found];
  };

/** The coordinates of a row-major position. */
const coordinates = (position: number, shape: readonly number[]): string[] =>
  rowMajor(shape).map((stride, axis) => String(Math.floor(position / stride) % (shape[axis] as number)));

const readsPlace = (expr: Expr): boolean =>
  expr.op === 'acc'
    ? expr.index === 1
    : expr.op === 'apply'
      ? expr.args.some(readsPlace)
      : expr.op === 'load' && (expr.at?.some(readsPlace) ?? false);
