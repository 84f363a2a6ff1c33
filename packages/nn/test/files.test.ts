import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LoadError, TesseraError } from '@tessera/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Files, readFile, writeFile } from '../src/index';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'tessera-files-'));
  path = join(folder, 'checkpoint.safetensors');
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const old = Uint8Array.of(1, 2, 3);
const fresh = new Uint8Array(1_000_000).fill(7);
/** Runs a program that writes `fresh` over the file, in a shell that limits it. */
const program = `import { writeFile } from ${JSON.stringify(new URL('../src/files.ts', import.meta.url).href)};
  console.log('ready'); for (;;) { await writeFile(process.argv[1], new Uint8Array(1_000_000).fill(7)); if (process.argv[2] === 'once') break; }`;
const nodeArgs = [
  '--import',
  fileURLToPath(new URL('../../../tools/loader/register.mjs', import.meta.url)),
  '--conditions=@tessera/source',
  '--input-type=module',
  '--eval',
  program,
];

describe('writeFile', () => {
  it('writes a file, and over a file', async () => {
    await writeFile(path, old);
    expect(await readFile(path)).toEqual(Buffer.from(old));
    await writeFile(path, fresh);
    expect((await readFile(path)).length).toBe(fresh.length);
    expect(await fs.readdir(folder)).toEqual(['checkpoint.safetensors']);
  });

  it.skipIf(process.platform === 'win32')('leaves the last good file alone where the disk takes no more', async () => {
    await fs.writeFile(path, old);
    // A limit of 100 kB a file stands for a full disk: the write fails in the middle.
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', 'trap "" XFSZ; ulimit -f 100; exec "$0" "$@"', process.execPath, ...nodeArgs, path, 'once'],
      { encoding: 'utf8' },
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain('could not be written');
    expect(stderr).toContain('what was there before is untouched');
    expect(await fs.readFile(path)).toEqual(Buffer.from(old));
    expect(await fs.readdir(folder)).toEqual(['checkpoint.safetensors']);
  });

  it.skipIf(process.platform === 'win32')('leaves a whole file behind, whenever the program is killed', async () => {
    await fs.writeFile(path, fresh);
    const child = spawn(process.execPath, [...nodeArgs, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, 40));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(Buffer.compare(await fs.readFile(path), fresh)).toBe(0);
  });

  it.each(['open', 'writeFile', 'sync', 'rename'])('keeps the old file and clears up where %s fails', async (step) => {
    await fs.writeFile(path, old);
    const fail = async () => {
      throw new Error('ENOSPC: no space left on device');
    };
    const broken: Files = {
      ...fs,
      ...(step === 'open' || step === 'rename' ? { [step]: fail } : {}),
      open: async (...args) => {
        if (step === 'open') return fail();
        const file = await fs.open(...args);
        return {
          writeFile: step === 'writeFile' ? fail : (bytes) => file.writeFile(bytes),
          read: (buffer) => file.read(buffer),
          stat: () => file.stat(),
          sync: step === 'sync' ? fail : () => file.sync(),
          close: () => file.close(),
        };
      },
    };
    const error = await writeFile(path, fresh, broken).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TesseraError);
    expect(String(error)).toContain('ENOSPC');
    expect(await fs.readFile(path)).toEqual(Buffer.from(old));
    expect(await fs.readdir(folder)).toEqual(['checkpoint.safetensors']);
  });
});

describe('readFile', () => {
  it('names a path that is not there', async () => {
    await expect(readFile(path)).rejects.toThrow(LoadError);
    await expect(readFile(path)).rejects.toThrow(/checkpoint\.safetensors could not be read \(ENOENT/);
  });
});
