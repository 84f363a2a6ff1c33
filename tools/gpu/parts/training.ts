/**
 * Small training runs beside the reference backend's, in float32 and in mixed precision, each with a step that overflows: it is to
 * change nothing but the loss scale.
 */
import * as nn from '@tessera/nn';
import { type Backend, crossEntropy, manualSeed, mul, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { numbers } from '../../bench/work.ts';
import { matches, type Options, type Tell } from '../job.ts';
import { start } from '../start.ts';

type Precision = 'float32' | 'mixed';
/**
 * How far a value may be from the reference's, of the largest change in its tensor. backend-cpu was off by 3·10⁻⁶; without any rounding
 * to float16, which plans place differently, the reference itself is off by 0.047.
 */
const tolerance: Record<Precision, number> = { float32: 1e-3, mixed: 0.1 };
/** By what the loss of each step is multiplied: the scaled gradients of the second are beyond float32. */
const factors = [1, 2 ** 122, 1, 1];
const overflowing = 1;

export async function training(
  { cases, without, tiny }: Options,
  tell: Tell,
  done: ReadonlySet<string>,
): Promise<void> {
  const backend = await start({ without });
  const able = (['float32', 'mixed'] as const).filter(
    (precision) => precision === 'float32' || backend.limits.dtypes.includes('float16'),
  );
  const all = able.filter((precision) => matches(precision, cases));
  tell({ found: { cases: all.length } });
  for (const precision of all.filter((each) => !done.has(each))) {
    tell({ begin: precision });
    const fault = await compareTraining(backend, reference(), precision, tiny ? few : several);
    if (fault) console.log(`  ${precision}: ${fault}`);
    tell({ end: precision, fault });
  }
  backend.dispose();
}

/** Of images [8, 8, 8, 8]. */
type Layers = () => nn.Module[];
const several: Layers = () => [
  ...[new nn.Conv2d(8, 16, 3, { padding: 1, bias: false }), new nn.BatchNorm2d(16), new nn.ReLU()],
  ...[new nn.MaxPool2d(2), new nn.Flatten(), new nn.Linear(256, 16)],
];
/** Whose shaders an emulator makes in seconds. */
const few: Layers = () => [new nn.Flatten(), new nn.Linear(512, 16)];

/** What is wrong on the first, beside the second; null where nothing is. */
export async function compareTraining(
  ours: Backend,
  theirs: Backend,
  precision: Precision,
  layers = several,
): Promise<string | null> {
  const [saw, wanted] = [await train(ours, precision, layers), await train(theirs, precision, layers)];
  const faults: string[] = [];
  if (saw.scales.join() !== wanted.scales.join()) faults.push(`loss scales were ${saw.scales}, not ${wanted.scales}`);
  for (const [name, history] of wanted.cells) {
    const own = saw.cells.get(name) as Values[];
    const [before, after] = own.slice(overflowing) as [Values, Values];
    if (furthest(before, after) !== 0) faults.push(`${name} changed in the step that overflowed`);
    const [first, last] = [history[0], history.at(-1)] as [Values, Values];
    const changed = furthest(first, last);
    const off = furthest(own.at(-1) as Values, last);
    if (!(off <= tolerance[precision] * changed))
      faults.push(`${name} is off by ${off} where it changed by ${changed}`);
  }
  return faults.join('; ') || null;
}

type Values = ArrayLike<number>;
/** NaN where either has one. */
function furthest(a: Values, b: Values): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)));
  return most;
}

/** Loss scales after each step; the values of all state at first and after each. */
async function train(on: Backend, precision: Precision, layers: Layers) {
  setBackend(on);
  manualSeed(0);
  const model = new nn.Sequential(...layers());
  const optimizer = new nn.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const lossScale = new nn.LossScaler();
  const step = nn.compile(
    (x: Tensor, y: Tensor, factor: Tensor) => {
      const loss = () => mul(crossEntropy(model.forward(x), y), factor);
      const { value, grads } = lossScale.valueAndGrad(loss, model.parameters());
      optimizer.step(grads);
      return value;
    },
    { precision, lossScale },
  );
  const states = [...model.stateDict(), ...optimizer.stateDict()];
  const cells = new Map(states.map(([name]) => [name, [] as Values[]]));
  const scales: number[] = [];
  const read = async () => {
    for (const [name, state] of states) cells.get(name)?.push(await state.data());
  };
  const x = tensor(numbers(8 * 8 * 64, 7), { shape: [8, 8, 8, 8] });
  const y = tensor(Int32Array.from({ length: 8 }, (_, i) => 2 * i));
  await read();
  for (const factor of factors) {
    step(x, y, tensor(factor)).dispose();
    scales.push(await lossScale.scale.item());
    await read();
  }
  return { scales, cells };
}
