/**
 * The rows of the bench, fixed before they are measured: shapes and goals are not fitted to results. A row that is lost
 * stays, its cause stands in causes.ts. Later backends and issues add rows here.
 */
import { type NetName, nets, type Pass } from './networks/nets.ts';
import type { Direction, Limit, Shape, Unit, Work } from './work.ts';

export interface Goal {
  /** Against a limit of the machine, against every peer written for JavaScript, or against PyTorch. */
  readonly of: Limit | 'peers' | 'torch';
  /** Least share of it. */
  readonly atLeast: number;
}

export interface Row {
  readonly name: string;
  readonly work: Work;
  readonly unit: Unit;
  /** What bounds it. 'multiply' is the relaxed loop where the engine has it, else the plain one. */
  readonly limit: 'multiply' | 'copy' | null;
  readonly goals: readonly Goal[];
}

const peers: Goal = { of: 'peers', atLeast: 1 };

const matmul = (name: string, a: Shape, b: Shape, form?: 'nt' | 'tn', goals: readonly Goal[] = []): Row => ({
  name: `matmul ${name}`,
  work: { op: 'matmul', a, b, ...(form && { form }) },
  unit: 'GFLOP/s',
  limit: 'multiply',
  goals: [peers, ...goals],
});

/** A convolution and both its gradients. */
function conv(name: string, x: Shape, w: Shape, options: { stride?: number; goals?: readonly Goal[] } = {}): Row[] {
  const { stride = 1, goals = [] } = options;
  const padding = ((w[2] as number) - 1) / 2;
  const groups = (x[1] as number) / (w[1] as number);
  const directions: readonly [Direction, string][] = [
    ['forward', ''],
    ['inputGrad', ', input gradient'],
    ['weightGrad', ', weight gradient'],
  ];
  return directions.map(([direction, suffix]) => ({
    name: `conv ${name}${suffix}`,
    work: { op: 'conv', direction, x, w, stride, padding, groups },
    unit: 'GFLOP/s',
    limit: 'multiply',
    goals: direction === 'forward' ? [peers, ...goals] : [peers],
  }));
}

const memory = (name: string, work: Work): Row => ({
  name,
  work,
  unit: 'GB/s',
  limit: 'copy',
  goals: [peers, { of: 'copy', atLeast: 0.7 }],
});

/** A network of the zoo: inference of one image and of eight, and a training step of eight. */
const network = (net: NetName): Row[] => {
  const passes: readonly [name: string, pass: Pass, batch: number][] = [
    ['forward, batch 1', 'forward', 1],
    ['forward, batch 8', 'forward', 8],
    ['training step, batch 8', 'train', 8],
  ];
  const { title, torch } = nets[net];
  return passes.map(([name, pass, batch]) => ({
    name: `${title}, ${name}`,
    work: { op: 'network', net, batch, pass },
    unit: 'images/s',
    limit: null,
    goals: [peers, { of: 'torch', atLeast: 1 / torch }],
  }));
};

export const rows: readonly Row[] = [
  matmul('256', [256, 256], [256, 256]),
  matmul('512', [512, 512], [512, 512]),
  matmul('512, A·Bᵀ', [512, 512], [512, 512], 'nt'),
  matmul('512, Aᵀ·B', [512, 512], [512, 512], 'tn'),
  matmul('1024', [1024, 1024], [1024, 1024], undefined, [
    { of: 'plain', atLeast: 0.8 },
    { of: 'relaxed', atLeast: 0.65 },
  ]),
  matmul('odd 511×513×509', [511, 513], [513, 509]),
  matmul('tall 16384×64×64', [16384, 64], [64, 64]),
  matmul('wide 64×64×16384', [64, 64], [64, 16384]),
  matmul('deep 64×16384×64', [64, 16384], [16384, 64]),
  matmul('batch 64 of 128×64×128', [64, 128, 64], [64, 64, 128]),
  memory('matmul 1×4096×4096', { op: 'matmul', a: [1, 4096], b: [4096, 4096] }),
  ...conv('3×3 64→64, 56²', [1, 64, 56, 56], [64, 64, 3, 3], { goals: [{ of: 'plain', atLeast: 1.2 }] }),
  ...conv('3×3 64→64, 56², batch 8', [8, 64, 56, 56], [64, 64, 3, 3]),
  ...conv('1×1 64→256, 56²', [1, 64, 56, 56], [256, 64, 1, 1]),
  ...conv('7×7 stride 2 3→64, 224²', [1, 3, 224, 224], [64, 3, 7, 7], { stride: 2 }),
  ...conv('depthwise 3×3 128, 56²', [1, 128, 56, 56], [128, 1, 3, 3]),
  memory('softmax 4096×4096', { op: 'softmax', x: [4096, 4096] }),
  memory('batch norm, training, 64×64×56²', { op: 'batchNorm', x: [64, 64, 56, 56] }),
  memory('layer norm 4096×4096', { op: 'layerNorm', x: [4096, 4096] }),
  memory('sum 4096×4096', { op: 'sum', x: [4096, 4096] }),
  memory('transpose 4096×4096', { op: 'transpose', x: [4096, 4096] }),
  memory('chain of six, 4096×4096', { op: 'chain', x: [4096, 4096] }),
  { name: 'MNIST step, batch 128', work: { op: 'mnist', batch: 128 }, unit: 'images/s', limit: null, goals: [peers] },
  ...(Object.keys(nets) as NetName[]).flatMap(network),
];
