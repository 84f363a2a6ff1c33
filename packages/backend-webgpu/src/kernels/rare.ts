/** What many programs have none of: loaded when the first kernel of it is met, and with the tuner. */

export { access } from '../page-source';
export { tableOf } from '../page-table';
export { direct } from './conv-direct';
export { custom } from './custom';
export { mapByTable } from './map-table';
export { pool, poolChoices } from './pool';
export { scan } from './scan';
export { scatter } from './scatter';
export { sort } from './sort';
export { winograd, winogradChoices } from './winograd';
