/** Kernels written by hand: the sizes where tilings end, and the corners of the contract that chance would miss. */
import type { KernelCase } from '../../kernels';
import { convolutions } from './conv';
import { maps } from './map';
import { matmuls } from './matmul';
import { scans, scatters, sorts } from './order';
import { pools } from './pool';
import { reductions } from './reduce';
import { sharings } from './shared';

/** All of them; made anew at each call. */
export const handWrittenCases = (): KernelCase[] => [
  ...maps(),
  ...reductions(),
  ...matmuls(),
  ...convolutions(),
  ...pools(),
  ...scatters(),
  ...sorts(),
  ...scans(),
  ...sharings(),
];
