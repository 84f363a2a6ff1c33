/** The other end of contestant.ts: a peer reads requests from its input, a line each, and answers each in one line. */
import { createInterface } from 'node:readline';
import type { Answer, Request } from '../contestant.ts';
import type { Work } from '../work.ts';
import type { Ready } from './ready.ts';

export async function serve(version: string, prepare: (work: Work) => Promise<Ready>): Promise<void> {
  const answer = (message: Answer) => void process.stdout.write(`${JSON.stringify(message)}\n`);
  answer({ version });
  let ready: Ready | null = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request;
    try {
      if ('prepare' in request) {
        await ready?.dispose();
        ready = null;
        ready = await prepare(request.prepare);
        answer({ first: ready.first });
      } else {
        if (!ready) throw new Error('nothing is prepared');
        const start = performance.now();
        for (let i = 0; i < request.run; i++) await ready.run();
        answer({ ms: performance.now() - start });
      }
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) });
    }
  }
  process.exit(0);
}
