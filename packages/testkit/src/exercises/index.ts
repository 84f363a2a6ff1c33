/** All exercises, family by family. */
import { elements } from './elements';
import type { Exercise } from './exercise';
import { products } from './products';
import { rows } from './rows';
import { shapes } from './shapes';

export type Family = 'elements' | 'rows' | 'shapes' | 'products';

export const exercises = (): Readonly<Record<Family, readonly Exercise[]>> => ({
  elements: elements(),
  rows: rows(),
  shapes: shapes(),
  products: products(),
});
