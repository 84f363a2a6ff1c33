/** `npm start`: a head on a frozen, pretrained backbone learns real photographs. */
import { cpu } from '@tessera/backend-cpu';
import { setBackend, TesseraError } from '@tessera/tensor';
import { finetune } from './finetune';
import { readOptions } from './options';

const stop = new AbortController();
process.on('SIGINT', () => {
  if (stop.signal.aborted) process.exit(130);
  stop.abort();
});
const backend = await cpu();
setBackend(backend);
try {
  const accuracy = await finetune(await readOptions(process.argv.slice(2)), stop.signal);
  if (accuracy === null) process.exitCode = 130;
  else console.log(`accuracy ${accuracy.toFixed(2)}`);
} catch (error) {
  // What Tessera throws on purpose says what to do; a stack would hide it.
  console.error(error instanceof TesseraError ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
} finally {
  backend.dispose();
}
