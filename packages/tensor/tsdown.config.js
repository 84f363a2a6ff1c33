import { library } from '../../tools/build/tsdown.js';

export default library({
  index: 'src/index.ts',
  einops: 'src/einops.ts',
  reference: 'src/reference.ts',
  inspect: 'src/inspect.ts',
  backend: 'src/backend.ts',
  shading: 'src/shading.ts',
});
