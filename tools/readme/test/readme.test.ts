import { describe, expect, it } from 'vitest';
import { agrees, firstProgram } from '../main.ts';

const page = (...blocks: string[]) => ['# Title', ...blocks].join('\n\n');

describe("a README's first program", () => {
  it('is the first ts block, with the text block after it as its output', () => {
    const text = page(
      '```sh\nnpm i\n```',
      '```ts\none();\n```',
      'It prints',
      '```text\n1\n2\n```',
      '```ts\ntwo();\n```',
    );
    expect(firstProgram(text)).toEqual({ code: 'one();\n', prints: '1\n2\n' });
  });

  it('may show no output, and does not take that of a later program', () => {
    const text = page('```ts\none();\n```', '```ts\ntwo();\n```', '```text\n2\n```');
    expect(firstProgram(text)).toEqual({ code: 'one();\n', prints: undefined });
  });

  it('is missed where there is none', () => expect(firstProgram(page('words'))).toBeUndefined());
});

describe('printed output', () => {
  it('agrees to the letter, space at the ends apart', () => {
    expect(agrees('1\n2\n', '1\n2')).toBe(true);
    expect(agrees('1\n2', '1\n2\n3')).toBe(false);
    expect(agrees('a.c', 'abc')).toBe(false);
  });

  it('may hold anything where the page has …', () => {
    expect(agrees('took … ms\ndone', 'took 12.5 ms\ndone')).toBe(true);
    expect(agrees('took … ms\ndone', 'took 12.5 s\ndone')).toBe(false);
  });
});
