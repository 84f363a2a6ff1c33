/** Fused networks: the same logits, no batch norm, and a kernel for each convolution. */
import { cpu } from '@tessera/backend-cpu';
import { BatchNorm2d, Buffer, fuse, type Module, Parameter } from '@tessera/nn';
import { add, type Backend, manualSeed, mul, rand, randn, realize, setBackend } from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { googlenet } from '../src/googlenet';
import { inceptionV3 } from '../src/inception';
import { resnet18, resnet50 } from '../src/resnet';
import { vgg11_bn } from '../src/vgg';

let backend: Backend;
beforeAll(async () => {
  setBackend((backend = await cpu()));
  manualSeed(0);
});
afterAll(() => backend.dispose());

const normsOf = (model: Module): string[] =>
  model.namedModules().flatMap(([path, module]) => (module instanceof BatchNorm2d ? [path] : []));

/** Gives norms numbers as training would, near enough to 1 that deep networks keep their scale. */
async function trained(model: Module): Promise<void> {
  for (const [, module] of model.namedModules())
    if (module instanceof BatchNorm2d)
      for (const state of Object.values(module))
        if (state instanceof Parameter || (state instanceof Buffer && state.dtype === 'float32'))
          state.assign(add(state, mul(rand(state.shape as number[]), 0.3)));
  await realize(...model.stateDict().values());
}

describe('fuse', () => {
  it.each([
    ['resnet18', resnet18, [2, 3, 64, 64]],
    ['resnet18 of images of one known size', resnet18, [2, 3, 32, 48]],
    ['vgg11_bn', vgg11_bn, [1, 3, 32, 32]],
    ['googlenet', googlenet, [1, 3, 64, 64]],
    ['inceptionV3', inceptionV3, [1, 3, 75, 75]],
  ] as const)('leaves no batch norm in %s, and its logits as they are', async (_, make, shape) => {
    const model = make({ numClasses: 10 });
    await trained(model);
    const fused = fuse(model, shape);
    // auxiliary heads are not called in evaluating
    expect(normsOf(fused).filter((path) => !/aux/i.test(path))).toEqual([]);
    const x = randn([...shape]);
    const wanted = await model.eval().forward(x).data();
    const seen = await fused.forward(x).data();
    const scale = Math.max(...wanted.map(Math.abs));
    expect(Math.max(...seen.map((value, i) => Math.abs(value - (wanted[i] as number))))).toBeLessThan(1e-4 * scale);
  });

  it('makes ResNet-50 a kernel for each of its 53 convolutions, two pools and the last layer', async () => {
    const model = fuse(resnet50(), [1, 3, 64, 64]);
    await realize(...model.stateDict().values());
    const [{ program }] = programsOf(model.forward(randn([1, 3, 64, 64]))) as [ReturnType<typeof programsOf>[number]];
    expect(program.steps.filter(({ kernel }) => kernel.kind === 'conv')).toHaveLength(53);
    expect(program.steps.length).toBeLessThanOrEqual(60);
  });
});
