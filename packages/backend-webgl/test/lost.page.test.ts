/** A lost context: told, survived, and never zeros in place of values. */
import { valueAndGrad } from '@tessera/autograd';
import * as nn from '@tessera/nn';
import {
  add,
  cast,
  compile,
  manualSeed,
  matmul,
  mean,
  mul,
  ones,
  rand,
  State,
  setBackend,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { BackendError } from '@tessera/tensor/backend';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Webgl, webgl } from '../src/index';
import { contextsOf, lose, without } from './contexts';

const used: Webgl[] = [];
/** More than what the host keeps of values that were read. */
const many = Float32Array.from({ length: 301 }, (_, i) => i);
afterEach(() => {
  for (const each of used.splice(0)) each.dispose();
});

/** A backend, and how to lose its context. */
async function losable(options: Parameters<typeof webgl>[0] = {}): Promise<{ own: Webgl; loseIt: () => void }> {
  const { value: own, made } = await contextsOf(() => webgl(options));
  used.push(own);
  setBackend(own);
  return { own, loseIt: () => lose(made[0]) };
}
/** The event of the loss comes a turn later. */
const lost = (own: Webgl) => expect(own.sync()).rejects.toThrow(/context was lost/);

/** With its values on the device, and no longer on the host. */
async function uploaded(x: Tensor): Promise<Tensor> {
  await sum(cast(x, 'float32')).data();
  return x;
}

describe('a lost context', () => {
  it('rejects the reads that wait and all later ones, and tells onLost', async () => {
    const told: string[] = [];
    const { own, loseIt } = await losable({ onLost: ({ message }) => told.push(message) });
    const buffer = own.allocate('float32', 4);
    own.upload(buffer, 'float32', new Float32Array(4));
    const read = own.download(buffer, 'float32', 4);
    const failed = expect(read).rejects.toThrow(/context was lost.*backend\.restore\(\)/);
    loseIt();
    await failed;
    expect(told).toEqual([expect.stringMatching(/context was lost/)]);
    await expect(own.sync()).rejects.toThrow(BackendError);
    expect(() => own.allocate('float32', 4)).toThrow(/context was lost/);
  });

  it('lets work that was on its way fail at its read', async () => {
    const { loseIt } = await losable();
    const x = ones([40]);
    await x.data();
    loseIt();
    await expect(async () => mul(add(x, 1), 3).data()).rejects.toThrow(/context was lost/);
  });

  it('leaves other backends alone, as does dispose', async () => {
    const { own } = await losable();
    const [other, { loseIt }] = [await webgl(), await losable()];
    loseIt();
    other.dispose();
    setBackend(own);
    expect(await sum(ones([5])).item()).toBe(5);
  });
});

