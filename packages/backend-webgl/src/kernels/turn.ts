/**
 * Transposed operands. An element-wise kernel that reads down a column would fetch four texels for each it makes, and use a
 * quarter of them. Before it, a draw turns squares of 4 × 4: what it reads and makes are whole texels.
 *
 *      four texels down `last`        four texels along it, one a layer
 *      a0 a1 a2 a3 → axis             a0 b0 c0 d0 → last
 *      b0 b1 b2 b3                    a1 b1 c1 d1
 *      c0 c1 c2 c3                    a2 b2 c2 d2
 *      d0 d1 d2 d3                    a3 b3 c3 d3
 */
import { type Expr, type Load, rowMajor, sizeOf } from '@tessera/tensor/backend';
import type { Place } from '../place';
import type { Ref, Shader } from '../shader';
import type { Build, Part } from '../stores';
import { unravel } from './windows';

/** Elements from which a draw more pays, and operands that it is made for: each takes a sampler. */
const [least, most] = [16384, 2];

/** An operand in four layers: element … i … j is in layer i & 3, of squares in the order of the operand. */
export interface Turned {
  readonly table: Ref;
  readonly domain: readonly number[];
  /** By axes of the domain, how many squares lie between neighbours. */
  readonly strides: readonly number[];
  /** The axis along which the operand lies in memory. */
  readonly axis: number;
  readonly last: number;
}

/** Turns the operands of stores that are worth it, and leaves them in `build.turned`. */
export function turnLoads(build: Build, parts: readonly Part[]): void {
  if (build.targets < 4) return;
  const seen = new Set<Expr>(); // as a tree, an expression may have 2⁴⁰ nodes
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.op === 'apply') expr.args.forEach(visit);
    if (expr.op !== 'load' || build.turned.has(expr) || build.turned.size >= most) return;
    const axes = axesOf(build, expr);
    if (axes) build.turned.set(expr, turn(build, expr, axes));
  };
  for (const { stores } of parts) for (const { expr } of stores) visit(expr);
}

function axesOf({ kernel }: Build, { input, view, at }: Load): Pick<Turned, 'axis' | 'last'> | null {
  const { shape, strides, offset, valid } = view;
  const dtype = kernel.inputs[input]?.dtype;
  if (at || valid || sizeOf(shape) < least || (dtype !== 'float32' && dtype !== 'int32')) return null;
  const last = shape.findLastIndex((size) => size !== 1);
  const axis = strides.findIndex((stride, i) => stride === 1 && (shape[i] as number) > 1);
  if (axis < 0 || axis === last || strides[last] === 0) return null;
  const whole = [shape[last] as number, shape[axis] as number, offset].every((size) => size % 4 === 0);
  const apart = strides.every((stride, i) => i === axis || shape[i] === 1 || (stride >= 0 && stride % 4 === 0));
  return whole && apart ? { axis, last } : null;
}

function turn(build: Build, { input, view }: Load, { axis, last }: Pick<Turned, 'axis' | 'last'>): Turned {
  const { shape, strides, offset } = view;
  const squares = shape.map((size, i) => (i === axis || i === last ? size / 4 : size));
  // Read in the order of memory: neighbours that make texels far apart, reads of the stores, cost less than far reads here.
  const order = shape.map((_, i) => i).sort((i, j) => (strides[j] as number) - (strides[i] as number));
  const sorted = order.map((i) => squares[i] as number);
  const shader = build.shader(`turned [${shape}] of strides ${strides}`);
  const sampler = shader.sampler({ of: 'input', index: input });
  const terms = unravel(shader.sizes, 't', sorted).map((text, k) => {
    const i = order[k] as number;
    const step = i === axis ? 1 : i === last ? (strides[i] as number) : (strides[i] as number) / 4;
    return step === 1 ? text : `${text} * ${shader.sizes.int(step)}`;
  });
  const [lanes, xyzw] = [
    [0, 1, 2, 3],
    ['x', 'y', 'z', 'w'],
  ];
  shader.declare(`vec4 ${lanes.map((r) => `turned_${r}`).join(', ')};`);
  shader.native(
    'turn',
    [],
    'Number',
    `float turn() {
int t = texel();
int from = ${[...terms, ...(offset === 0 ? [] : [shader.sizes.int(offset / 4)])].join(' + ')};
int apart = ${shader.sizes.int((strides[last] as number) / 4)};
${lanes.map((q) => `vec4 x${q} = ${sampler}_texel(from + ${q} * apart);`).join(' ')}
${lanes.map((r) => `turned_${r} = vec4(${lanes.map((q) => `x${q}.${xyzw[r]}`).join(', ')});`).join(' ')}
return 0.0;
}`,
  );
  for (const r of lanes) shader.native(`got${r}`, [], 'Array(4)', `vec4 got${r}() { return turned_${r}; }`);
  shader.line('turn();', ...lanes.slice(1).map((r) => `output${r}(got${r}());`), 'return got0();');
  const texels = sizeOf(squares);
  const table = build.temporary(texels * 4, 4);
  build.steps.push(shader.pass([table], texels, false, 4));
  const steps = shape.map((_, i) => rowMajor(sorted)[order.indexOf(i)] as number);
  return { table, domain: shape, strides: steps, axis, last };
}

/** The texts of a turned operand at a place of its domain. */
export function readTurned(
  shader: Shader,
  place: Place,
  { table, domain, strides, axis, last }: Turned,
): readonly string[] {
  const name = shader.name('turned');
  const sampler = shader.layers(table);
  const steps = domain.map((size, i) => (size === 1 ? '' : place.sizes.int(strides[i] as number)));
  const texel = (lane: number) =>
    domain
      .flatMap((size, i) => {
        if (size === 1) return [];
        const coord = place.coord(i, lane);
        return [`${i === axis || i === last ? `(${coord} >> 2)` : coord} * ${steps[i]}`];
      })
      .join(' + ');
  const call = (lane: number) => `${sampler}_texel(${place.coord(axis, lane)} & 3, ${texel(lane)})`;
  if (place.lanes === 4 && place.aligned) {
    shader.native(name, [], 'Array(4)', `vec4 ${name}() { return ${call(0)}; }`);
    const bound = shader.bind(`${name}()`, 'x');
    return [0, 1, 2, 3].map((lane) => `${bound}[${lane}]`);
  }
  return Array.from({ length: place.lanes }, (_, lane) => {
    const one = `${name}_${lane}`;
    shader.native(one, [], 'Number', `float ${one}() { return pick(${call(lane)}, ${place.coord(last, lane)}); }`);
    return shader.bind(`${one}()`, 'x');
  });
}
