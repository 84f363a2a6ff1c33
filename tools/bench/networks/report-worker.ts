/**
 * A program of its own, for what must be seen from the beginning: a training step in a fresh process, with the model's own initial
 * values. `memory`: the most that the process ever had, over five steps. `plan`: what the first call takes, and what a replay costs
 * the thread that calls.
 */
import { realize, setBackend } from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { median } from '../measure.ts';
import { backends } from '../tessera.ts';
import type { NetName } from './nets.ts';
import { inferenceOf, inputsOf, modelOf, type Step, trainingOf } from './ours.ts';

export interface MemoryReport {
  /** Bytes. */
  readonly peak: number;
}
/** Milliseconds, and numbers of kernels. */
export interface PlanReport {
  /** Trace and schedule; the WebAssembly made of it. */
  readonly trace: number;
  readonly code: number;
  /** The first call in all: these, and its replay. */
  readonly call: number;
  /** The call of a replay, whose work goes on behind it. */
  readonly encode: number;
  readonly kernels: number;
  readonly inferenceKernels: number;
  /** How long a run of the model as it is takes, in runs of the fused one. */
  readonly unfused: number;
}

const [name, net, batch, threads, what] = process.argv.slice(2) as [string, NetName, string, string, 'memory' | 'plan'];
const make = backends[name] as (typeof backends)[string];
const { backend } = await make({ threads: Number(threads) });
setBackend(backend);
const work = { net, batch: Number(batch) };

async function memory(): Promise<MemoryReport> {
  const { model, network } = await modelOf({ ...work, pass: 'train' });
  const { step } = trainingOf(model, network);
  const inputs = inputsOf(network, 'train');
  for (let i = 0; i < 5; i++) await read(step(...inputs));
  return { peak: 1024 * process.resourceUsage().maxRSS };
}

async function plan(): Promise<PlanReport> {
  const { model, network } = await modelOf({ ...work, pass: 'train' });
  const { step, optimizer } = trainingOf(model, network);
  const inputs = inputsOf(network, 'train');
  // initial values are drawn before, for they are no part of the step
  await realize(...model.stateDict().values(), ...optimizer.stateDict().values(), ...inputs);
  const first = watch();
  const loss = step(...inputs);
  const { trace, code, call } = first();
  await read(loss);
  const calls: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const loss = step(...inputs);
    calls.push(performance.now() - start);
    await read(loss);
  }
  const fused = await modelOf({ net, batch: 1, pass: 'forward' });
  const [image] = inputsOf(fused.network, 'forward') as [(typeof inputs)[number]];
  const inference = inferenceOf(fused.model);
  const plain = inferenceOf(model);
  const ratios: number[] = [];
  for (let i = 0; i < 12; i++) {
    const times = [await timeOf(plain, image), await timeOf(inference, image)] as const;
    if (i > 2) ratios.push(times[0] / times[1]);
  }
  return {
    trace,
    code,
    call,
    encode: median(calls),
    kernels: kernelsOf(step),
    inferenceKernels: kernelsOf(inference),
    unfused: median(ratios),
  };
}

/** Until the first work is handed to the backend, all is trace, schedule, and the making of kernels, which is timed apart. */
function watch(): () => Pick<PlanReport, 'trace' | 'code' | 'call'> {
  const { compile, submit } = backend;
  const start = performance.now();
  let [code, codeBefore, submitted] = [0, 0, 0];
  backend.compile = (kernel) => {
    const start = performance.now();
    const made = compile.call(backend, kernel);
    code += performance.now() - start;
    return made;
  };
  backend.submit = (...work) => {
    if (!submitted) [submitted, codeBefore] = [performance.now(), code];
    submit.apply(backend, work);
  };
  return () => {
    const call = performance.now() - start;
    Object.assign(backend, { compile, submit });
    return { trace: submitted - start - codeBefore, code, call };
  };
}
async function read(y: ReturnType<Step>): Promise<void> {
  await y.data();
  y.dispose();
}
async function timeOf(step: Step, image: ReturnType<Step>): Promise<number> {
  const start = performance.now();
  await read(step(image));
  return performance.now() - start;
}
const kernelsOf = (step: Step): number => programsOf(step)[0]?.program.steps.length ?? Number.NaN;

const report = await { memory, plan }[what]();
console.log(JSON.stringify(report));
backend.dispose();
