/**
 * What a training step costs beside its arithmetic: tracing, scheduling, kernels, memory. Fixed before they are measured, as rows
 * are; less is better. Each is seen in processes of its own, from their beginning (report-worker.ts): a plan's in three, of which
 * the median counts.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from '../measure.ts';
import { loader, peersHome, python } from '../peers.ts';
import { type NetName, nets } from './nets.ts';
import { modelOf } from './ours.ts';
import type { MemoryReport, PlanReport } from './report-worker.ts';

/** Something of which less is better. */
export interface Measured {
  readonly name: string;
  readonly unit: 'ms' | 'kernels' | 'dispatches' | 'objects' | 'MB' | '×';
  /** Most that it may be, in its unit or as a multiple of PyTorch's. */
  readonly goal: { readonly atMost: number; readonly of: 'unit' | 'torch' } | null;
}
export interface Fact extends Measured {
  readonly net: NetName;
  /** Which number of the plan's report it is; 'peak' is that of the memory's. */
  readonly number: keyof PlanReport | keyof MemoryReport;
}

const resnet50 = (name: string, unit: Fact['unit'], number: keyof PlanReport, atMost: number | null): Fact => ({
  name: `ResNet-50 ${name}`,
  unit,
  net: 'resnet50',
  number,
  goal: atMost === null ? null : { atMost, of: 'unit' },
});

export const facts: readonly Fact[] = [
  resnet50('step: scheduling overhead of a replay', 'ms', 'encode', 5),
  resnet50('step: first trace and schedule', 'ms', 'trace', 300),
  resnet50('step: code generation beside it', 'ms', 'code', null),
  resnet50('step: first call in all', 'ms', 'call', null),
  resnet50('step: kernels', 'kernels', 'kernels', 330),
  resnet50('inference, fused: kernels', 'kernels', 'inferenceKernels', 60),
  resnet50('inference, batch 1: time of the unfused model over the fused', '×', 'unfused', null),
  ...(Object.keys(nets) as NetName[]).map(
    (net): Fact => ({
      name: `${nets[net].title} step, batch 8: peak memory`,
      unit: 'MB',
      net,
      number: 'peak',
      goal: { atMost: 1.2, of: 'torch' },
    }),
  ),
];

export interface FactResult {
  readonly fact: Measured;
  readonly ours: number | null;
  readonly torch: number | null;
  /** Why a value is not there. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface FactSetting {
  readonly backend: string;
  readonly threads: number;
  /** Is PyTorch a peer? Else the reason why it is none. */
  readonly torch: true | string;
}

/** Each report is made once, whoever asks. */
export function measurer({ backend, threads, torch }: FactSetting): (fact: Fact) => Promise<FactResult> {
  const batch = 8;
  const known = new Map<string, Promise<object>>();
  const once = (key: string, make: () => Promise<object>): Promise<object> => {
    const report = known.get(key) ?? make();
    known.set(key, report);
    return report;
  };
  const ours = (net: NetName, what: 'memory' | 'plan') => {
    const program = fileURLToPath(new URL('./report-worker.ts', import.meta.url));
    const flags = ['--import', loader, '--conditions=@tessera/source', '--no-warnings'];
    const made = () =>
      answerOf(process.execPath, [...flags, program, backend, net, String(batch), String(threads), what], '');
    return once(`${net} ${what}`, async () =>
      what === 'memory' ? made() : medians([await made(), await made(), await made()]),
    );
  };
  const theirs = (net: NetName) =>
    once(`${net} torch`, async () => {
      const { network } = await modelOf({ net, batch, pass: 'train' });
      return answerOf(python, [`${peersHome}torch_memory.py`, String(threads)], `${JSON.stringify(network)}\n`);
    });

  return async (fact) => {
    const missing: Record<string, string> = {};
    const number = async (who: string, report: () => Promise<object>): Promise<number | null> => {
      try {
        const value = (await report())[fact.number as never] as number;
        return fact.unit === 'MB' ? value / 1e6 : value;
      } catch (error) {
        missing[who] = reasonOf(error);
        return null;
      }
    };
    const own = await number('ours', () => ours(fact.net, fact.number === 'peak' ? 'memory' : 'plan'));
    if (fact.goal?.of !== 'torch') return { fact, ours: own, torch: null, missing };
    if (torch !== true) return { fact, ours: own, torch: null, missing: { ...missing, torch } };
    return { fact, ours: own, torch: await number('torch', () => theirs(fact.net)), missing };
  };
}

/** Of each number the median. */
const medians = ([first, ...others]: readonly [object, ...object[]]): object =>
  Object.fromEntries(
    Object.entries(first).map(([name, value]) => [name, median([value, ...others.map((each) => each[name as never])])]),
  );

/** The last line that a program prints, as JSON. */
async function answerOf(program: string, args: readonly string[], input: string): Promise<object> {
  const running = promisify(execFile)(program, args, { timeout: 240_000 });
  running.child.stdin?.end(input);
  const { stdout } = await running;
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as object;
}

/** What a program complained about last, or how it ended. */
function reasonOf(error: unknown): string {
  const { stderr = '', message = String(error) } = error as { stderr?: string; message?: string };
  const complaint = stderr.split('\n').find((line) => /Error|error:/.test(line)) ?? message.split('\n')[0];
  return (complaint ?? '').trim();
}

export function factVerdict({ fact: { goal }, ours, torch }: FactResult): 'met' | 'lost' | 'not measured' | null {
  if (!goal) return null;
  const most = goal.of === 'unit' ? goal.atMost : torch === null ? null : goal.atMost * torch;
  if (ours === null || most === null) return 'not measured';
  return ours <= most ? 'met' : 'lost';
}
export const factGoal = ({ goal, unit }: Measured): string => {
  if (!goal) return '';
  return goal.of === 'torch' ? `≤ ${goal.atMost}× PyTorch’s` : `≤ ${goal.atMost} ${unit}`;
};
