/** How many kernels networks are run and trained by. Small images: the plan is the same. */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import { SGD } from '@tessera/nn';
import { type Backend, compile, crossEntropy, randn, realize, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alexnet } from '../src/alexnet';
import { resnet50 } from '../src/resnet';

let backend: Backend;
beforeAll(async () => setBackend((backend = await cpu())));
afterAll(() => backend.dispose());

const countsOf = (subject: Parameters<typeof programsOf>[0]) =>
  programsOf(subject).map(({ program }) => program.steps.length);

describe('kernels', () => {
  it.each([
    ['ResNet-50', resnet50, 32, 330],
    ['AlexNet', alexnet, 63, 60],
  ] as const)('of a training step of %s, the optimizer’s included, are few', (_, make, side, most) => {
    const model = make({ numClasses: 10 });
    const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    const step = compile((x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), model.parameters());
      optimizer.step(grads);
      return value;
    });
    step(randn([2, 3, side, side]), tensor(Int32Array.of(3, 7)));
    const [count, ...others] = countsOf(step);
    expect(others).toEqual([]);
    expect(count).toBeLessThanOrEqual(most);
  });

  it('of ResNet-50’s inference are few without fuse, too', async () => {
    const model = resnet50({ numClasses: 10 }).eval();
    await realize(...model.stateDict().values());
    expect(countsOf(model.forward(randn([1, 3, 64, 64])))[0]).toBeLessThanOrEqual(60);
  });
});
