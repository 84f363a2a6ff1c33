/** The command line, and what of it `--resume` takes up again. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFile, writeFile } from '@tessera/nn';
import { ArgumentError } from '@tessera/tensor';
import { Command, InvalidArgumentError } from 'commander';

/** What the bits of a run follow from. */
export interface Settings {
  readonly epochs: number;
  readonly seed: number;
  /** Pixels of the photographs that a tile has a side. */
  readonly tile: number;
}
export interface Options extends Settings {
  /** Where checkpoint, trained head and the converted backbone are written. */
  readonly out: string;
  /** Go on from the checkpoint in `out`. */
  readonly resume: boolean;
}

/** The folder beside src/, ignored by git. */
const home = fileURLToPath(new URL('../out', import.meta.url));

/**
 * The options typed. The settings are kept in the folder, and are those of the run that is resumed.
 * @throws LoadError where there is none to resume; ArgumentError where other settings were typed.
 */
export async function readOptions(argv: readonly string[]): Promise<Options> {
  const command = new Command('npm start --')
    .description('Teaches a pretrained network to tell six photographs apart by tiles of them.')
    .option('--epochs <n>', 'passes over the training tiles', atLeast(1), 6)
    .option('--seed <n>', 'the head, the order and the shifts follow from it', atLeast(0), 0)
    .option('--tile <pixels>', 'side of the tiles; larger ones are fewer and tell more', atLeast(96), 144)
    .option('--out <folder>', 'where checkpoint and head go', home)
    .option('--resume', 'go on from the checkpoint in the folder, to the bit', false)
    .parse(argv as string[], { from: 'user' });
  const options = command.opts<Options>();
  const path = join(options.out, 'settings.json');
  if (options.resume) {
    const begun = JSON.parse(new TextDecoder().decode(await readFile(path))) as Settings;
    for (const name of ['epochs', 'seed', 'tile'] as const)
      if (command.getOptionValueSource(name) === 'cli' && options[name] !== begun[name])
        throw new ArgumentError(
          `resume: the run was begun with --${name} ${begun[name]}, not ${options[name]}; leave it out, or start anew`,
        );
    return { ...options, ...begun };
  }
  const { epochs, seed, tile } = options;
  await mkdir(options.out, { recursive: true });
  await writeFile(path, new TextEncoder().encode(JSON.stringify({ epochs, seed, tile })));
  return options;
}

const atLeast = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(`wants a whole number of at least ${least}`);
  return value;
};
