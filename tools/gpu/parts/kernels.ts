/**
 * Kernels by themselves against the float64 reference: those of float16 and of tensor cores, which no emulator has; all as they are
 * computed without a tuner; and by each kind of way that a tuner may take.
 */
import { type Backend, type Kernel, roundHalf } from '@tessera/tensor/backend';
import { compareKernelCase, type KernelCase, kernelCases, runKernelCase, unsupported } from '@tessera/testkit';
import { type Choice, candidates } from '../../../packages/backend-webgpu/src/compile.ts';
import { findDevice, targetOf } from '../../../packages/backend-webgpu/src/device.ts';
import * as rare from '../../../packages/backend-webgpu/src/kernels/rare.ts';
import { WebgpuBackend } from '../../../packages/backend-webgpu/src/runtime.ts';
import { spread } from '../../../packages/backend-webgpu/src/tune.ts';
import { matches, type Options, type Tell } from '../job.ts';
import { gpuWithout } from '../start.ts';

/** A kernel, and how it is computed: by the first of its ways where nothing is said. */
interface Trial {
  readonly title: string;
  readonly test: KernelCase;
  readonly choice?: Choice;
}
/** Ways of one kernel that are tried: one of each kind, then others. */
const most = 8;

export async function kernels(
  set: string,
  { without, cases, tiny }: Options,
  tell: Tell,
  done: ReadonlySet<string>,
): Promise<void> {
  const found = await findDevice({ adapter: (await gpuWithout(without)).adapter });
  const backend = new WebgpuBackend(found, {});
  const target = { ...targetOf(found.device, found.matrices), rare };
  const ways = ({ kernel }: KernelCase): readonly Choice[] => candidates(kernel, target);
  const by = (test: KernelCase, choices: readonly Choice[]): Trial[] =>
    choices.map((choice) => ({ title: `${test.title} · ${JSON.stringify(choice)}`, test, choice }));
  const isProduct = ({ kernel: { kind } }: KernelCase) => kind === 'matmul' || kind === 'conv';
  const sets: Record<string, () => Trial[]> = {
    'float16 and tensor cores': () => [
      ...kernelCases.filter(({ kernel }) => isHalf(kernel)).map((test) => ({ title: test.title, test })),
      ...kernelCases
        .filter((test) => isProduct(test) && !isHalf(test.kernel))
        .map(halved)
        .flatMap((test) => {
          const matrix = ways(test).filter(({ way }) => way === 'matrix');
          const tiles = new Map(matrix.map((choice) => [JSON.stringify('tile' in choice && choice.tile), choice]));
          return by(
            test,
            [...tiles.values(), ...spread(ways(test), 3)].filter((each, i, all) => all.indexOf(each) === i),
          );
        }),
    ],
    'as they are': () => kernelCases.map((test) => ({ title: test.title, test })),
    'other ways': () =>
      kernelCases.flatMap((test) =>
        by(
          test,
          spread(ways(test), most).filter((choice) => choice !== ways(test)[0]),
        ),
      ),
  };
  const able = (sets[set] as () => Trial[])().filter(
    ({ title, test }) => !unsupported(backend.limits, test) && matches(title, cases),
  );
  const all = tiny ? able.slice(0, 3) : able;
  tell({ found: { cases: all.length } });
  for (const { title, test, choice } of all.filter(({ title }) => !done.has(title))) {
    tell({ begin: title });
    let fault: string | null;
    try {
      const factor = () => (choice?.way === 'winograd' ? 64 : 1);
      const saw = await runKernelCase(choice ? choosing(backend, choice) : backend, test);
      fault = (await compareKernelCase(test, saw, { accuracy: 'shader', factor })).join('; ') || null;
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error);
    }
    if (fault) console.log(`  ${title}: ${fault.slice(0, 600)}`);
    tell({ end: title, fault });
    if (fault) await backend.sync(); // a device that is gone ends this process, and the next goes on
  }
  backend.dispose();
}

const choosing = (backend: WebgpuBackend, choice: Choice): Backend =>
  new Proxy<Backend>(backend, {
    get(_, name) {
      if (name === 'compile') return (kernel: Kernel) => backend.compile(kernel, choice);
      const value = Reflect.get(backend, name);
      return typeof value === 'function' ? value.bind(backend) : value;
    },
  });

const isHalf = ({ inputs, outputs }: Kernel): boolean =>
  [...inputs, ...outputs].some(({ dtype }) => dtype === 'float16');

/** The case with float16 in place of float32. */
function halved(test: KernelCase): KernelCase {
  const half = (operands: Kernel['inputs']) =>
    operands.map((one) => (one.dtype === 'float32' ? { ...one, dtype: 'float16' as const } : one));
  const { kernel, inputs } = test;
  return {
    ...test,
    title: `${test.title}, float16`,
    kernel: { ...kernel, inputs: half(kernel.inputs), outputs: half(kernel.outputs) },
    inputs: inputs.map((values, i) =>
      kernel.inputs[i]?.dtype === 'float32' ? Float32Array.from(values, roundHalf) : values,
    ),
  };
}
