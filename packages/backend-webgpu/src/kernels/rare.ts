/** What many programs have none of: loaded when the first kernel of it is met, with the tuner, and where one waits or measures. */

export { access } from '../page-source';
export { tableOf } from '../page-table';
export { prepare } from '../prepare';
export { shaderFault } from '../shader-fault';
export { Timer } from '../timer';
export { direct } from './conv-direct';
export { custom } from './custom';
export { mapByTable } from './map-table';
export { mapTiles, mapWide } from './map-wide';
export { pool, poolChoices } from './pool';
export { scan, scanTiles } from './scan';
export { scatter, scatterTiles } from './scatter';
export { sort } from './sort';
export { sortTiles } from './sorted-rows';
export { winograd, winogradChoices } from './winograd';
