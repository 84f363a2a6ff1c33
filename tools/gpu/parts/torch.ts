/** The same figures by PyTorch on CUDA, where `python3` has it. */
import { join } from 'node:path';
import { figures, tinyFigures } from '../../bench/gpu/figures.ts';
import { torchFigures } from '../../bench/gpu/report.ts';
import { matches, type Options, type Tell } from '../job.ts';

export async function torch({ figures: pattern, tiny }: Options, tell: Tell): Promise<void> {
  const chosen = (tiny ? tinyFigures : figures).filter(({ name }) => matches(name, pattern));
  const { version, times } = await torchFigures(chosen, {
    program: join(import.meta.dirname, 'torch_figures.py'),
    onFigure: (name, answer) => {
      if (typeof answer === 'number') console.log(`  ${name}: ${answer.toFixed(2)} ms`);
      tell({ found: { [name]: answer } });
    },
  });
  tell({ found: { version } });
  console.log(version ? `PyTorch ${version}` : `no PyTorch: ${[...times.values()][0]}`);
}
