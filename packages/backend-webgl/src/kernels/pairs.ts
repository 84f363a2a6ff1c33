/**
 * Neighbours in a window that one read gives: where all windows begin at even elements, or all at odd ones, two places of a line
 * are an aligned pair, which lies in one texel.
 *
 *     texels   │0 1 2 3│4 5 6 7│        windows of 3, stride 2, padding 1, at elements −1, 1, 3:
 *             ·└─┴┘                     place 0 is read by itself, 1 and 2 together
 *                └─┴─┘
 */
import type { Expr, Load, PoolKernel } from '@tessera/tensor/backend';
import { constants } from '../division';
import { type Cursor, elementOf } from '../place';
import type { Shader } from '../shader';

const isEven = (value: number): boolean => value % 2 === 0;

/** Is every row of a view in memory at an even element, and its last axis without gaps? */
function liesInPairs(expr: Expr, floats: (input: number) => boolean): expr is Load {
  if (expr.op !== 'load' || expr.at !== null || expr.view.valid || !floats(expr.input)) return false;
  const { strides, offset } = expr.view;
  return strides.at(-1) === 1 && isEven(offset) && strides.slice(0, -1).every(isEven);
}

/** For places of a window, row-major: do this one and the next make a pair? */
export function pairsOf({ direction, sizes, a, inputs }: PoolKernel): (place: number) => boolean {
  const [window, stride, dilation, padding] = [sizes.kernel, sizes.stride, sizes.dilation, sizes.padding].map(
    (list) => list.at(-1) as number,
  ) as [number, number, number, number];
  const fits = isEven(stride) && dilation === 1 && isEven(sizes.input.at(-1) as number);
  if (direction !== 'forward' || !fits || !liesInPairs(a, (input) => inputs[input]?.dtype === 'float32'))
    return () => false;
  return (place) => (place % window) + 1 < window && isEven((place % window) - padding);
}

/** The elements that four lanes read at their places, and those behind them. */
export function readPairs(shader: Shader, { input, view }: Load, at: Cursor): [readonly string[], readonly string[]] {
  const sampler = shader.sampler({ of: 'input', index: input });
  const [even, odd] = [shader.name('even'), shader.name('odd')];
  const lines = [...'xyzw'].map(
    (lane) =>
      `t = ${sampler}_texel(e.${lane} >> 2); h = mix(t.xy, t.zw, bvec2((e.${lane} & 2) != 0)); made.${lane} = h.x; ${odd}_.${lane} = h.y;`,
  );
  const element = elementOf(constants, view)((axis) => at.global(axis));
  shader.native(
    even,
    [],
    'Array(4)',
    `vec4 ${odd}_;\nvec4 ${even}() { ivec4 e = ${element}; vec4 t; vec2 h; vec4 made; ${lines.join(' ')} return made; }`,
  );
  shader.native(odd, [], 'Array(4)', `vec4 ${odd}() { return ${odd}_; }`);
  const lanesOf = (name: string) => [0, 1, 2, 3].map((lane) => `${name}[${lane}]`);
  return [lanesOf(shader.bind(`${even}()`, 'x')), lanesOf(shader.bind(`${odd}()`, 'x'))];
}
