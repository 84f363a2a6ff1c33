/**
 * Runs jobs one after the other, each in a process of its own that is ended when its time is over or when one case takes too
 * long, and writes down what it tells as it tells it: whatever ends this run, what was found is in the file. A signal ends the job at
 * hand and leaves out those that follow.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isList, type Job, type News, type Options } from './job.ts';

/** How a job ended, and what its cases and numbers are. */
export interface Found {
  seconds: number;
  /** Why there is not all of it. */
  ended: string | null;
  passed?: number;
  failed?: number;
  /** All that there are, those that were not reached among them. */
  cases?: number;
  faults?: Record<string, string>;
  [key: string]: unknown;
}
export type Results = Partial<Record<Job['part'], Record<string, Found>>>;

export class Supervisor {
  readonly results: Results = {};
  readonly #program: string;
  readonly #options: Options;
  #end: number;
  #stopped: string | null = null;
  readonly #patience: number;
  #child: ChildProcess | null = null;

  /** @param patience seconds that one case may take: a driver that compiles a shader for longer does not come back */
  constructor(program: string, options: Options, patience = 45) {
    this.#patience = patience;
    this.#program = program;
    this.#options = options;
    this.#end = performance.now() + 60_000 * Number(options.minutes);
    mkdirSync(dirname(options.results), { recursive: true });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        this.#stopped = `stopped by ${signal}`;
        this.#end = -Infinity;
        this.#child?.kill('SIGKILL');
      });
  }

  /** Seconds until the run is over. */
  get left(): number {
    return (this.#end - performance.now()) / 1000;
  }

  async run(job: Job, options: Partial<Options> = {}): Promise<Found> {
    const found: Found = { seconds: 0, ended: null };
    const part = (this.results[job.part] ??= {});
    part[job.of] = found;
    const end = Math.min(this.#end, performance.now() + 1000 * job.seconds);
    const rest = () => (Math.min(end, this.#end) - performance.now()) / 1000;
    if (rest() < 3) {
      found.ended = `left out: ${this.#stopped ?? 'the time was over'}`;
      this.save();
      return found;
    }
    if (isList(job)) Object.assign(found, { passed: 0, failed: 0, faults: {} });
    const begun = performance.now();
    const done = new Set<string>();
    for (let again = true; again; ) {
      const { reason, current } = await this.#once(job, { ...this.#options, ...options }, found, done, rest());
      found.ended = reason;
      found.seconds = Math.round((performance.now() - begun) / 100) / 10;
      again = isList(job) && reason !== null && current !== null && rest() >= 3;
      // what was under way brought it down, unless it had just been told
      if (again && current && !done.has(current)) {
        done.add(current);
        found.failed = (found.failed ?? 0) + 1;
        (found.faults ??= {})[current] = reason as string;
        console.log(`  ${current}: ${reason}`);
      }
      this.save();
    }
    return found;
  }

  /** One process. `current` is the case that it was at, null where it came to none. */
  #once(job: Job, options: Options, found: Found, done: Set<string>, seconds: number) {
    return new Promise<{ reason: string | null; current: string | null }>((resolve) => {
      let current: string | null = null;
      let reason: string | null = null;
      const child = fork(this.#program, ['--job'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      this.#child = child;
      const stop = (why: string) => {
        reason = why;
        child.kill('SIGKILL');
      };
      const limit = setTimeout(() => stop(`ended after ${seconds.toFixed(0)} s`), 1000 * seconds);
      let watch: NodeJS.Timeout | undefined;
      child.on('message', (news: News) => {
        clearTimeout(watch);
        if ('begin' in news) {
          current = news.begin;
          watch = setTimeout(() => stop(`took more than ${this.#patience} s`), 1000 * this.#patience);
        } else if ('end' in news) {
          done.add(news.end);
          if (news.fault === null) found.passed = (found.passed ?? 0) + 1;
          else {
            found.failed = (found.failed ?? 0) + 1;
            (found.faults ??= {})[news.end] = news.fault;
          }
        } else Object.assign(found, news.found);
        this.save();
      });
      const over = (why: string | null) => {
        clearTimeout(limit);
        clearTimeout(watch);
        this.#child = null;
        resolve({ reason: this.#stopped ?? reason ?? why, current });
      };
      child.on('error', (error) => over(error.message));
      child.on('exit', (code, signal) => {
        const why = code === 0 ? null : `the process ended by ${signal ?? `code ${code}`}`;
        // its last words may still be under way
        if (child.connected) child.once('disconnect', () => over(why));
        else over(why);
      });
      child.send({ job, options, done: [...done] });
    });
  }

  /** The file is whole at any time. */
  save(): void {
    const { results: file } = this.#options;
    writeFileSync(`${file}.part`, `${JSON.stringify(this.results, null, 1)}\n`);
    renameSync(`${file}.part`, file);
  }
}
