/** No kernel is built twice in a page: not for another model, another batch, another instance, nor after a lost context. */
import { valueAndGrad } from '@tessera/autograd';
import * as nn from '@tessera/nn';
import { compile, crossEntropy, manualSeed, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Webgl, webgl } from '../src/index';
import { contextsOf, lose } from './contexts';

/** GLSL of every program that was built, without its title. */
const built: string[] = [];
function watch(gl: WebGL2RenderingContext): void {
  const shaderSource = gl.shaderSource.bind(gl);
  gl.shaderSource = (shader, text) => {
    if (text.includes('// tessera: kernel')) built.push(text.replace(/^\/\/.*$/gm, ''));
    shaderSource(shader, text);
  };
}

let backend: Webgl;
let first: WebGL2RenderingContext | undefined;
beforeAll(async () => {
  const { value, made } = await contextsOf(() => webgl(), watch);
  [backend, first] = [value, made[0]];
  setBackend(backend);
});
afterAll(() => backend.dispose());

/** How many programs `body` builds; each of them for the first time on this context. */
async function builds(body: () => Promise<void>): Promise<number> {
  const [before, counted] = [built.length, backend.info().objects.programs];
  await body();
  expect(new Set(built).size).toBe(built.length);
  expect(backend.info().objects.programs - counted).toBe(built.length - before);
  return built.length - before;
}

const block = (from: number, to: number) => [
  new nn.Conv2d(from, to, 3, { padding: 1 }),
  new nn.BatchNorm2d(to),
  new nn.ReLU(),
  new nn.MaxPool2d(2),
];

/** Trains a network of such blocks, on images [N,3,16,16] of five kinds. */
function trainer(...channels: readonly number[]) {
  manualSeed(0);
  const side = 16 >> channels.length;
  const model = new nn.Sequential(
    ...channels.flatMap((to, i) => block(channels[i - 1] ?? 3, to)),
    new nn.Flatten(),
    new nn.Linear((channels.at(-1) as number) * side ** 2, 5),
  );
  const optimizer = new nn.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const step = compile((x: Tensor, y: Tensor) => {
    const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), model.parameters());
    optimizer.step(grads);
    return value;
  });
  return {
    cells: () => [...model.stateDict().values(), ...optimizer.stateDict().values()],
    async learn(batch: number): Promise<void> {
      const images = Float32Array.from({ length: batch * 768 }, (_, i) => Math.sin(i));
      const x = tensor(images, { shape: [batch, 3, 16, 16] });
      const y = tensor(Int32Array.from({ length: batch }, (_, i) => i % 5));
      for (let turn = 0; turn < 3; turn++) expect(await step(x, y).item()).toBeGreaterThan(0);
    },
  };
}

it('no program is built twice in a page, nor on the context after', async () => {
  const small = trainer(8, 8);
  const learn = () => small.learn(4);
  const all = await builds(learn);
  // What another network, or another batch, has in common with it is there; the bounds of loops it has not.
  expect(await builds(() => trainer(8, 8, 8).learn(4))).toBeLessThan(all / 2);
  expect(await builds(() => small.learn(6))).toBeLessThan(all / 2);
  expect(await builds(learn)).toBe(0);
  expect(await builds(() => trainer(8, 8).learn(4))).toBe(0);

  const values = await Promise.all(small.cells().map((cell) => cell.data()));
  lose(first);
  await expect(backend.sync()).rejects.toThrow(/context was lost/);
  built.length = 0;
  await contextsOf(() => backend.restore(), watch);
  small.cells().forEach((cell, i) => {
    cell.assign(tensor(values[i] as Float32Array, { shape: cell.shape as number[] }));
  });
  const again = await builds(learn);
  expect(again).toBeGreaterThan(0);
  expect(again).toBeLessThanOrEqual(all);
  expect(await builds(learn)).toBe(0);
});
