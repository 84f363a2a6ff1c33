/** Ops of rows and shapes, with their gradients. */
import { describePage } from './pages';

describePage('rows');
