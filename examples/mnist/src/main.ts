/** `npm run demo`: a convolutional network learns handwritten digits. */
import { TesseraError } from '@tessera/tensor';
import { classify } from './classify';
import { files, run } from './demo';
import { type Started, startBackend } from './machine';
import { readOptions } from './options';

const options = readOptions(process.argv.slice(2));

try {
  const started = await startBackend(options.backend, options.threads);
  const { backend } = started;
  try {
    if (options.image === null) await train(started);
    else await show(options.image);
  } finally {
    await backend.sync().catch(() => {});
    backend.dispose();
  }
} catch (error) {
  // What Tessera throws on purpose says what to do; a stack would hide it.
  console.error(error instanceof TesseraError ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}

async function train(started: Started): Promise<void> {
  const stop = new AbortController();
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
  const accuracy = await run(options, started, stop.signal);
  if (accuracy === null) process.exitCode = 130;
  else console.log(`test accuracy ${accuracy.toFixed(4)}`);
}

async function show(image: string): Promise<void> {
  const chances = await classify(files(options.out).weights, image);
  const order = chances.map((chance, digit) => ({ chance, digit })).sort((a, b) => b.chance - a.chance);
  for (const { chance, digit } of order.slice(0, 3))
    console.log(`${digit}  ${(100 * chance).toFixed(2).padStart(6)} %`);
  console.log(`digit ${order[0]?.digit}`);
}
