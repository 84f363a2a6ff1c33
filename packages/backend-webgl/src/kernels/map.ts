/** Every element by itself: nothing but stores, of operands that are turned where they lie across. */
import type { MapKernel } from '@tessera/tensor/backend';
import type { Program } from '../shader';
import { type Build, storePasses } from '../stores';
import { turnLoads } from './turn';

export function map(build: Build, { parts }: MapKernel): Program {
  const shapes = parts.slice(0, 4).map(({ shape }) => `[${shape}]`);
  turnLoads(build, parts);
  storePasses(build, `map ${shapes.join(' ')}${parts.length > 4 ? ` and ${parts.length - 4} more` : ''}`, parts);
  return build.program();
}
