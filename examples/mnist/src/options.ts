/** The command line. */
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type BackendName, backendNames } from './machine';
import { defaults } from './training';

export interface Options {
  /** Where it computes. */
  readonly backend: BackendName;
  readonly epochs: number;
  readonly seed: number;
  /** Images a step. */
  readonly batch: number;
  /** Where everything is written. */
  readonly out: string;
  /** Worker threads; null: one a processor. */
  readonly threads: number | null;
  /** Go on from the checkpoint in `out`. */
  readonly resume: boolean;
  /** Use no more than this many training and test images; null: all. */
  readonly limit: number | null;
  /** A picture to classify instead of training. */
  readonly image: string | null;
  /** Which of these were typed, and not left at their defaults. */
  readonly given: ReadonlySet<string>;
}

/** The folder beside src/ and dist/, ignored by git. */
const defaultOut = fileURLToPath(new URL('../out', import.meta.url));

export function readOptions(argv: readonly string[]): Options {
  const command = new Command('npm run demo --')
    .description('Trains a convolutional network on MNIST, or classifies a picture with the trained weights.')
    .addOption(new Option('--backend <name>', 'where to compute').choices(backendNames).default('cpu'))
    .option('--epochs <n>', 'passes over the training images', atLeast(1), 3)
    .option('--seed <n>', 'initial weights, order and shifts follow from it', atLeast(0), 0)
    .option('--batch <n>', 'images a step', atLeast(1), defaults.batch)
    .option('--out <folder>', 'where weights, metrics, report and checkpoint go', defaultOut)
    .option(
      '--threads <n>',
      'worker threads of cpu (default: one a processor); any number gives the same bits',
      atLeast(1),
    )
    .option('--resume', 'go on from the checkpoint in the folder, to the bit', false)
    .option('--limit <n>', 'only the first n training and test images, for a quick look', atLeast(1))
    .option('--image <png>', 'classify this picture with the trained weights')
    .parse(argv as string[], { from: 'user' });
  const values = command.opts<Omit<Options, 'given' | 'threads' | 'limit' | 'image'> & Partial<Options>>();
  const { threads = null, limit = null, image = null } = values;
  if (limit !== null && limit < values.batch)
    command.error(`error: --limit ${limit} leaves no whole batch of ${values.batch}; raise it, or lower --batch`);
  const given = Object.keys(values).filter((name) => command.getOptionValueSource(name) === 'cli');
  return { ...values, threads, limit, image, given: new Set(given) };
}

const atLeast = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(`wants a whole number of at least ${least}`);
  return value;
};
