import { program } from '../../tools/build/tsdown.js';

// dist/main.js stands as deep as src/main.ts, so a path relative to import.meta.url means the same in both.
export default program({ main: 'src/main.ts' });
