/**
 * The tiles of products, and what is known of each before it runs. The machine is a large NVIDIA GPU (Hopper, Ampere): what
 * `predict` says is no time to be believed, it orders the candidates; `webgpu({ tune: true })` measures them.
 */
import type { Target } from '../shader';

/** A workgroup's part of C, and a thread's. */
export interface Tile {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly perThread: readonly [m: number, n: number];
  /**
   * How slabs come to threads: 'once', through workgroup memory; 'ahead', the next is loaded into a second copy while this one is
   * multiplied; 'none', each thread loads what it multiplies from storage, without barriers, and leaves the sharing to caches.
   */
  readonly staging: 'once' | 'ahead' | 'none';
}

export const tiles: readonly Tile[] = [
  { m: 128, n: 128, k: 16, perThread: [8, 8], staging: 'once' },
  { m: 128, n: 128, k: 8, perThread: [8, 8], staging: 'ahead' },
  { m: 128, n: 64, k: 16, perThread: [8, 8], staging: 'once' },
  { m: 64, n: 128, k: 16, perThread: [8, 8], staging: 'once' },
  { m: 64, n: 128, k: 8, perThread: [8, 8], staging: 'ahead' },
  { m: 64, n: 64, k: 16, perThread: [8, 4], staging: 'once' },
  { m: 64, n: 64, k: 16, perThread: [4, 4], staging: 'once' },
  { m: 32, n: 128, k: 16, perThread: [4, 8], staging: 'once' },
  { m: 128, n: 32, k: 16, perThread: [8, 4], staging: 'once' },
  { m: 32, n: 64, k: 16, perThread: [4, 4], staging: 'once' },
  { m: 32, n: 32, k: 16, perThread: [4, 4], staging: 'once' },
  { m: 16, n: 64, k: 16, perThread: [4, 4], staging: 'once' },
  { m: 64, n: 16, k: 16, perThread: [4, 4], staging: 'once' },
  // a few rows or columns (GEMV): bytes in flight are what counts, 8 vectors a thread
  { m: 4, n: 256, k: 8, perThread: [4, 4], staging: 'once' },
  { m: 256, n: 4, k: 8, perThread: [4, 4], staging: 'once' },
  // where workgroup memory is no faster than a cache, or emulated
  { m: 64, n: 64, k: 32, perThread: [8, 8], staging: 'none' },
  { m: 32, n: 128, k: 32, perThread: [8, 8], staging: 'none' },
  { m: 16, n: 256, k: 32, perThread: [8, 8], staging: 'none' },
  { m: 32, n: 64, k: 32, perThread: [8, 4], staging: 'none' },
  { m: 64, n: 32, k: 32, perThread: [8, 4], staging: 'none' },
  { m: 32, n: 32, k: 32, perThread: [4, 4], staging: 'none' },
  { m: 16, n: 64, k: 32, perThread: [4, 4], staging: 'none' },
  { m: 4, n: 256, k: 32, perThread: [4, 4], staging: 'none' },
  { m: 256, n: 4, k: 32, perThread: [4, 4], staging: 'none' },
];

export const threadsOf = ({ m, n, perThread }: Tile): number => (m / perThread[0]) * (n / perThread[1]);
/** Bytes of workgroup memory: a slab of A and one of B, a vector of padding a row where k lies together. */
export const sharedOf = ({ m, n, k, staging }: Tile): number =>
  4 * (m + n) * (k + 4) * { none: 0, once: 1, ahead: 2 }[staging];
/** Registers of a thread, as they are counted: its sums, the operands of a step, what is loaded ahead, and addresses. */
export const registersOf = (tile: Tile): number => {
  const { m, n, k, perThread, staging } = tile;
  const [a, b] = perThread;
  const loaded = { none: 2 * (a + b), once: 0, ahead: (k * (m + n)) / threadsOf(tile) }[staging];
  return a * b + 2 * (a + b) + loaded + 24;
};

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
  /** Words that a dispatch before lays out. */
  readonly first?: number;
  /** Some matrices of the batch have fewer segments. */
  readonly uneven?: boolean;
}

export interface Tiled {
  readonly way: 'tiles';
  readonly tile: Tile;
  /** Into how many parts k is cut, each summed by workgroups of its own. */
  readonly splits: number;
  /** In place of that: among how many workgroups the slabs of all tiles are dealt (stream-k.ts). */
  readonly shares?: number;
}

/** A device whose workgroup memory is memory behind a cache: some phones' GPUs, and processors that emulate one. */
const cached = {
  /** Multiply-adds a second. */
  rate: 1e9,
  /** Threads that keep it busy. */
  busy: 1024,
  /** Multiply-adds that take as long as a load of an element, or as laying a word out; what staging and barriers lengthen the rest by. */
  load: 2,
  word: 16,
  staged: 3,
  dispatch: 2e-5,
} as const;

