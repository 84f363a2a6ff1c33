/**
 * Texels side by side along the innermost loop over a row: the first is found before the loop, the others are so many behind it.
 * Where all of a run lie in one line of the texture, as they do where rows are multiples of what is run through, no position is
 * taken apart in the loop: of a sum of 1024 rows of 1024 that was a quarter of the time.
 *
 *     line y of the texture  │ · · · ┌ x ┬ x+1 ┬ x+2 ┬ … ┐ · · · │
 */
import { type Expr, type Load, type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import { isTexels } from '../block';
import { constants } from '../division';
import { type Cursor, elementOf } from '../place';
import type { Shader } from '../shader';
import { behind, divisorOf, find } from './lines';

export interface Run {
  /** The line that finds the first texel, where the counters of the loops around are known. */
  readonly begin: string;
  /** The four elements of texel `text` of the run. */
  read(text: string): readonly string[];
}

/** The loads of expressions, each once. */
function loadsOf(exprs: readonly Expr[]): Set<Load> {
  const [found, seen] = [new Set<Load>(), new Set<Expr>()];
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.op === 'load') found.add(expr);
    else if (expr.op === 'apply') expr.args.forEach(visit);
  };
  exprs.forEach(visit);
  return found;
}

/** Of what all positions where runs begin are multiples, in texels: a power of two. */
function alignmentOf({ shape, strides, offset }: Load['view'], last: number, chunk: number): number {
  const steps = strides.filter((_, axis) => axis !== last && shape[axis] !== 1);
  return divisorOf(...[...steps, offset, chunk].map((step) => step / 4));
}

/**
 * The loads that are runs, and how each is read.
 * @param step a function of all counters that puts the cursor where they say
 * @param count texels of a run
 * @param chunk elements of which the beginnings along the last axis are multiples; 0 where there is one
 */
export function runsOf(
  shader: Shader,
  { inputs, shape }: ReduceKernel,
  exprs: readonly Expr[],
  {
    step,
    counters,
    at,
    last,
    count,
    chunk,
  }: {
    step: string;
    counters: readonly string[];
    at: Cursor;
    last: number;
    count: number;
    chunk: number;
  },
): ReadonlyMap<Expr, Run> {
  const runs = new Map<Expr, Run>();
  if (sizeOf(shape) === 0) return runs;
  const outer = counters.slice(0, -1);
  for (const load of loadsOf(exprs)) {
    const { input, view } = load;
    const dtype = inputs[input]?.dtype;
    if (load.at || view.valid || !isTexels(view) || (dtype !== 'float32' && dtype !== 'int32')) continue;
    const sampler = shader.sampler({ of: 'input', index: input });
    const [begin, read] = [shader.name('begin'), shader.name('run')];
    const element = elementOf(constants, view)((axis) => at.global(axis));
    const block = alignmentOf(view, last, chunk);
    shader.native(
      begin,
      outer.map(() => 'Integer' as const),
      'Number',
      `int ${begin}_t; ivec2 ${begin}_at;
float ${begin}(${outer.map((one) => `int ${one}`).join(', ')}) { ${step}(${[...outer, '0'].join(', ')}); ${find(sampler, begin, `(${element}) >> 2`)} return 0.0; }`,
    );
    const text = behind(sampler, begin, 'i', count <= block ? block : 0);
    shader.native(read, ['Integer'], 'Array(4)', `vec4 ${read}(int i) { return ${text}; }`);
    runs.set(load, {
      begin: `${begin}(${outer.join(', ')});`,
      read: (text) => {
        const texel = shader.bind(`${read}(${text})`, 'x');
        return [0, 1, 2, 3].map((lane) => `${texel}[${lane}]`);
      },
    });
  }
  return runs;
}

/** Is nothing else read at the place of an element? */
export function runsAlone(exprs: readonly Expr[], runs: ReadonlyMap<Expr, Run>): boolean {
  return exprs.every((expr) => {
    if (expr.op === 'load') return runs.has(expr);
    return expr.op === 'apply' ? runsAlone(expr.args, runs) : expr.op !== 'index';
  });
}
