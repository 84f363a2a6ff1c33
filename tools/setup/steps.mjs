/**
 * The steps from a bare checkout to one that runs: pnpm, dependencies, build, Chromium. Only what Node 20 brings is used
 * here, because nothing is installed yet. Each step is skipped when it was done already, and says what to do when it fails.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from './chromium.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const tools = join(root, '.tools');
const pnpmHome = join(tools, 'pnpm');
const pnpmScript = join(pnpmHome, 'node_modules/pnpm/bin/pnpm.cjs');

/** Says what went wrong and what mends it, and ends the program. */
export function fail(what, mend) {
  console.error(`\ntessera: ${what}\n  ${mend.split('\n').join('\n  ')}`);
  process.exit(1);
}

/** The environment in which every later program runs: the pinned pnpm first on the path. */
const env = {
  ...process.env,
  PATH: join(pnpmHome, 'node_modules/.bin') + delimiter + process.env.PATH,
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
  DO_NOT_TRACK: '1',
};

/** Runs a program in the checkout's root, its output shown; answers its exit code. */
export function run(program, args, options = {}) {
  const { status, error, signal } = spawnSync(program, args, { cwd: root, env, stdio: 'inherit', ...options });
  if (error) console.error(`${program}: ${error.message}`);
  return status ?? (signal ? 130 : 1);
}

const node = (args, options) => run(process.execPath, args, options);

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node ${process.versions.node} is too old.`, 'Install Node 20.19 or newer: https://nodejs.org');
}

/** pnpm in the version that package.json pins, installed by npm into .tools/pnpm. */
function bringPnpm() {
  const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager.split(/[@+]/)[1];
  const manifest = join(pnpmHome, 'node_modules/pnpm/package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === pinned) return;
  console.log(`tessera: bringing pnpm ${pinned}`);
  rmSync(pnpmHome, { recursive: true, force: true });
  mkdirSync(pnpmHome, { recursive: true });
  writeFileSync(join(pnpmHome, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--prefix', pnpmHome, '--no-audit', '--no-fund', '--loglevel=error', `pnpm@${pinned}`];
  const npm = process.env.npm_execpath; // under `npm run` this is npm's own script
  const status = npm?.endsWith('.js')
    ? node([npm, ...args], { cwd: pnpmHome })
    : run('npm', args, { cwd: pnpmHome, shell: process.platform === 'win32' });
  if (status !== 0)
    fail(
      `npm could not install pnpm ${pinned}.`,
      'Is the npm registry reachable (`npm ping`)? Then run the command again; nothing else is needed.',
    );
}

/** What decides whether the installed dependencies are the right ones: the lockfile and every manifest. */
function wanted() {
  const hash = createHash('sha256').update(process.version + process.platform + process.arch);
  const manifests = ['packages', 'examples', 'tools'].flatMap((dir) =>
    existsSync(join(root, dir)) ? readdirSync(join(root, dir)).map((name) => join(dir, name, 'package.json')) : [],
  );
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...manifests.sort()])
    if (existsSync(join(root, file))) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function installDependencies() {
  const stamp = join(tools, 'installed');
  const hash = wanted();
  if (existsSync(join(root, 'node_modules')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  console.log('tessera: installing dependencies');
  const args = ['install', '--frozen-lockfile', '--reporter=append-only', '--config.confirm-modules-purge=false'];
  if (node([pnpmScript, ...args]) !== 0)
    fail(
      'pnpm install failed.',
      'Is the npm registry reachable (`npm ping`)? If pnpm says that the lockfile is not up to date, a package.json was\n' +
        'changed without it: run `pnpm install` and commit pnpm-lock.yaml.',
    );
  writeFileSync(stamp, hash);
}

/** Node, pnpm and dependencies: what both commands need. */
export function prepare() {
  checkNode();
  bringPnpm();
  installDependencies();
}

/** Builds a workspace package and what it depends on; turbo skips what is built already. */
export function build(name) {
  const turbo = join(root, 'node_modules/turbo/bin/turbo');
  if (node([turbo, 'run', 'build', `--filter=${name}`, '--output-logs=errors-only', '--log-prefix=none']) !== 0)
    fail(`building ${name} failed.`, 'The error stands above. `npm run typecheck` shows errors with their context.');
}

/** Chromium for the browser suites: installed as root on Debian, asked for elsewhere. */
export function bringChromium() {
  if (findChromium()) return;
  const command = 'apt-get update && apt-get install -y --no-install-recommends chromium';
  const debian = existsSync('/etc/debian_version');
  if (!debian || process.getuid?.() !== 0)
    fail(
      'the browser suites need Chromium, and none was found.',
      (debian
        ? `Type:  sudo sh -c '${command}'\n`
        : 'Install Chromium or Chrome with your package manager, or name its program in TESSERA_CHROMIUM.\n') +
        'Or leave them out:  npm test -- --without-browser',
    );
  console.log('tessera: installing Chromium');
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } };
  if (run('sh', ['-c', command], quiet) !== 0 || !findChromium())
    fail('apt-get could not install chromium.', `Type:  ${command}\nOr leave it out:  npm test -- --without-browser`);
}

/** Runs a TypeScript program of the house from its sources. */
export const runSource = (script, args) =>
  node(['--import', './tools/loader/register.mjs', '--conditions=@tessera/source', script, ...args]);
