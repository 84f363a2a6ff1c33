/** Every element by itself: nothing but stores. */
import type { MapKernel } from '@tessera/tensor/backend';
import type { Program } from '../shader';
import { type Build, storePasses } from '../stores';

export function map(build: Build, { parts }: MapKernel): Program {
  const shapes = parts.slice(0, 4).map(({ shape }) => `[${shape}]`);
  storePasses(build, `map ${shapes.join(' ')}${parts.length > 4 ? ` and ${parts.length - 4} more` : ''}`, parts);
  return build.program();
}
