/** Making the programs of a plan before it runs, one at a time, so that the page goes on between two of them. */
import type { Plan, PlanStep, PrepareOptions } from '@tessera/tensor/backend';
import { type Draw, GlExecutable, isDraw } from './compile';
import { bitsOf } from './layout';
import type { GlBuffer } from './memory';
import type { Programs } from './programs';
import type { Ref } from './shader';

/** A draw, and the lengths of rows of what it will read and write: its program is for these. */
export interface Wanted {
  readonly draw: Draw;
  readonly uniforms: number;
  readonly from: readonly number[];
  readonly to: number;
  /** Of what is read, and written. */
  readonly layers: { readonly from: readonly number[]; readonly to: readonly number[] };
}

/** `warm` builds the program of a draw and draws a texel with it; it resolves when the device has done so. */
export async function prepare(
  plan: Plan,
  programs: Programs,
  warm: (wanted: Wanted) => Promise<void>,
  { onProgress, signal }: PrepareOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const all = new Map(
    wantedBy(plan, programs).map((wanted) => [programs.key(wanted.draw, wanted.from, wanted.to), wanted]),
  );
  const missing = [...all].flatMap(([key, wanted]) => (programs.has(key) ? [] : [wanted]));
  const total = all.size;
  let done = total - missing.length;
  onProgress?.({ done, total });
  for (const wanted of missing) {
    signal?.throwIfAborted();
    await warm(wanted);
    if (!signal?.aborted) onProgress?.({ done: ++done, total });
  }
  signal?.throwIfAborted();
}

/** Draws beyond a step whose programs are begun with before it runs. */
const ahead = 4;

/**
 * For a plan that runs the first time: to be called before each of its steps; begins with programs that this one and the next will
 * want, which are then made while those before are drawn.
 */
export function beginner(plan: Plan, table: readonly GlBuffer[], programs: Programs): (step: PlanStep) => void {
  const coming = drawsOf(
    plan,
    table.map(({ texture }) => bitsOf(texture)),
    programs,
  );
  let [begun, reached] = [0, 0];
  return ({ executable }) => {
    if (executable instanceof GlExecutable) reached += executable.steps.filter(isDraw).length;
    for (; begun < Math.min(coming.length, reached + ahead); begun++) {
      const { draw, from, to } = coming[begun] as Wanted;
      programs.begin(draw, from, to);
    }
  };
}

/** What a plan will draw. Its buffers are as large as the largest value in them; those drawn together are as wide as the widest. */
function wantedBy(plan: Plan, programs: Programs): Wanted[] {
  const widths: number[] = [];
  for (const { executable, inputs, outputs } of plan.steps) {
    if (!(executable instanceof GlExecutable)) continue;
    const { kernel } = executable;
    const widen = (at: number, size: number | undefined) => {
      widths[at] = Math.max(widths[at] ?? 0, programs.bitsOf(size ?? 0));
    };
    inputs.forEach((at, i) => {
      widen(at, kernel.inputs[i]?.size);
    });
    outputs.forEach((at, i) => {
      widen(at, kernel.outputs[i]?.size);
    });
  }
  return drawsOf(plan, widths, programs);
}

/** @param widths of the buffers' textures, as bits; those drawn together become alike */
function drawsOf({ steps }: Plan, widths: number[], programs: Programs): Wanted[] {
  return steps.flatMap(({ executable, inputs, outputs }) => {
    if (!(executable instanceof GlExecutable)) return [];
    const scratch = executable.scratch.map(({ size }) => programs.bitsOf(size));
    const tableOf = ({ of, index }: Ref): [number[], number] =>
      of === 'scratch' ? [scratch, index] : [widths, (of === 'input' ? inputs[index] : outputs[index]) as number];
    const bitsAt = (ref: Ref) => {
      const [table, at] = tableOf(ref);
      return table[at] as number;
    };
    return executable.steps.filter(isDraw).map((draw) => {
      const from = draw.inputs.map(bitsAt);
      const to = Math.max(...draw.outputs.map(bitsAt));
      for (const ref of draw.outputs) {
        const [table, at] = tableOf(ref);
        table[at] = to;
      }
      const layersAt = ({ of, index }: Ref) => (of === 'scratch' ? (executable.scratch[index]?.layers ?? 1) : 1);
      const layers = { from: draw.inputs.map(layersAt), to: draw.outputs.map(layersAt) };
      return { draw, uniforms: executable.kernel.uniforms.length, from, to, layers };
    });
  });
}
