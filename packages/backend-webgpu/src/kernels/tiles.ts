/**
 * The tiles of products, and what is known of each before it runs. The machine is a large NVIDIA GPU (Hopper, Ampere): what
 * `predict` says is no time to be believed, it orders the candidates; `webgpu({ tune: true })` measures them.
 */
import type { Target } from '../shader';

/** A workgroup's part of C, and a thread's; `ahead` loads the next slab while this one is multiplied, into a second copy. */
export interface Tile {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly perThread: readonly [m: number, n: number];
  readonly ahead: boolean;
}

export const tiles: readonly Tile[] = [
  { m: 128, n: 128, k: 16, perThread: [8, 8], ahead: false },
  { m: 128, n: 128, k: 8, perThread: [8, 8], ahead: true },
  { m: 128, n: 64, k: 16, perThread: [8, 8], ahead: false },
  { m: 64, n: 128, k: 16, perThread: [8, 8], ahead: false },
  { m: 64, n: 128, k: 8, perThread: [8, 8], ahead: true },
  { m: 64, n: 64, k: 16, perThread: [8, 4], ahead: false },
  { m: 64, n: 64, k: 16, perThread: [4, 4], ahead: false },
  { m: 32, n: 128, k: 16, perThread: [4, 8], ahead: false },
  { m: 128, n: 32, k: 16, perThread: [8, 4], ahead: false },
  { m: 32, n: 64, k: 16, perThread: [4, 4], ahead: false },
  { m: 32, n: 32, k: 16, perThread: [4, 4], ahead: false },
  { m: 16, n: 64, k: 16, perThread: [4, 4], ahead: false },
  { m: 64, n: 16, k: 16, perThread: [4, 4], ahead: false },
  // a few rows or columns (GEMV): bytes in flight are what counts, 8 vectors a thread
  { m: 4, n: 256, k: 8, perThread: [4, 4], ahead: false },
  { m: 256, n: 4, k: 8, perThread: [4, 4], ahead: false },
];

export const threadsOf = ({ m, n, perThread }: Tile): number => (m / perThread[0]) * (n / perThread[1]);
/** Bytes of workgroup memory: a slab of A and one of B, a vector of padding a row where k lies together. */
export const sharedOf = ({ m, n, k, ahead }: Tile): number => 4 * (m + n) * (k + 4) * (ahead ? 2 : 1);
/** Registers of a thread, as they are counted: its sums, the operands of a step, what is loaded ahead, and addresses. */
export const registersOf = ({ m, n, k, perThread: [a, b], ahead }: Tile): number =>
  a * b + 2 * (a + b) + (ahead ? (k * (m + n)) / threadsOf({ m, n, k, perThread: [a, b], ahead }) : 0) + 24;

/** A large NVIDIA GPU. */
export const machine = {
  multiprocessors: 132,
  registers: 65536,
  threads: 2048,
  workgroups: 32,
  shared: 228 * 1024,
  /** Multiply-adds a cycle and multiprocessor, and cycles a second. */
  lanes: 128,
  clock: 1.7e9,
  /** Threads that keep the lanes busy, with the independent sums that a thread of 4 × 4 has. */
  busy: 256,
  /** Bytes a second from memory, from the cache, and of workgroup memory a cycle and multiprocessor. */
  memory: 2.9e12,
  cache: 5.5e12,
  bank: 128,
  /** Seconds from one dispatch to the next that waits for it. */
  dispatch: 3e-6,
  /** Of what is hidden behind something longer, the share that is not. */
  overlap: 0.2,
  /** Seconds before the first slab of a workgroup is there. */
  latency: 1.2e-6,
} as const;

/** Workgroups of a tile that a multiprocessor holds at once. */
export function occupancy(tile: Tile): number {
  const threads = threadsOf(tile);
  const registers = Math.ceil(registersOf(tile) / 8) * 8 * threads;
  return Math.max(
    1,
    Math.min(
      Math.floor(machine.registers / registers),
      Math.floor(machine.shared / (sharedOf(tile) + 1024)),
      Math.floor(machine.threads / threads),
      machine.workgroups,
    ),
  );
}

/** A product as the choice sees it: k positions in each of `segments`. */
export interface Extent {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly segments: number;
  /** Integer operations that find an element of A and of B, beside one multiply-add each. */
  readonly cost: { readonly a: number; readonly b: number };
}

export interface Tiled {
  readonly way: 'tiles';
  readonly tile: Tile;
  /** Into how many parts k is cut, each summed by workgroups of its own. */
  readonly splits: number;
}

/** Seconds that a product would take. */
export function predict({ batch, m, n, k, segments, cost }: Extent, { tile, splits }: Tiled): number {
  const threads = threadsOf(tile);
  const [a, b] = tile.perThread;
  const slabs = segments * Math.ceil(k / tile.k);
  const each = Math.ceil(slabs / splits);
  const groups = batch * splits * Math.ceil(m / tile.m) * Math.ceil(n / tile.n);
  const most = occupancy(tile);
  const perWave = machine.multiprocessors * most;
  const waves = Math.floor(groups / perWave);
  const rest = groups - waves * perWave;
  // Cycles that a multiprocessor takes for a slab of one workgroup: arithmetic, addresses, workgroup memory.
  const sums = (tile.m * tile.n * tile.k) / machine.lanes;
  const staged = ((tile.m * cost.a + tile.n * cost.b) * tile.k) / machine.lanes;
  const read = (tile.k * threads * (a + b) * 4) / (machine.bank * 2);
  const cycles = Math.max(sums + staged, read) + (tile.ahead ? 12 : 24);
  const secondsOf = (resident: number) => {
    const idle = Math.max(1, machine.busy / (Math.max(1, resident) * threads));
    return (Math.max(1, resident) * cycles * each * idle) / machine.clock + machine.latency;
  };
  const full = waves * secondsOf(most);
  const last = rest === 0 ? 0 : secondsOf(Math.ceil(rest / machine.multiprocessors));
  const bytes = 4 * groups * each * tile.k * (tile.m + tile.n);
  const distinct = 4 * batch * segments * k * (m + n);
  const written = 4 * batch * m * n;
  const joined = splits === 1 ? 0 : machine.dispatch + (2 * splits * written) / machine.cache;
  // What takes longest, and a share of the others, which it does not hide altogether.
  const [longest = 0, ...others] = [full + last, bytes / machine.cache, distinct / machine.memory].sort(
    (x, y) => y - x,
  );
  const hidden = others.reduce((sum, seconds) => sum + seconds, 0);
  return longest + machine.overlap * hidden + written / machine.memory + joined;
}

/** All that fit the device, best first. Scratch of split products is bounded. */
export function tiledChoices(extent: Extent, target: Target): Tiled[] {
  const { batch, m, n, k, segments } = extent;
  const made: Tiled[] = [];
  for (const tile of tiles) {
    if (threadsOf(tile) > target.threads || sharedOf(tile) > target.shared) continue;
    const slabs = segments * Math.ceil(k / tile.k);
    for (let splits = 1; splits <= 64; splits *= 2) {
      if (splits > 1 && (slabs < 4 * splits || splits * batch * m * n * 4 > target.scratch)) break;
      made.push({ way: 'tiles', tile, splits });
    }
  }
  const times = new Map(made.map((choice) => [choice, predict(extent, choice)]));
  return made.sort((a, b) => (times.get(a) as number) - (times.get(b) as number));
}
