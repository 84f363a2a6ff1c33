/** Ops of elements and products, with their gradients. */
import { describePage } from './pages';

describePage('elements');
