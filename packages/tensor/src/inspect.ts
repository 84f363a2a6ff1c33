/**
 * @tessera/tensor/inspect: look into the engine. What graph is pending, which kernels it becomes, what they cost, how memory
 * is shared between them, and how long each ran.
 */
import type { Backend, KernelTiming } from './backend';
import { traces } from './compile';
import { type Cost, costOf } from './cost';
import { ArgumentError } from './errors';
import { isLeaf } from './flush';
import type { Expr, Kernel } from './ir';
import { type CacheUse, shelfOf } from './plan';
import { getBackend } from './runtime';
import { collect, type Graph } from './schedule/graph';
import type { Program } from './schedule/link';
import { schedule } from './schedule/schedule';
import { type TensorLike, toTensor } from './tensor';

export { type Cost, costOf } from './cost';

/** The graph and the program of pending tensors, or of each trace of a compiled function, as data. */
export interface Explanation {
  readonly graph: Graph;
  readonly program: Program;
}

/** @throws ArgumentError for a compiled function that has not been called yet */
export function programsOf(subject: TensorLike | readonly TensorLike[] | ((...args: never) => unknown)): Explanation[] {
  if (typeof subject === 'function') {
    const recordings = [...(traces.get(subject)?.recordings.values() ?? [])].flat();
    if (!recordings.length)
      throw new ArgumentError(
        'explain: this function has no trace; hand in what compile() returned, after its first call',
      );
    return recordings.map(({ graph, ready }) => ({ graph, program: ready.program }));
  }
  const tensors = (Array.isArray(subject) ? subject : [subject]).map((like: TensorLike) => toTensor(like, 'explain'));
  const graph = collect(tensors, isLeaf);
  return [{ graph, program: schedule(graph, getBackend().limits) }];
}

/** Graph, kernels with FLOPs and bytes, and memory plan as text. Nothing is run. */
export function explain(subject: TensorLike | readonly TensorLike[] | ((...args: never) => unknown)): string {
  return programsOf(subject)
    .map(({ graph, program }) =>
      [...graphLines(graph), '', ...kernelLines(program), '', ...memoryLines(program)].join('\n'),
    )
    .join('\n\n');
}

function graphLines(graph: Graph): string[] {
  const lines = graph.items.map((item) => {
    const outputs = item.outputs.map(({ dtype, shape }) => `${dtype} [${shape}]`).join(', ');
    const from = item.inputs.map(({ item: { place, outputs: all }, output }) =>
      all.length > 1 ? `%${place}.${output}` : `%${place}`,
    );
    const what = item.node.op?.opName ?? (item.leaf ? (item.node.source?.kind ?? 'values') : 'number');
    return `  %${item.place} = ${what}(${from.join(', ')}) → ${outputs}`;
  });
  return [`graph: ${graph.items.length} nodes, ${graph.leaves.length} leaves`, ...lines];
}

function kernelLines(program: Program): string[] {
  const costs = program.steps.map(({ kernel }) => costOf(kernel));
  const total = costs.reduce((sum, cost) => ({ flops: sum.flops + cost.flops, bytes: sum.bytes + cost.bytes }), {
    flops: 0,
    bytes: 0,
  });
  const lines = program.steps.map(({ kernel, ops, inputs, outputs }, i) => {
    const { flops, bytes } = costs[i] as Cost;
    const inPlace = kernel.aliases.some((alias) => alias >= 0) ? ', in place' : '';
    return `  ${String(i + 1).padStart(3)} ${domainOf(kernel)}: ${summary(ops)} · ${count(flops)}FLOP ${count(bytes)}B · #${inputs.join(' #')} → #${outputs.join(' #')}${inPlace}`;
  });
  return [`kernels: ${program.steps.length}, ${count(total.flops)}FLOP, ${count(total.bytes)}B`, ...lines];
}

/** "mul ×3, add": names in the order they come, repetitions counted. */
function summary(ops: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const op of ops) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts].map(([op, times]) => (times > 1 ? `${op} ×${times}` : op)).join(', ');
}

