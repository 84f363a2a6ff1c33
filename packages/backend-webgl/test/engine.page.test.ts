/** Kernels, golden cases, properties, state and memory. */
import { describeParts } from './pages';

describeParts('kernels', 'golden', 'properties', 'state', 'memory');
