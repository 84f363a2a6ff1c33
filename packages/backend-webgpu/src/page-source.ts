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

/**
 * Chains of ifs: what SwiftShader takes to compile a loop grows threefold with each switch of three cases in it (12: 0.15 s, 16: 10 s),
 * and evenly with these.
 */
function functionsOf(name: string, type: string, count: number): string[] {
  const chain = (statement: (element: string) => string) =>
    Array.from({ length: count }, (_, page) => {
      const condition = page < count - 1 ? `if (place.x == ${page}u) ` : '';
      return `${page ? '} else ' : ''}${condition}{\n${statement(`${name}s${page}[i]`)}`;
    }).concat('}');
  const place = ['let place = table[row];', 'let i = place.y + at;'];
  return [
    [
      `fn ${name}(row: u32, at: u32) -> ${type} {`,
      ...place,
      `var value: ${type};`,
      ...chain((element) => `value = ${element};`),
      'return value;',
      '}',
    ].join('\n'),
    [
      `fn ${name}Put(row: u32, at: u32, value: ${type}) {`,
      ...place,
      ...chain((element) => `${element} = value;`),
      '}',
    ].join('\n'),
  ];
}
