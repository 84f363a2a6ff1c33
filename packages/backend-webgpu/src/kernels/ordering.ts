/** The kinds in which order matters, and which many programs have none of: loaded when a kernel of them is met. */
export { scan } from './scan';
export { scatter } from './scatter';
export { sort } from './sort';
