/** What a run on a GPU survives: a case that crashes, one that hangs, a job without end, a time that is over. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jobsOf, type Options } from '../job.ts';
import { Supervisor } from '../supervisor.ts';

/** Cases by name: `crash` kills the process, `hang` never ends, `bad` fails, others pass. A job of no list tells and stays. */
const program = `
process.once('message', ({ job, done }) => {
  if (job.part === 'figures') {
    process.send({ found: { milliseconds: 3 } });
    setInterval(() => {}, 1000);
    return;
  }
  const next = (names) => {
    const [name, ...rest] = names;
    if (!name) process.exit(0);
    process.send({ begin: name }, () => {
      if (name === 'crash') process.kill(process.pid, 'SIGSEGV');
      else if (name === 'hang') setInterval(() => {}, 1000);
      else process.send({ end: name, fault: name === 'bad' ? 'wrong' : null }, () => next(rest));
    });
  };
  next(['a', 'crash', 'b', 'bad', 'hang', 'c'].filter((name) => !done.includes(name)));
});
`;
let folder: string;
const options = (): Options => ({ parts: 'device', minutes: '1', results: join(folder, 'out/results.json') });
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-supervised-'));
  writeFileSync(join(folder, 'program.mjs'), program);
});
afterAll(() => rmSync(folder, { recursive: true }));
const make = (more: Partial<Options> = {}) => new Supervisor(join(folder, 'program.mjs'), { ...options(), ...more }, 2);
const written = () => JSON.parse(readFileSync(options().results, 'utf8'));

it('goes on behind a case that crashes or hangs, and counts both', async () => {
  const found = await make().run({ part: 'golden', of: 'ops', seconds: 30 });
  expect(found).toMatchObject({ passed: 3, failed: 3, ended: null });
  expect(found.faults).toEqual({ crash: 'the process ended by SIGSEGV', bad: 'wrong', hang: 'took more than 2 s' });
  expect(written().golden.ops).toEqual(found);
}, 30_000);

it('ends a job when its time is over, and keeps what it had told', async () => {
  const found = await make({ minutes: '0.1' }).run({ part: 'figures', of: 'one', seconds: 30 });
  expect(found['milliseconds']).toBe(3);
  expect(found.ended).toMatch(/^ended after \d s$/);
  expect(written().figures.one.milliseconds).toBe(3);
}, 30_000);

it('leaves out what there is no time for, and says so', async () => {
  const supervisor = make({ minutes: '0.01' });
  expect((await supervisor.run({ part: 'torch', of: 'PyTorch', seconds: 30 })).ended).toMatch(/left out/);
});

it('looks at what is right first, then at what is fast', () => {
  const all = ['golden', 'training', 'kernels', 'figures', 'tuning', 'torch', 'networks'].join();
  const jobs = jobsOf({ ...options(), parts: all });
  expect(jobs.map(({ part }) => part).filter((part, i, list) => part !== list[i - 1])).toEqual([
    ...['golden', 'training', 'kernels', 'golden', 'figures', 'kernels', 'tuning', 'torch', 'networks'],
  ]);
  expect(jobs.filter(({ part }) => part === 'figures')).toHaveLength(11);
  const products = jobsOf({ ...options(), parts: 'figures', figures: 'matmul' });
  expect(products.map(({ of }) => of)).toEqual(['matmul 4096, f32', 'matmul 4096, f16 → f32']);
  expect(() => jobsOf({ ...options(), parts: 'figure' })).toThrow(/no part figure; there are device, golden/);
  expect(() => jobsOf({ ...options(), minutes: 'ten' })).toThrow('run: --minutes ten is no time');
});
