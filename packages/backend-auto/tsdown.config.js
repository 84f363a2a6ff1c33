import { library } from '../../tools/build/tsdown.js';

export default library({ index: 'src/index.ts' });
