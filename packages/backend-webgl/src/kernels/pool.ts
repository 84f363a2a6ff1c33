/**
 * Pooling over windows. Backward, an input element goes through the windows that contain it, in the order of their places, so
 * that sums have one order.
 */
import { type PoolKernel, sizeOf } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { cursor } from '../place';
import type { Program } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { inside, linearOf, unravel, windowOf } from './windows';

export function pool(build: Build, kernel: PoolKernel): Program {
  const { direction, combine, sizes, stores } = kernel;
  const { batch, input, output, kernel: window } = sizes;
  const shape = [batch, ...(direction === 'forward' ? output : input)];
  const title = `pool ${combine} ${direction} [${[batch, ...input]}] windows ${window} stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding}`;
  storePasses(build, title, [{ shape, stores }], { make: windows(build, kernel), lanesOnly: true });
  return build.program();
}

const windows =
  (build: Build, { direction, combine, sizes, a, b }: PoolKernel): Core =>
  (shader, at) => {
    const { input, kernel: window } = sizes;
    const rank = input.length;
    const own = input.map((_, axis) => at.coord(axis + 1, 0));
    const taps = unravel('t', window);
    const { coords, valid } = direction === 'forward' ? inside(sizes, own, taps) : windowOf(sizes, own, taps);
    const other = cursor(shader, rank + 1);
    const [tap, spot] = [shader.name('tap'), shader.name('spot')];
    const place = direction === 'forward' ? linearOf(coords, input) : linearOf(own, input);
    const lines = [
      `${other.global(0)} = ${at.coord(0, 0)};`,
      ...coords.map((coord, i) => `${other.global(i + 1)} = ${coord};`),
    ];
    shader.native(
      tap,
      ['Integer'],
      'Boolean',
      `float ${spot}_;\nbool ${tap}(int t) { ${lines.join(' ')} ${spot}_ = ${shader.use('wordOf')}(${place}); return ${valid ?? 'true'}; }`,
    );
    shader.native(spot, [], 'Number', `float ${spot}() { return ${spot}_; }`);
    const [acc, found, n] = [shader.name('acc'), shader.name('found'), shader.name('n')];
    const best = direction === 'forward' && combine === 'max';
    shader.line(`let ${acc} = ${start(best ? 'max' : 'sum', a.dtype, shader)};`);
    if (best) shader.line(`let ${found} = ${shader.bits(-1 ^ 0x40000000)};`, `let none${found} = 1;`);
    shader.line(`for (let ${n} = 0; ${n} < ${sizeOf(window)}; ${n}++) {`, `if (${tap}(${n})) {`);
    const block = new Block(shader, build.kernel, other);
    const value = shader.bind(toCarried(block.value(a)[0] as string, a.dtype));
    const add = `${acc} = ${join('sum', a.dtype, shader)(acc, value)};`;
    if (best) {
      const better = beats('max', a.dtype, shader)(value, acc);
      shader.line(`if (none${found} > 0 || ${better}) { ${acc} = ${value}; ${found} = ${spot}(); none${found} = 0; }`);
    } else if (direction === 'backward' && b) {
      const saved = block.value(b)[0] as string;
      shader.line(`if (${shader.use('eqWord')}(${saved}, ${spot}())) { ${add} }`);
    } else shader.line(add);
    shader.line('}', '}');
    return (index) => [index === 0 ? fromCarried(acc, a.dtype) : found];
  };