function memoryLines(program: Program): string[] {
  const slots = program.slots.reduce((sum, { size }) => sum + size * 4, 0);
  const fresh = program.results.filter(({ leaf }) => leaf === null);
  const inPlace = program.results.length - fresh.length;
  const leaves = program.leaves ? `${program.leaves} leaves (#0–#${program.leaves - 1})` : 'no leaves';
  return [
    `memory: ${leaves}, ${program.slots.length} slots of ${count(slots)}B in all for what lives in between, ${fresh.length} new results, ${inPlace} written in place`,
    ...program.slots.map(({ dtype, size }, i) => `  slot #${program.leaves + i}: ${dtype} ×${size}`),
  ];
}

/** 'matmul [128,3136]·[3136,10]' and the like. */
export function domainOf(kernel: Kernel): string {
  switch (kernel.kind) {
    case 'map':
      return `map ${kernel.parts.length > 1 ? `${kernel.parts.length} parts` : `[${kernel.parts[0]?.shape}]`}`;
    case 'reduce':
      return `reduce [${kernel.shape}] along ${kernel.axes} in ${kernel.stages.length} stage${kernel.stages.length === 1 ? '' : 's'}`;
    case 'matmul':
      return `matmul ${kernel.batch.length ? `${kernel.batch}× ` : ''}[${kernel.m},${kernel.k}]·[${kernel.k},${kernel.n}]`;
    case 'conv': {
      const { n, c, o, groups, input, kernel: window } = kernel.sizes;
      return `conv ${kernel.direction} [${n},${c},${input}] ∗ [${o},${c / groups},${window}]`;
    }
    case 'pool':
      return `pool ${kernel.combine} ${kernel.direction} [${kernel.sizes.batch},${kernel.sizes.input}]`;
    case 'scatter':
      return `scatter ${kernel.combine} [${kernel.updates}] into [${kernel.shape}]`;
    case 'sort':
    case 'scan':
      return `${kernel.kind} [${kernel.shape}] along ${kernel.axis}`;
    case 'custom':
      return `custom ${kernel.name} [${kernel.shape}]`;
    default:
      return kernel satisfies never;
  }
}

function count(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? scaled : scaled.toPrecision(3)} ${units[unit]}`;
}

/** An expression as text: `exp(in0 − acc0)`. */
export function showExpr(expr: Expr): string {
  switch (expr.op) {
    case 'load':
      return expr.at ? `in${expr.input}[${expr.at.map(showExpr).join(', ')}]` : `in${expr.input}`;
    case 'const':
      return String(expr.value);
    case 'uniform':
      return `u${expr.index}`;
    case 'index':
      return `i${expr.axis}`;
    case 'acc':
      return `acc${expr.index}`;
    case 'apply':
      return `${expr.fn}(${expr.args.map(showExpr).join(', ')})`;
  }
}

/** Plans and executables made and found again on a backend. */
export const cacheUse = (backend: Backend = getBackend()): Readonly<CacheUse> => ({ ...shelfOf(backend).use });

/** Calls the listener with each kernel's time from now on (slower); the result stops it. @throws ArgumentError where the backend has no timings */
export function onKernel(listener: (timing: KernelTiming) => void, backend: Backend = getBackend()): () => void {
  if (!backend.onKernel) throw new ArgumentError(`onKernel: backend ${backend.name} does not deliver timings`);
  backend.onKernel(listener);
  return () => backend.onKernel?.(null);
}

/** Records kernels until `stop()`, which gives the text of a file for chrome://tracing or Perfetto. */
export function trace(backend: Backend = getBackend()): { stop(): Promise<string> } {
  const events: object[] = [];
  let at = 0;
  const stop = onKernel(({ kernel, milliseconds }) => {
    const { flops, bytes } = costOf(kernel);
    const microseconds = milliseconds * 1000;
    events.push({
      name: domainOf(kernel),
      cat: kernel.kind,
      ph: 'X',
      ts: at,
      dur: microseconds,
      pid: 0,
      tid: 0,
      args: { flops, bytes },
    });
    at += microseconds;
  }, backend);
  return {
    async stop() {
      await backend.sync();
      stop();
      return JSON.stringify({ traceEvents: events, displayTimeUnit: 'ms' });
    },
  };
}
