/** Who is measured: ours and the limits in this process, peers in a process each, that speaks JSON lines. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Work } from './work.ts';

export interface Contestant {
  readonly name: string;
  readonly version: string;
  /** Makes the work ready, in place of the one before; answers the result's first numbers. */
  prepare(work: Work): Promise<Numbers>;
  /** Does it so many times; answers milliseconds for all of them. */
  run(times: number): Promise<number>;
  close(): void;
}

/** Some numbers of a result, by which contestants are compared; null where there are none to compare. */
export type Numbers = number | readonly number[] | null;

/** What a peer is told, and what it answers, a line each. */
export type Request = { readonly prepare: Work } | { readonly run: number };
export type Answer =
  | { readonly version: string }
  | { readonly first: Numbers }
  | { readonly ms: number }
  | { readonly error: string };

/** Has glibc keep freed memory: PyTorch would else get 64 MiB of new pages for each result, and be measured by page faults. */
const keepMemory = { MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: String(2 ** 34) };

/** Milliseconds after which a peer is given up. */
const patience = 120_000;

/**
 * A peer that ended, or gave no answer and was ended, starts anew at the next row.
 * @throws Error with the last line of what the program complained about, where it does not start.
 */
export async function startPeer(name: string, program: string, args: readonly string[]): Promise<Contestant> {
  const open = async () => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...keepMemory } });
    const ask = conversation(child);
    const { version } = (await ask(null)) as { version: string };
    return { child, ask, version };
  };
  let peer = await open();
  const { version } = peer;
  const hasEnded = () => peer.child.killed || peer.child.exitCode !== null || peer.child.signalCode !== null;
  return {
    name,
    version,
    prepare: async (work) => {
      if (hasEnded()) peer = await open();
      return ((await peer.ask({ prepare: work })) as { first: Numbers }).first;
    },
    run: async (times) => ((await peer.ask({ run: times })) as { ms: number }).ms,
    close: () => peer.child.kill(),
  };
}

/** One question after the other; a peer begins with its version, unasked. */
function conversation(child: ChildProcess): (request: Request | null) => Promise<Answer> {
  let complaint = '';
  let gone: string | null = null;
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;
  const fail = (reason: string) => {
    gone ??= reason;
    waiting?.reject(new Error(gone));
  };
  child.stderr?.on('data', (text) => {
    complaint = (complaint + text).slice(-2000);
  });
  child.stdin?.on('error', () => {}); // 'close' tells of it
  child.on('error', (error) => fail(error.message));
  child.on('close', (code) => fail(complaint.trim().split('\n').at(-1) || `it ended with code ${code}`));
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    if (!line.startsWith('{')) return; // libraries greet
    const answer = JSON.parse(line) as Answer;
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer);
  });
  return async (request) => {
    if (gone !== null) throw new Error(gone);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        waiting = { resolve, reject };
        timer = setTimeout(() => {
          child.kill('SIGKILL');
          fail(`no answer in ${patience / 1000} s`);
        }, patience);
        if (request) child.stdin?.write(`${JSON.stringify(request)}\n`);
      });
    } finally {
      clearTimeout(timer);
      waiting = null;
    }
  };
}
