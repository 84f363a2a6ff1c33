/** Ops of elements and products, with their gradients. */
import { describeParts } from './pages';

describeParts('elements', 'products');
