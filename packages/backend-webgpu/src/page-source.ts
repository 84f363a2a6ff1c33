/** How a shader reads and writes operands in pages (pages.ts). */
import type { Bindings } from './pages';

/** Bindings of pages, and the functions that read and write them. */
export function access({ words, halves }: Bindings, first: number): { bindings: string[]; functions: string[] } {
  const bindings = [`@group(0) @binding(${first}) var<storage, read> table: array<vec2<u32>>;`];
  const functions: string[] = [];
  const kind = (name: string, type: string, count: number) => {
    for (let page = 0; page < count; page++)
      bindings.push(
        `@group(0) @binding(${first + bindings.length}) var<storage, read_write> ${name}s${page}: array<${type}>;`,
      );
    if (count) functions.push(...functionsOf(name, type, count));
  };
  kind('word', 'u32', words);
  kind('half', 'f16', halves);
  return { bindings, functions };
}

function functionsOf(name: string, type: string, count: number): string[] {
  const cases = (statement: (page: string) => string) => [
    ...Array.from({ length: count - 1 }, (_, i) => `case ${i + 1}u: { ${statement(`${name}s${i + 1}[i]`)} }`),
    `default: { ${statement(`${name}s0[i]`)} }`,
  ];
  const place = ['let place = table[row];', 'let i = place.y + at;', 'switch place.x {'];
  return [
    [`fn ${name}(row: u32, at: u32) -> ${type} {`, ...place, ...cases((page) => `return ${page};`), '}', '}'].join(
      '\n',
    ),
    [
      `fn ${name}Put(row: u32, at: u32, value: ${type}) {`,
      ...place,
      ...cases((page) => `${page} = value;`),
      '}',
      '}',
    ].join('\n'),
  ];
}