describe('restore', () => {
  it('brings back what was handed in, of every type', async () => {
    const { own, loseIt } = await losable();
    const given = [
      tensor([0.5, -1e-8, Number.NaN, Number.NEGATIVE_INFINITY]),
      tensor(Float32Array.from({ length: 5001 }, (_, i) => Math.sin(i))),
      tensor(Int32Array.of(3, -7, 2_000_000_000)),
      tensor(Uint8Array.of(0, 7, 255, 4, 9), { dtype: 'uint8' }),
      tensor([true, false, true]),
    ];
    const before = await Promise.all(given.map((x) => x.data()));
    await Promise.all(given.map(uploaded));
    const { bytes, buffers } = own.memory();
    loseIt();
    await lost(own);
    await own.restore();
    expect(own.memory()).toMatchObject({ bytes, buffers });
    const wanted = Array.from({ length: 5001 }, (_, i) => Math.sin(i)).reduce((a, b) => a + b);
    expect(await sum(given[1] as Tensor).item()).toBeCloseTo(wanted, 3);
    expect(await Promise.all(given.map((x) => x.data()))).toEqual(before);
  });

  it('never gives zeros for what was computed: each read of it rejects, and of what comes of it', async () => {
    const { own, loseIt } = await losable();
    const x = await uploaded(tensor(many));
    const computed = mul(x, 2);
    await computed.data();
    loseIt();
    await lost(own);
    await own.restore();
    await expect(async () => computed.data()).rejects.toThrow(/computed on a context that was lost.*checkpoint/);
    await expect(async () => sum(add(computed, x)).data()).rejects.toThrow(BackendError);
    expect(await mul(x, 2).data()).toEqual(many.map((value) => 2 * value));
  });

  it('goes on training from a checkpoint, with the step that was compiled before', async () => {
    const { own, loseIt } = await losable();
    let traced = 0;
    const w = new State(tensor([[1], [2]]));
    const step = compile((x: Tensor) => {
      traced++;
      const { value, grads } = valueAndGrad(() => mean(square(matmul(x, w.read()))), w);
      w.assign(sub(w.read(), mul(grads, 0.1)));
      return value;
    });
    const x = tensor([
      [1, 0.5],
      [-1, 2],
    ]);
    await step(x).item();
    const checkpoint = await w.data();
    const next = await step(x).item();
    loseIt();
    await lost(own);
    await own.restore();
    await expect(async () => step(x).item()).rejects.toThrow(/gone; load the last checkpoint/);
    await expect(async () => w.data()).rejects.toThrow(/gone/);
    w.assign(tensor(checkpoint, { shape: [2, 1] }));
    expect(await step(x).item()).toBe(next);
    expect(traced).toBe(1);
  });

  it('brings back states that were handed in: a loaded network answers as before, a rate is the rate', async () => {
    const { own, loseIt } = await losable();
    const model = new nn.Linear(20, 20);
    model.loadStateDict(
      new Map([
        [
          'weight',
          tensor(
            Float32Array.from({ length: 400 }, (_, i) => Math.sin(i)),
            { shape: [20, 20] },
          ),
        ],
        ['bias', tensor(Float32Array.from({ length: 20 }, (_, i) => i))],
      ]),
    );
    const optimizer = new nn.SGD(model.parameters(), { lr: 0.1 });
    const [answer, step] = [nn.compile(model, { mode: 'eval' }), compile((g: Tensor) => optimizer.step([g, null]))];
    const [x, g] = [tensor(many.slice(0, 20), { shape: [1, 20] }), tensor(new Float32Array(400), { shape: [20, 20] })];
    const before = await answer(x).data();
    loseIt();
    await lost(own);
    await own.restore();
    expect(await answer(x).data()).toEqual(before);
    step(g);
    expect(await answer(x).data()).toEqual(before);
  });

  it('may be called at any time, and again after another loss', async () => {
    const { value: own, made } = await contextsOf(async () => {
      const backend = await webgl();
      used.push(backend);
      setBackend(backend);
      await backend.restore(); // nothing was lost
      return backend;
    });
    const x = await uploaded(tensor([1, 2, 3, 4]));
    lose(made[0]);
    await lost(own);
    const { made: second } = await contextsOf(() => Promise.all([own.restore(), own.restore()]));
    expect(second.length).toBe(1);
    lose(second[0]);
    await lost(own);
    await own.restore();
    expect(await sum(x).item()).toBe(10);
    manualSeed(3);
    expect((await rand([4]).data()).every((value) => value >= 0 && value < 1)).toBe(true);
    own.dispose();
    await expect(own.restore()).rejects.toThrow(/disposed/);
  });

  it('keeps no copies where it was told not to', async () => {
    const { own, loseIt } = await losable({ keepUploads: false });
    const x = await uploaded(tensor([1, 2]));
    loseIt();
    await lost(own);
    await own.restore();
    await expect(async () => x.data()).rejects.toThrow(/gone/);
    expect(await sum(tensor([1, 2])).item()).toBe(3);
  });

  it('says so where the browser gives no context, and may be tried again', async () => {
    const { own, loseIt } = await losable();
    const x = await uploaded(tensor([1, 2]));
    loseIt();
    await lost(own);
    const refused = [OffscreenCanvas.prototype, HTMLCanvasElement.prototype].map((canvas) =>
      vi.spyOn(canvas as OffscreenCanvas, 'getContext').mockReturnValue(null),
    );
    await expect(own.restore()).rejects.toThrow(/no WebGL2 context/);
    for (const each of refused) each.mockRestore();
    await expect(async () => x.data()).rejects.toThrow(/context was lost/);
    await own.restore();
    expect(await sum(x).item()).toBe(3);
  });

  it('takes a device that draws no floats, where it is another one', async () => {
    const warnings: string[] = [];
    const { own, loseIt } = await losable({ onWarning: (message) => warnings.push(message) });
    const x = await uploaded(tensor([0.1, 0.2]));
    loseIt();
    await lost(own);
    await contextsOf(() => own.restore(), without('EXT_color_buffer_float'));
    expect(own.info().storage).toBe('bits');
    expect(warnings).toEqual([expect.stringMatching(/no EXT_color_buffer_float/)]);
    expect([...(await add(x, 1).data())]).toEqual([Math.fround(1.1), Math.fround(1.2)]);
  });
});

it('where a canvas off the page draws no WebGL, one of the page does', async () => {
  const off = vi.spyOn(OffscreenCanvas.prototype, 'getContext').mockReturnValue(null);
  const { own } = await losable();
  expect(off).toHaveBeenCalled();
  off.mockRestore();
  expect(await sum(tensor([1, 2, 3])).item()).toBe(6);
  expect(own.info().renderer).not.toBe('');
});
