/** Ops of rows and shapes, with their gradients. */
import { describeParts } from './pages';

describeParts('rows', 'shapes');
