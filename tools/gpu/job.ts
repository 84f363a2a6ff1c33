/**
 * What a run on a GPU does, in which order, each in a process of its own and within a time of its own: a fault, a hang or a lost
 * device costs that one. Right before fast, then what the table wants most; what may be left out comes last.
 */
import { figures, tinyFigures } from '../bench/gpu/figures.ts';

export const parts = ['device', 'golden', 'training', 'kernels', 'figures', 'tuning', 'torch', 'networks'] as const;
export type Part = (typeof parts)[number];

export interface Job {
  readonly part: Part;
  /** A golden file, a set of training runs or of kernels, a figure. */
  readonly of: string;
  /** After which it is ended. */
  readonly seconds: number;
}

/** What a run was asked for; the process of a job gets all of it. */
export interface Options {
  readonly parts: string;
  readonly cases?: string;
  readonly figures?: string;
  readonly profile?: string;
  readonly without?: string;
  readonly minutes: string;
  readonly tiny?: true;
  readonly results: string;
}

/** What a job tells the process that started it. */
export type News =
  | { readonly begin: string }
  | { readonly end: string; readonly fault: string | null }
  | { readonly found: object };
export type Tell = (news: News) => void;

/** Golden cases, training runs, kernels and networks are many to a job: what one of them brings down, the next process goes on behind. */
export const isList = ({ part }: Job): boolean => ['golden', 'training', 'kernels', 'networks'].includes(part);

export const matches = (name: string, pattern: string | undefined): boolean =>
  !pattern || new RegExp(pattern, 'i').test(name);

/** Figures by what is learnt from them. */
const first = ['matmul', 'conv', 'ResNet-50 training', 'ResNet-50 forward', 'AlexNet', 'VGG', 'Inception'];
const rank = (name: string): number => first.findIndex((begin) => name.startsWith(begin));

/** All but the device's, which comes first. @throws Error that names a wrong option */
export function jobsOf({ parts: wanted, figures: pattern, tiny, minutes }: Options): Job[] {
  if (!(Number(minutes) > 0)) throw new Error(`run: --minutes ${minutes} is no time`);
  const list = wanted.split(',');
  const wrong = list.find((part) => !(parts as readonly string[]).includes(part));
  if (wrong !== undefined) throw new Error(`run: no part ${wrong}; there are ${parts.join(', ')}`);
  const of = (part: Part, seconds: number, ...names: readonly string[]): Job[] =>
    list.includes(part) ? names.map((name) => ({ part, of: name, seconds })) : [];
  const timed = (tiny ? tinyFigures : [...figures].sort((a, b) => rank(a.name) - rank(b.name)))
    .map(({ name }) => name)
    .filter((name) => matches(name, pattern));
  const tuned = timed.filter((name) => rank(name) >= 0 && rank(name) < (tiny ? 1 : 3));
  return [
    ...of('golden', 90, 'ops'),
    ...of('training', 60, 'runs'),
    ...of('kernels', 60, 'float16 and tensor cores'),
    ...of('golden', 45, 'thin', 'small'),
    ...of('figures', 60, ...timed),
    ...of('kernels', 60, 'as they are', 'other ways'),
    ...of('tuning', 60, ...tuned),
    ...of('torch', 90, 'PyTorch'),
    ...of('networks', 120, 'models', 'families'),
  ];
}
