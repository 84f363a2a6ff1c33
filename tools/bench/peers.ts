/** Starting the peers: programs of peers/, whose libraries are installed there when they are first wanted. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Contestant, startPeer } from './contestant.ts';

export const peersHome = fileURLToPath(new URL('./peers/', import.meta.url));
export const loader = new URL('../loader/register.mjs', import.meta.url).href;
/** An interpreter that can import torch. */
export const python = process.env['TESSERA_PYTHON'] ?? 'python3';

const node = (file: string) => (threads: number) =>
  [process.execPath, ['--import', loader, '--no-warnings', join(peersHome, file), String(threads)]] as const;

/** How each is started with so many threads. */
const programs: Record<string, (threads: number) => readonly [program: string, args: readonly string[]]> = {
  tfjs: node('tfjs.ts'),
  jax: node('jax.ts'),
  ort: node('ort.ts'),
  torch: (threads) => [python, [join(peersHome, 'torch_peer.py'), String(threads)]],
};
export const peerNames: readonly string[] = Object.keys(programs);

/** npm installs what peers/package-lock.json says into peers/, once for each state of that file. */
export function installPeers(): void {
  const lock = readFileSync(join(peersHome, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const stamp = join(peersHome, 'node_modules/.installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  console.error('bench: installing the peers (tfjs, jax-js, onnxruntime-web) into tools/bench/peers');
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: peersHome, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0)
    throw new Error(
      'npm could not install the peers; is the registry reachable (npm ping)? Or measure with --peers none',
    );
  writeFileSync(stamp, hash);
}

export interface Peers {
  readonly peers: readonly Contestant[];
  /** Those that are not here, and why. */
  readonly absent: Readonly<Record<string, string>>;
}

export async function startPeers(names: readonly string[], threads: number): Promise<Peers> {
  const peers: Contestant[] = [];
  const absent: Record<string, string> = {};
  if (names.some((name) => name !== 'torch')) installPeers();
  for (const name of names) {
    const [program, args] = (programs[name] as (typeof programs)[string])(threads);
    try {
      peers.push(await startPeer(name, program, args));
    } catch (error) {
      absent[name] = error instanceof Error ? error.message : String(error);
    }
  }
  return { peers, absent };
}
