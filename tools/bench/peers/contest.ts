/** In the page: ours and two peers on the page's GPU. Each is started when it is first asked for, and runs what it is told. */
import { webgpu } from '@tessera/backend-webgpu';
import type { Contestant, Numbers } from '../contestant.ts';
import { tessera } from '../tessera.ts';
import type { Work } from '../work.ts';
import type { Ready } from './ready.ts';

export type Racer = 'webgpu' | 'tfjs' | 'jax';
type Racing = Omit<Contestant, 'name'>;

const starts: Record<Racer, () => Promise<Racing>> = {
  webgpu: () =>
    tessera('webgpu', async () => {
      const backend = await webgpu();
      return { backend, uses: { threads: 0, relaxed: false } };
    }),
  tfjs: async () => {
    const { prepareTfjs, startTfjs } = await import('./tfjs-webgpu.ts');
    return peer(await startTfjs(), prepareTfjs);
  },
  jax: async () => {
    const [jax, { worksOf }] = await Promise.all([import('@jax-js/jax'), import('./jax-works.ts')]);
    await jax.init('webgpu');
    jax.defaultDevice('webgpu');
    return peer('0.1.25', worksOf(jax));
  },
};

function peer(version: string, prepare: (work: Work) => Promise<Ready & { settle?(): Promise<void> }>): Racing {
  let ready: Awaited<ReturnType<typeof prepare>> | null = null;
  return {
    version,
    async prepare(work) {
      await ready?.dispose();
      ready = null;
      ready = await prepare(work);
      return ready.first;
    },
    async run(times) {
      if (!ready) throw new Error('nothing is prepared');
      const start = performance.now();
      for (let i = 0; i < times; i++) await ready.run();
      await ready.settle?.();
      return performance.now() - start;
    },
    close: () => void ready?.dispose(),
  };
}

const racing = new Map<Racer, Promise<Racing>>();
const racer = (name: Racer): Promise<Racing> => {
  const known = racing.get(name) ?? starts[name]();
  racing.set(name, known);
  return known;
};

/** What the driver of the page calls. */
const contest = {
  version: async (name: Racer): Promise<string> => (await racer(name)).version,
  prepare: async (name: Racer, work: Work): Promise<Numbers> => (await racer(name)).prepare(work),
  run: async (name: Racer, times: number): Promise<number> => (await racer(name)).run(times),
};
export type Contest = typeof contest;
Object.assign(globalThis, { contest });
