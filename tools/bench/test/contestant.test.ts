import { describe, expect, it } from 'vitest';
import { startPeer } from '../contestant.ts';

/** A peer in a line of JavaScript. */
const peer = (answers: string) =>
  startPeer('p', process.execPath, [
    '-e',
    `console.log('a greeting'); console.log('{"version":"7"}');
     require('readline').createInterface({ input: process.stdin }).on('line', (line) => { const r = JSON.parse(line); ${answers} });`,
  ]);

describe('a peer', () => {
  it('tells its version, gets work ready and runs it', async () => {
    const p = await peer(`console.log(JSON.stringify(r.prepare ? { first: r.prepare.x[0] } : { ms: 3 * r.run }))`);
    expect(p.version).toBe('7');
    expect(await p.prepare({ op: 'sum', x: [5] })).toBe(5);
    expect(await p.run(4)).toBe(12);
    p.close();
  });
  it('may decline a row and go on', async () => {
    const p = await peer(`console.log(JSON.stringify(r.prepare ? { error: 'cannot' } : { ms: 1 }))`);
    await expect(p.prepare({ op: 'sum', x: [5] })).rejects.toThrow('cannot');
    expect(await p.run(1)).toBe(1);
    p.close();
  });
  it('that dies says so, at once and ever after', async () => {
    const p = await peer(`console.error('out of\\nluck'); process.exit(3)`);
    await expect(p.run(1)).rejects.toThrow('luck');
    await expect(p.run(1)).rejects.toThrow('luck');
  });
  it('that died starts anew with the next work', async () => {
    const p = await peer(`if (r.run) process.exit(3); console.log(JSON.stringify({ first: [1, 2] }))`);
    await expect(p.run(1)).rejects.toThrow('code 3');
    expect(await p.prepare({ op: 'sum', x: [5] })).toEqual([1, 2]);
    p.close();
  });
  it('that does not start says why', async () => {
    await expect(startPeer('p', '/nowhere/python', [])).rejects.toThrow('ENOENT');
  });
});
