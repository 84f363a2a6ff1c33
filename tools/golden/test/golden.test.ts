import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const ops = join(root, 'packages/testkit/golden/ops.safetensors');
const start = ['--import', './tools/loader/register.mjs', '--conditions=@tessera/source', 'tools/golden/main.ts'];

async function golden(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const run = promisify(execFile)(process.execPath, [...start, ...args], { cwd: root });
  return run.then(
    ({ stdout }) => ({ code: 0, lines: stdout.trimEnd().split('\n') }),
    ({ code, stdout, stderr }) => ({ code, lines: `${stdout}${stderr}`.trimEnd().split('\n') }),
  );
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golden-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('pnpm golden', () => {
  it('ends with the counts', async () => {
    const { code, lines } = await golden(ops, '--backend', 'reference', '--only', 'matmul');
    expect(lines).toEqual(['6 passed, 0 failed']);
    expect(code).toBe(0);
  });
  it('runs the optimizers too', async () => {
    const { lines } = await golden(ops, '--backend', 'reference', '--only', 'optim_');
    expect(lines).toEqual(['5 passed, 0 failed']);
  });
  it('lists a case that fails with its first wrong element', async () => {
    const bytes = await readFile(ops);
    const header = Number(bytes.readBigUInt64LE(0));
    const entries = JSON.parse(bytes.toString('utf8', 8, 8 + header)) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const at = 8 + header + (entries['matmul/0/out/da']?.data_offsets[0] ?? 0) + 4 * 6;
    bytes.writeFloatLE(bytes.readFloatLE(at) + 1, at);
    const doctored = join(folder, 'doctored.safetensors');
    await writeFile(doctored, bytes);
    const { code, lines } = await golden(doctored, '--backend', 'reference', '--only', 'matmul');
    expect(lines.slice(0, 2)).toEqual([
      'matmul/0 {}',
      expect.stringMatching(/^ {2}da\[1,1\] is -?[\d.]+, wanted -?[\d.]+ ± 0\.000\d+$/),
    ]);
    expect(lines.at(-1)).toBe('5 passed, 1 failed');
    expect(code).toBe(1);
  });
  it('says what is wrong with a file or a backend', async () => {
    const torn = join(folder, 'torn.safetensors');
    await writeFile(torn, (await readFile(ops)).subarray(0, 1000));
    expect((await golden(torn)).lines.join('\n')).toContain('golden: a header of');
    const { code, lines } = await golden(ops, '--backend', 'abacus');
    expect(lines.join('\n')).toContain(
      "argument 'abacus' is invalid. Allowed choices are cpu, webgpu, reference, reference64",
    );
    expect(code).not.toBe(0);
  });
});
