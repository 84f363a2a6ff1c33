/**
 * Pooling over windows. Backward, an input element goes through the windows that contain it, in the order of their places, so
 * that sums have one order.
 */
import { type Expr, nodesOf, type PoolKernel, rowMajor, sizeOf } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start, toCarried } from '../accumulate';
import { Block } from '../block';
import { constants } from '../division';
import { type Cursor, cursor, type Place } from '../place';
import type { Program } from '../shader';
import { type Build, type Core, storePasses } from '../stores';
import { neighbours } from './neighbours';
import { inside, linearOf, unravel, windowOf } from './windows';

export function pool(build: Build, kernel: PoolKernel): Program {
  const { direction, combine, sizes, stores } = kernel;
  const { batch, input, output, kernel: window } = sizes;
  const shape = [batch, ...(direction === 'forward' ? output : input)];
  const title = `pool ${combine} ${direction} [${[batch, ...input]}] windows ${window} stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding}`;
  const lanesOnly = direction === 'backward' || !isShort(kernel);
  storePasses(build, title, [{ shape, stores }], { make: windows(build, kernel), lanesOnly, known: true });
  return build.program();
}

/** Windows of so few nodes in all are written place by place: their coordinates are then known, and no loop turns. */
const few = 12;
const isShort = ({ sizes, a, b }: PoolKernel): boolean => sizeOf(sizes.kernel) * nodesOf(b ? [a, b] : [a]).size <= few;

/** The windows of one element, or of four: of these all the coordinates are vectors. */
const windows =
  (build: Build, kernel: PoolKernel): Core =>
  (shader, at) => {
    const { direction, combine, sizes, stores, a, b } = kernel;
    const { input, kernel: window } = sizes;
    const forward = direction === 'forward';
    const lanes = [0, 1, 2, 3].slice(0, at.lanes);
    const [own, other] = [0, 1].map(() => cursor(shader, input.length + 1, constants, at.lanes)) as [Cursor, Cursor];
    const axes = [...input.keys()].map((axis) => axis + 1);
    const found = lanes.map(() => shader.name('found'));
    const none = lanes.map(() => shader.name('none'));
    const acc = lanes.map(() => shader.name('acc'));
    const best = forward && combine === 'max';
    const places = best && readsPlace(stores.map(({ expr }) => expr));
    const vector = (texts: readonly string[]) => (texts.length === 1 ? texts[0] : `ivec4(${texts.join(', ')})`);
    const home = shader.name('home');
    const here = [0, ...axes].map((axis) => `${own.global(axis)} = ${vector(lanes.map((l) => at.coord(axis, l)))};`);
    shader.native(home, [], 'Number', `float ${home}() { ${here.join(' ')} return 0.0; }`);
    shader.line(`${home}();`);
    for (const lane of lanes) {
      shader.line(`let ${acc[lane]} = ${start(best ? 'max' : 'sum', a.dtype, shader)};`);
      if (places) shader.line(`let ${found[lane]} = ${shader.bits(-1 ^ 0x40000000)};`, `let ${none[lane]} = 1;`);
    }
    /** One place of the window, by its coordinates in GLSL; `call` writes a call with what these are in terms of. */
    const take = (
      taps: readonly string[],
      args: readonly 'Integer'[],
      call: (name: string) => string,
      load: Place['load'] = () => null,
      first = false,
    ) => {
      const list = args.map(() => 'int t').join();
      const meet = (elements: readonly string[]) =>
        forward ? inside(sizes, elements, taps) : windowOf(sizes, elements, taps);
      const { coords } = meet(axes.map((axis) => own.global(axis)));
      const lines = [other.global(0), ...axes.map((axis) => other.global(axis))].map(
        (name, axis) => `${name} = ${axis === 0 ? own.global(0) : coords[axis - 1]};`,
      );
      const tap = shader.name('tap');
      shader.native(tap, args, 'Number', `float ${tap}(${list}) { ${lines.join(' ')} return 0.0; }`);
      shader.line(`${call(tap)};`);
      const is = lanes.map((lane) => {
        const { valid } = meet(axes.map((axis) => own.coord(axis, lane)));
        if (valid === null) return null;
        const test = shader.name('inside');
        shader.native(test, args, 'Boolean', `bool ${test}(${list}) { return ${valid}; }`);
        return shader.bind(call(test), 'is');
      });
      const spot = (lane: number): string => {
        const name = shader.name('spot');
        const position = linearOf(
          axes.map((axis) => (forward ? other : own).coord(axis, lane)),
          input,
        );
        shader.native(name, [], 'Number', `float ${name}() { return ${shader.use('wordOf')}(${position}); }`);
        return `${name}()`;
      };
      const block = new Block(shader, build.kernel, { ...other, load });
      const values = block.value(a).map((text) => shader.bind(toCarried(text, a.dtype)));
      const saved = !forward && b ? block.value(b) : [];
      for (const lane of lanes) {
        const value = values[values.length === 1 ? 0 : lane] as string;
        const sum = acc[lane] as string;
        if (!best) {
          const chosen = saved.length ? [`${shader.use('eqWord')}(${saved[0]}, ${spot(lane)})`] : [];
          const counts = [...(is[lane] ? [is[lane]] : []), ...chosen].join(' && ');
          const more = join('sum', a.dtype, shader)(sum, value);
          shader.line(`${sum} = ${counts ? `((${counts}) ? ${more} : ${sum})` : more};`);
          continue;
        }
        if (first && !is[lane] && !places) {
          shader.line(`${sum} = ${value};`); // nothing is below the start
          continue;
        }
        const better = beats('max', a.dtype, shader, places)(value, sum);
        const wanted = places ? `(${none[lane]} > 0 || ${better})` : better;
        const wins = shader.bind(is[lane] ? `(${is[lane]} && ${wanted})` : wanted, 'wins');
        shader.line(`${sum} = (${wins} ? ${value} : ${sum});`);
        if (!places) continue;
        shader.line(`${found[lane]} = (${wins} ? ${spot(lane)} : ${found[lane]});`);
        shader.line(`${none[lane]} = ${is[lane] ? `(${is[lane]} ? 0.0 : ${none[lane]})` : '0.0'};`);
      }
    };
    const count = sizeOf(window);
    if (isShort(kernel)) {
      const near = neighbours(shader, kernel, other);
      for (let place = 0; place < count; place++) {
        take(
          coordinates(place, window),
          [],
          (name) => `${name}()`,
          (expr) => near?.(expr, place) ?? null,
          place === 0,
        );
      }
    } else {
      const n = shader.name('n');
      shader.line(`for (let ${n} = 0; ${n} < ${count}; ${n}++) {`);
      take(unravel(constants, 't', window), ['Integer'], (name) => `${name}(${n})`);
      shader.line('}');
    }
    return (index) => (index === 0 ? acc.map((text) => fromCarried(text, a.dtype)) : found);
  };

/** The coordinates of a row-major position. */
const coordinates = (position: number, shape: readonly number[]): string[] =>
  rowMajor(shape).map((stride, axis) => String(Math.floor(position / stride) % (shape[axis] as number)));

const readsPlace = (exprs: readonly Expr[]): boolean =>
  [...nodesOf(exprs)].some((expr) => expr.op === 'acc' && expr.index === 1);
