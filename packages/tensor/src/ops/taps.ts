/** Which inputs an output of a resized axis is made of, and how much of each: PyTorch's rules, as tables. */

/** One axis of an interpolation: sizes (null: not known yet), the factor where one was given, and the rule. */
export type AxisTable = {
  readonly from: number | null;
  readonly to: number | null;
  readonly scale: number | null;
  readonly kind: 'nearest' | 'nearest-exact' | 'linear' | 'cubic';
  readonly alignCorners: boolean;
  readonly antialias: boolean;
};

/** output[o] = Σₜ weight[o·taps + t]·input[start[o] + t]; places past the end have weight 0. */
export interface Taps {
  readonly start: Int32Array;
  readonly weight: Float32Array;
  readonly taps: number;
}

/** Shares of inputs, by place, for each output. */
type Shares = readonly ReadonlyMap<number, number>[];

/** The table of an axis, or of its transpose: what each input hands to outputs. */
export function tableOf(table: AxisTable, transposed: boolean): Taps {
  const shares = sharesOf(table);
  return packed(transposed ? turned(shares, table.from as number) : shares);
}

function sharesOf(table: AxisTable): Shares {
  const { from, to, kind, antialias } = table as AxisTable & { from: number; to: number };
  return Array.from({ length: to }, (_, o) => {
    if (antialias) return covered(table, o);
    const shares = new Map<number, number>();
    const give = (place: number, share: number) => {
      const inside = Math.min(Math.max(place, 0), from - 1);
      shares.set(inside, (shares.get(inside) ?? 0) + share);
    };
    if (kind === 'nearest' || kind === 'nearest-exact') {
      // In float32, as PyTorch has it: which neighbour is nearest may hang on the last bit.
      const at = kind === 'nearest' ? o : o + 0.5;
      give(Math.floor(Math.fround(at * Math.fround(stepOf({ ...table, alignCorners: false })))), 1);
    } else if (kind === 'linear') {
      const at = Math.max(0, sourceOf(table, o));
      const left = Math.min(Math.floor(at), from - 1);
      const part = Math.min(Math.max(at - left, 0), 1);
      give(left, 1 - part);
      give(left + 1, part);
    } else {
      const at = sourceOf(table, o);
      const left = Math.floor(at);
      for (let tap = -1; tap <= 2; tap++) give(left + tap, cubic(at - left - tap, -0.75));
    }
    return shares;
  });
}

/** Inputs to a step of one output. */
function stepOf({ from, to, scale, alignCorners }: AxisTable): number {
  if (alignCorners) return (to as number) > 1 ? ((from as number) - 1) / ((to as number) - 1) : 0;
  return scale === null ? (from as number) / (to as number) : 1 / scale;
}
/** Where output o lies among the inputs. */
const sourceOf = (table: AxisTable, o: number): number =>
  table.alignCorners ? o * stepOf(table) : stepOf(table) * (o + 0.5) - 0.5;

/** Keys' cubic with slope a at 1. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Antialiased: the filter is widened to what an output covers, and its shares made to sum to 1. */
function covered(table: AxisTable, o: number): Map<number, number> {
  const step = stepOf(table);
  const widened = Math.max(step, 1);
  const support = (table.kind === 'cubic' ? 2 : 1) * widened;
  const centre = step * (o + 0.5);
  const first = Math.max(Math.trunc(centre - support + 0.5), 0);
  const end = Math.min(Math.trunc(centre + support + 0.5), table.from as number);
  const shares = new Map<number, number>();
  let total = 0;
  for (let place = first; place < end; place++) {
    const distance = (place - centre + 0.5) / widened;
    const share = table.kind === 'cubic' ? cubic(distance, -0.5) : Math.max(0, 1 - Math.abs(distance));
    shares.set(place, share);
    total += share;
  }
  for (const [place, share] of shares) shares.set(place, total === 0 ? share : share / total);
  return shares;
}

function turned(shares: Shares, from: number): Shares {
  const back = Array.from({ length: from }, () => new Map<number, number>());
  shares.forEach((own, o) => {
    for (const [place, share] of own) if (share !== 0) back[place]?.set(o, share);
  });
  return back;
}

function packed(shares: Shares): Taps {
  const firsts = shares.map((own) => (own.size ? Math.min(...own.keys()) : 0));
  const taps = Math.max(1, ...shares.map((own, o) => Math.max(-1, ...own.keys()) - (firsts[o] as number) + 1));
  const weight = new Float32Array(shares.length * taps);
  shares.forEach((own, o) => {
    for (const [place, share] of own) weight[o * taps + place - (firsts[o] as number)] = share;
  });
  return { start: Int32Array.from(firsts), weight, taps };
}
