/** Where a step's time goes on the device: by timestamps, a kernel at a time, summed by kind and by shape. */
import type { Backend } from '@tessera/tensor';
import { costOf, domainOf, onKernel } from '@tessera/tensor/inspect';
import { align, short } from '../table.ts';

export interface Share {
  readonly name: string;
  /** In one step. */
  readonly count: number;
  readonly milliseconds: number;
  /** Of the whole step. */
  readonly share: number;
  readonly gflops: number;
  readonly gbytes: number;
}
export interface Profile {
  readonly milliseconds: number;
  readonly kinds: readonly Share[];
  readonly shapes: readonly Share[];
}

/** Runs the step so many times with the clock on. @throws ArgumentError where the device has no timestamps */
export async function profileOf(run: () => void, backend: Backend, times = 5): Promise<Profile> {
  run();
  await backend.sync();
  type Entry = { runs: number; ms: number; flops: number; bytes: number };
  const byKind = new Map<string, Entry>();
  const byShape = new Map<string, Entry>();
  const stop = onKernel(({ kernel, milliseconds }) => {
    const { flops, bytes } = costOf(kernel);
    const direction = 'direction' in kernel ? ` ${kernel.direction}` : '';
    for (const [map, name] of [
      [byKind, kernel.kind + direction],
      [byShape, domainOf(kernel)],
    ] as const) {
      const entry = map.get(name) ?? { runs: 0, ms: 0, flops: 0, bytes: 0 };
      map.set(name, entry);
      entry.runs++;
      entry.ms += milliseconds;
      entry.flops += flops;
      entry.bytes += bytes;
    }
  }, backend);
  try {
    for (let i = 0; i < times; i++) run();
    await backend.sync();
  } finally {
    stop();
  }
  const all = [...byKind.values()].reduce((sum, { ms }) => sum + ms, 0);
  const shares = (map: Map<string, Entry>): Share[] =>
    [...map]
      .map(([name, { runs, ms, flops, bytes }]) => ({
        name,
        count: runs / times,
        milliseconds: ms / times,
        share: all > 0 ? ms / all : 0,
        gflops: ms > 0 ? flops / ms / 1e6 : 0,
        gbytes: ms > 0 ? bytes / ms / 1e6 : 0,
      }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  return { milliseconds: all / times, kinds: shares(byKind), shapes: shares(byShape) };
}

/** The kinds, then the shapes that take most. */
export function profileTable({ milliseconds, kinds, shapes }: Profile, most = 25): string {
  const line = ({ name, count, milliseconds: ms, share, gflops, gbytes }: Share): string[] => [
    name,
    String(Math.round(count)),
    short(ms),
    `${(100 * share).toFixed(1)} %`,
    short(gflops),
    short(gbytes),
  ];
  const head = (what: string) => [what, 'kernels', 'ms', 'share', 'GFLOP/s', 'GB/s'];
  const rest = shapes.slice(most);
  return [
    `${short(milliseconds)} ms in kernels, each timed by itself`,
    ...align([head('kind'), ...kinds.map(line)]),
    '',
    ...align([head('shape'), ...shapes.slice(0, most).map(line)]),
    ...(rest.length
      ? [`and ${rest.length} more shapes of ${short(rest.reduce((sum, r) => sum + r.milliseconds, 0))} ms`]
      : []),
  ].join('\n');
}
