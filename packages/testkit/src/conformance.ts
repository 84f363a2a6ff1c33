/** The suite that a backend passes, in a test file of Node or of a page. */
import type { Backend } from '@tessera/tensor/backend';
import { afterAll } from 'vitest';
import type { Family } from './exercises';
import type { Rows } from './golden/run';
import { type CompareOptions, describeKernels } from './kernels';
import { describeAlgebra } from './suites/algebra';
import { describeExercises } from './suites/exercises';
import { describeGolden, type Load } from './suites/golden';
import { describeMemory } from './suites/memory';
import { describeProperties } from './suites/properties';
import { describeState } from './suites/state';
import { describeSteps } from './suites/steps';
import { subject } from './suites/subject';

export type { Load } from './suites/golden';

/** The suite in parts, for a host in which the whole takes more than one page or process should: a file takes some of them. */
export const conformanceParts = [
  /** Kernels of each kind by hand and at random, and the queue and memory around them (`describeKernels`). */
  'kernels',
  /** PyTorch's answers, with gradients. */
  'golden',
  /** Ops of four families with both gradients: element by element, along axes, moves and places, products and windows. */
  'elements',
  'rows',
  'shapes',
  'products',
  /** What holds for all shapes. */
  'properties',
  /** State, compiled steps, random numbers, outputs that are kept. */
  'state',
  /** Loops that stay flat, what comes back, what is refused. */
  'memory',
] as const;
export type ConformancePart = (typeof conformanceParts)[number];

export interface ConformanceOptions extends CompareOptions {
  /** The bytes of testkit's fixture of this name ('ops.safetensors'). Without it golden cases are skipped, and counted so. */
  readonly load?: Load;
  /** Rows for golden cases that other packages bring (optimizers). */
  readonly rows?: Rows;
  /** Random kernels of the IR (default 200), and runs of each property (default 30). */
  readonly random?: number;
  readonly runs?: number;
  /** Random training steps, of ten to sixty kernels each: default 10, of an emulated device 4, compiled all of them. */
  readonly steps?: number;
  /** Is the device an emulated GPU? A few second derivatives are then left out, and counted so; training steps are compiled ones. */
  readonly emulated?: boolean;
  /** Those that this file takes; other files take the others. Default all. */
  readonly parts?: readonly ConformancePart[];
}

/**
 * Registers with vitest what a backend must pass; a test file is this one call:
 *
 *     const load = (name) => readFile(new URL(import.meta.resolve(`@tessera/testkit/golden/${name}`)));
 *     describeBackend('abacus', () => abacus(), { load });
 *
 * The contract is `Backend` and the kernels of `@tessera/tensor/backend`, where each member says its shapes, types, order and errors.
 * In short: (1) buffers keep a dtype, uploads and downloads are copies; (2) everything acts in the order of the calls, and only reads
 * wait; (3) each kernel kind computes what `ir.ts` says for every view, dtype and size, also of no elements, within rounding; (4) no
 * op's name is ever seen; (5) what `limits` promises is all that is asked; (6) memory comes back; (7) the same work gives the same bits.
 *
 * In this order a backend grows, each step seen by `vitest run -t '…'`:
 *  1. `allocate`, `free`, `upload`, `download`, `memory`:     -t 'copies what is uploaded|downloads a copy|keeps each dtype'
 *  2. `map` with `load`, `uniform`, `index`, `const`, `apply` and one store; `submit`, `sync`:     -t contract
 *  3. every function of `exprOps`, then views, `at`, several parts and stores, `aliases`:          -t 'ops of .* elements'
 *  4. `reduce`, `matmul`, `conv`, `pool`, `scatter`, `sort`, `scan`, one by one:                   -t 'kernels on .* matmul'
 *  5. the whole.
 * `examples/custom-backend` has all of it in under 400 lines; `reference.ts` of tensor says it in the plainest way.
 *
 * A test fails with the place and both values: `output 0 (float32): 2 of 12 miss: [3] is 1.5, wanted 2 ± 3.6e-7`. What the backend's
 * `limits` rule out is skipped, printed with its reason and counted; nothing can be skipped from outside. The suite disposes of every
 * backend that it made.
 * @param make a new backend at each call: tests dispose of some, and move tensors from one to another
 */
export function describeBackend(
  name: string,
  make: () => Promise<Backend> | Backend,
  {
    load,
    rows = {},
    random = 200,
    runs = 30,
    emulated = false,
    steps = emulated ? 4 : 10,
    parts = conformanceParts,
    ...compare
  }: ConformanceOptions = {},
): void {
  const of = subject(name, make);
  const ops = (family: Family) => () => describeExercises(of, family, emulated);
  const suites: Record<ConformancePart, () => void> = {
    kernels: () => describeKernels(name, make, { random, onSkip: of.skip, ...compare }),
    golden: () => describeGolden(of, load, rows),
    elements: ops('elements'),
    rows: ops('rows'),
    shapes: ops('shapes'),
    products: ops('products'),
    properties() {
      describeProperties(of, runs);
      describeAlgebra(of, runs);
      describeSteps(of, steps, emulated);
    },
    state: () => describeState(of),
    memory: () => describeMemory(of),
  };
  for (const part of parts) suites[part]();
  afterAll(async () => {
    for (const [reason, times] of of.skipped) console.log(`${name}: ${times} skipped: ${reason}`);
    await of.dispose();
  });
}