/** Seconds that a product would take there. */
function predictCached({ batch, m, n, k, segments, cost, first = 0 }: Extent, { tile, splits }: Tiled): number {
  const [a, b] = tile.perThread;
  const each = Math.ceil((segments * Math.ceil(k / tile.k)) / splits) * tile.k;
  const threads = batch * splits * Math.ceil(m / tile.m) * Math.ceil(n / tile.n) * threadsOf(tile);
  const loads = (rows: number, columns: number) => rows * (cost.a + cached.load) + columns * (cost.b + cached.load);
  const work =
    tile.staging === 'none'
      ? threads * each * (a * b + loads(a, b))
      : each * (threads * cached.staged * a * b + (threads / threadsOf(tile)) * loads(tile.m, tile.n));
  const joined = splits === 1 ? 0 : cached.dispatch + (2 * splits * batch * m * n * cached.load) / cached.rate;
  const before = first ? cached.dispatch + (first * cached.word) / cached.rate : 0;
  return before + (work * Math.max(1, cached.busy / threads)) / cached.rate + joined;
}

/** Seconds that a product would take. */
export function predict(extent: Extent, choice: Tiled, target: Pick<Target, 'cached'>): number {
  if (target.cached) return predictCached(extent, choice);
  const { batch, m, n, k, segments, cost, first } = extent;
  const { tile, splits, shares } = choice;
  const threads = threadsOf(tile);
  const [a, b] = tile.perThread;
  const slabs = segments * Math.ceil(k / tile.k);
  const count = batch * Math.ceil(m / tile.m) * Math.ceil(n / tile.n);
  const each = Math.ceil(shares ? (count * slabs) / shares : slabs / splits);
  const groups = shares ?? count * splits;
  const most = occupancy(tile);
  const perWave = machine.multiprocessors * most;
  const waves = Math.floor(groups / perWave);
  const rest = groups - waves * perWave;
  // Cycles that a multiprocessor takes for a slab of one workgroup: arithmetic, addresses, workgroup memory.
  const sums = (tile.m * tile.n * tile.k) / machine.lanes;
  const straight = tile.staging === 'none';
  const found = straight ? threads * (a * cost.a + b * cost.b) : tile.m * cost.a + tile.n * cost.b;
  const staged = (found * tile.k) / machine.lanes;
  const read = (tile.k * threads * (a + b) * 4) / (straight ? machine.bank / 4 : machine.bank * 2);
  const cycles = Math.max(sums + staged, read) + { once: 24, ahead: 12, none: 0 }[tile.staging];
  const secondsOf = (resident: number) => {
    const idle = Math.max(1, machine.busy / (Math.max(1, resident) * threads));
    return (Math.max(1, resident) * cycles * each * idle) / machine.clock + machine.latency;
  };
  const full = waves * secondsOf(most);
  const last = rest === 0 ? 0 : secondsOf(Math.ceil(rest / machine.multiprocessors));
  const bytes = 4 * groups * each * tile.k * (tile.m + tile.n);
  const distinct = 4 * batch * segments * k * (m + n);
  const written = 4 * batch * m * n;
  const parts = shares ? 8 * shares * tile.m * tile.n : splits === 1 ? 0 : splits * written;
  const joined = parts && machine.dispatch + (2 * parts) / machine.cache;
  // What takes longest, and a share of the others, which it does not hide altogether.
  const [longest = 0, ...others] = [full + last, bytes / machine.cache, distinct / machine.memory].sort(
    (x, y) => y - x,
  );
  const hidden = others.reduce((sum, seconds) => sum + seconds, 0);
  return longest + machine.overlap * hidden + written / machine.memory + joined + (first ? machine.dispatch : 0);
}

function bestFirst(made: Tiled[], extent: Extent, target: Target): Tiled[] {
  const times = new Map(made.map((choice) => [choice, predict(extent, choice, target)]));
  return made.sort((a, b) => (times.get(a) as number) - (times.get(b) as number));
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
  return bestFirst(made, extent, target);
}

/** Slabs dealt to as many workgroups as the machine holds at once, where tiles would leave some of them idle. For a tuner: best first. */
export function dealtChoices(extent: Extent, target: Target): Tiled[] {
  const { batch, m, n, k, segments, uneven } = extent;
  if (uneven || target.cached) return [];
  const made = tiles.flatMap((tile): Tiled[] => {
    if (threadsOf(tile) > target.threads || sharedOf(tile) > target.shared) return [];
    const count = batch * Math.ceil(m / tile.m) * Math.ceil(n / tile.n);
    const shares = machine.multiprocessors * occupancy(tile);
    const idle = count % shares > 0 && count < 4 * shares;
    const fits = 8 * shares * tile.m * tile.n <= target.scratch;
    const slabs = count * segments * Math.ceil(k / tile.k);
    return idle && fits && slabs >= 4 * shares ? [{ way: 'tiles', tile, splits: 1, shares }] : [];
  });
  return bestFirst(made, extent, target);
}
