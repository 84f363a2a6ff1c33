/** The suite that a backend passes: `describeBackend('cpu', () => cpu(), { load })` in a test file of Node or of a page. */
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
import { subject } from './suites/subject';

export type { Load } from './suites/golden';

/** The suite in parts, for a host in which the whole takes more than one page or process should: a file takes some of them. */
export const conformanceParts = [
  'kernels',
  'golden',
  'elements',
  'rows',
  'shapes',
  'products',
  'properties',
  'state',
  'memory',
] as const;
export type ConformancePart = (typeof conformanceParts)[number];

export interface ConformanceOptions extends CompareOptions {
  /** The bytes of a fixture of testkit ('ops.safetensors'). Without it golden cases are skipped, and counted so. */
  readonly load?: Load;
  /** Rows for golden cases that other packages bring (optimizers). */
  readonly rows?: Rows;
  /** Random kernels of the IR (default 200), and runs of each property (default 30). */
  readonly random?: number;
  readonly runs?: number;
  /** Is the device an emulated GPU? A few second derivatives are then left out, and counted so. */
  readonly emulated?: boolean;
  /** Those that this file takes; other files take the others. Default all. */
  readonly parts?: readonly ConformancePart[];
}

/** Registers the suite with vitest. */
export function describeBackend(
  name: string,
  make: () => Promise<Backend> | Backend,
  {
    load,
    rows = {},
    random = 200,
    runs = 30,
    emulated = false,
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
