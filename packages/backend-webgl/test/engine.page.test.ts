/** Kernels, golden cases, properties, state and memory. */
import { describePage } from './pages';

describePage('engine');
