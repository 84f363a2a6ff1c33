/** The program of the bundle: is this machine's GPU right, how fast is it, and where does its time go. Printed and written down as it is found. */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { isList, type Job, jobsOf, type News, type Options, parts, type Tell } from './job.ts';
import { device } from './parts/device.ts';
import { figure } from './parts/figure.ts';
import { golden } from './parts/golden.ts';
import { kernels } from './parts/kernels.ts';
import { torch } from './parts/torch.ts';
import { training } from './parts/training.ts';
import { tune } from './parts/tuning.ts';
import { summaryOf } from './summary.ts';
import { type Found, Supervisor } from './supervisor.ts';

const here = import.meta.dirname;

/** The process of one job. */
async function work({ part, of }: Job, options: Options, tell: Tell, done: ReadonlySet<string>): Promise<void> {
  switch (part) {
    case 'device':
      return device(options, tell);
    case 'golden':
    case 'networks':
      return golden(of, options, tell, done);
    case 'kernels':
      return kernels(of, options, tell, done);
    case 'training':
      return training(options, tell, done);
    case 'figures':
      return figure(of, options, tell);
    case 'tuning':
      return tune(of, options, tell);
    case 'torch':
      return torch(options, tell);
    default:
      return part satisfies never;
  }
}

/** Ends with the run that it belongs to. */
function serve(): void {
  process.once('disconnect', () => process.exit(1));
  let sent: Promise<unknown> = Promise.resolve();
  const tell = (news: News): void => {
    sent = new Promise((resolve) => process.send?.(news, resolve));
  };
  process.once('message', async ({ job, options, done }: { job: Job; options: Options; done: string[] }) => {
    let code = 0;
    try {
      await work(job, options, tell, new Set(done));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      console.log(`  ${job.of}: ${text.slice(0, 1500)}`);
      tell({ found: { fault: text } });
      code = 1;
    }
    await sent;
    process.exit(code);
  });
}

/** Seconds that one case may take on an emulator. */
const patience = 200;

/** What is left out where the device fails with it, one after the other: what no emulator has comes first. */
const doubtful = ['chromium-experimental-subgroup-matrix', 'shader-f16', 'subgroups'];

/** The device, without features with which it does not start or computes wrongly. */
async function lookAt(supervisor: Supervisor, given: string | undefined): Promise<Found & { without: string }> {
  for (let left = 0; ; left++) {
    const without = [...(given ? [given] : []), ...doubtful.slice(0, left)].join();
    const of = without ? `without ${without}` : 'as it is';
    const found = await supervisor.run({ part: 'device', of, seconds: 45 }, { without });
    const there = found['vendor'] !== undefined; // else nothing that could be left out is to blame
    if (!found.ended || !there || left === doubtful.length) return { ...found, without };
    console.log(`device ${of}: ${found.ended}`);
  }
}

async function main(given: Options): Promise<void> {
  const options = { ...given, results: resolve(given.results) };
  const jobs = jobsOf(options);
  const supervisor = new Supervisor(fileURLToPath(import.meta.url), options, options.tiny && patience);
  console.log('== device');
  const found = await lookAt(supervisor, options.without);
  if (found.ended) return stop('no GPU that computes rightly', found);
  if (found['emulated'] && !options.tiny)
    return stop(`${found['name']} is an emulator, on which this run would take days`, found);
  for (const job of jobs) {
    console.log(`\n== ${job.part}: ${job.of} (${job.seconds} s at most; ${supervisor.left.toFixed(0)} s left)`);
    const { passed, failed, seconds, ended } = await supervisor.run(job, { without: found.without });
    if (isList(job)) console.log(`${job.of}: ${passed ?? 0} passed, ${failed ?? 0} failed, ${seconds} s`);
    if (ended) console.log(`${job.of}: ${ended}`);
    if (failed || ended) process.exitCode = 1;
  }
  console.log(`\n== found\n${summaryOf(supervisor.results)}\n\nwrote ${options.results}`);
}

/** What a driver that was not found leaves to be seen. */
function stop(reason: string, found: object): void {
  console.log(`\n${reason}; nothing else was run. ${JSON.stringify(found)}`);
  const { VK_DRIVER_FILES, LD_LIBRARY_PATH, XDG_RUNTIME_DIR } = process.env;
  console.log(JSON.stringify({ VK_DRIVER_FILES, LD_LIBRARY_PATH, XDG_RUNTIME_DIR }));
  const look = `cat "$VK_DRIVER_FILES"; nvidia-smi -L; ls -l /dev/nvidia* /dev/dri; ls /usr/local/nvidia /usr/share/vulkan/icd.d /etc/vulkan/icd.d;
    lib=$(ldconfig -p | sed -n 's/.*libGLX_nvidia.so.0.*=> //p' | head -1); echo "libGLX_nvidia: $lib"; ldd $lib | grep 'not found'`;
  try {
    console.log(execFileSync('/bin/sh', ['-c', `(${look}) 2>&1; true`], { encoding: 'utf8', timeout: 20_000 }));
  } catch (error) {
    console.log(String(error));
  }
  process.exitCode = 1;
}

if (process.argv[2] === '--job') serve();
else
  await new Command('run')
    .description('Golden cases, kernels, figures, profiles and tuning of Tessera on this machine’s GPU.')
    .option('--parts <list>', `of ${parts.join(', ')}, by commas; the device is always looked at`, parts.join())
    .option('--cases <pattern>', 'golden cases, networks and kernels whose name matches')
    .option('--figures <pattern>', 'figures whose name matches')
    .option('--profile <pattern>', 'profiles of the figures whose name matches, in place of all steps')
    .option('--without <features>', 'does without these features of the device, by commas')
    .option('--minutes <n>', 'how long all of it may take', '9')
    .option('--tiny', 'tiny works, to try the bundle on an emulated GPU')
    .option('--results <file>', 'where the results go', join(here, 'results.json'))
    .action(main)
    .parseAsync();
