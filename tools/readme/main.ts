/**
 * `npm test -- --only readme`: the first ```ts program of each README runs from the sources. Where a block of plain
 * ```text follows it, that is what it prints, to the letter; `…` stands for whatever may differ from run to run.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Count } from '../check/count.ts';
import { quiet, root } from '../check/exec.ts';
import { runChecks } from '../check/named.ts';
import { packagesOf } from '../rules/packages.ts';

export interface Program {
  code: string;
  prints: string | undefined;
}

/** The first program of a page, and the output that follows it. */
export function firstProgram(page: string): Program | undefined {
  const found = /^```ts\n(.*?)^```\n(?:(?:(?!```).)*?^```text\n(.*?)^```$)?/ms.exec(`${page}\n`);
  return found ? { code: found[1] ?? '', prints: found[2] } : undefined;
}

/** True where what was printed is what the page shows, `…` apart. */
export function agrees(shown: string, printed: string): boolean {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${shown.trim().split('…').map(literal).join('.*?')}$`, 's').test(printed.trim());
}

function runReadme(file: string): string {
  if (!existsSync(file)) throw new Error(`${relative(root, file)} is missing`);
  const program = firstProgram(readFileSync(file, 'utf8'));
  if (!program) throw new Error(`${relative(root, file)} has no \`\`\`ts program`);
  const folder = join(root, '.cache/readme');
  mkdirSync(folder, { recursive: true });
  const script = join(folder, `${relative(root, file).replace(/\W/g, '-')}.ts`);
  writeFileSync(script, program.code);
  const flags = ['--import', './tools/loader/register.mjs', '--conditions=@tessera/source'];
  const { ok, output } = quiet(process.execPath, [...flags, script]);
  if (!ok) throw new Error(output);
  if (program.prints !== undefined && !agrees(program.prints, output))
    throw new Error(`it prints\n${output}\nbut the page shows\n${program.prints}`);
  return program.prints === undefined ? 'runs' : 'runs and prints what the page shows';
}

export function checkReadmes(): Promise<Count> {
  const pages = ['README.md', ...packagesOf(root).map(({ name }) => `packages/${name}/README.md`)];
  return runChecks(pages.map((page) => ({ says: page, run: () => runReadme(join(root, page)) })));
}
