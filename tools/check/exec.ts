/** Starts the programs that the steps are made of. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const require = createRequire(import.meta.url);

/** Runs a program in the root with its output shown; true if it succeeded. */
export function shown(program: string, args: string[], cwd = root): boolean {
  const { status, error } = spawnSync(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) console.error(`${program}: ${error.message}`);
  return status === 0;
}

/** Runs a program quietly; its output, both streams together, is what `fail` shows. */
export function quiet(program: string, args: string[], cwd = root): { ok: boolean; output: string } {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  });
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}${error ? error.message : ''}` };
}

/** The script behind a development dependency's command, so that Node starts it without a shell. */
export function bin(name: string, command = name.replace(/^@[^/]+\//, '')): string {
  // Not every package lets its package.json be resolved; the folder in node_modules always stands.
  const home = join(root, 'node_modules', name);
  const { bin: table } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  const script = typeof table === 'string' ? table : table[command];
  if (script === undefined) throw new Error(`${name} has no command ${command}`);
  return require.resolve(join(home, script));
}

/** Commands that are not called as their package. */
const commands: Record<string, string> = { typescript: 'tsc' };

/** Runs a development dependency's command with its output shown. */
export const tool = (name: string, args: string[]): boolean =>
  shown(process.execPath, [bin(name, commands[name]), ...args]);
