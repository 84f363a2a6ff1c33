import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@tessera/backend-cpu';
import { type LoadProgress, saveSafetensors } from '@tessera/nn';
import { LoadError, manualSeed, rand, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cifarResnet20 } from '../src/cifar-resnet';
import { loadPretrained } from '../src/pretrained';

let folder: string;
let path: string;
let backend: Awaited<ReturnType<typeof cpu>>;
beforeAll(async () => {
  backend = await cpu();
  setBackend(backend);
});
afterAll(() => backend.dispose());
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'tessera-pretrained-'));
  path = join(folder, 'model.safetensors');
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const seeded = (seed: number, numClasses = 10) => {
  manualSeed(seed);
  return cifarResnet20({ numClasses });
};
const values = async (model: ReturnType<typeof seeded>) =>
  Promise.all([...model.stateDict()].map(async ([key, state]) => [key, Array.from(await state.data())]));

describe('loadPretrained', () => {
  it('gives the model the values of the file, in one piece and in shards', async () => {
    const source = seeded(1);
    await saveSafetensors(source.stateDict(), path, { metadata: { recipe: 'ours' } });
    await saveSafetensors(source.stateDict(), join(folder, 'cut.safetensors'), { maxShardSize: 300_000 });
    for (const file of [path, join(folder, 'cut.safetensors.index.json')]) {
      const events: LoadProgress[] = [];
      const model = seeded(2);
      const report = await loadPretrained(model, file, { progress: (event) => events.push(event) });
      expect(report).toMatchObject({ missing: [], unexpected: [], mismatched: [] });
      if (file === path) expect(report.metadata).toEqual({ recipe: 'ours' });
      expect(await values(model)).toEqual(await values(source));
      expect(events.at(-1)?.loaded).toBe(events.at(-1)?.total);
    }
  });

  it('lists all that does not fit at once, and then changes nothing', async () => {
    const given = new Map<string, Tensor>();
    for (const [key, state] of seeded(1).stateDict()) given.set(key, state.read());
    given.delete('bn1.weight');
    given.set('extra', tensor([1]));
    given.set('fc.bias', tensor([1, 2, 3]));
    const bytes = await saveSafetensors(given);
    const model = seeded(2);
    const before = await values(model);
    const error = await loadPretrained(model, bytes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LoadError);
    expect(String(error)).toContain(
      'missing: bn1.weight; unexpected: extra; of another shape: fc.bias [3] (wants [10]); is it the same architecture?',
    );
    expect(await values(model)).toEqual(before);
    const { missing, unexpected, mismatched } = await loadPretrained(model, bytes, {
      strict: false,
      ignoreMismatchedSizes: true,
    });
    expect({ missing, unexpected, mismatched }).toEqual({
      missing: ['bn1.weight'],
      unexpected: ['extra'],
      mismatched: [{ key: 'fc.bias', model: [10], file: [3] }],
    });
  });

  it('leaves a head for other classes as it is, where told', async () => {
    const source = seeded(1);
    const bytes = await saveSafetensors(source.stateDict());
    const model = seeded(2, 7);
    const head = Array.from(await model.fc.weight.data());
    await expect(loadPretrained(model, bytes)).rejects.toThrow('fc.weight [10,64] (wants [7,64])');
    const { mismatched } = await loadPretrained(model, bytes, { ignoreMismatchedSizes: true });
    expect(mismatched.map(({ key }) => key)).toEqual(['fc.weight', 'fc.bias']);
    expect(Array.from(await model.fc.weight.data())).toEqual(head);
    const x = rand([1, 3, 8, 8]);
    expect(Array.from(await model.eval().features(x).data())).toEqual(
      Array.from(await source.eval().features(x).data()),
    );
  });

  it('takes no file but the one that was meant, and none that was given up', async () => {
    const bytes = await saveSafetensors(seeded(1).stateDict());
    const model = seeded(2);
    const before = await values(model);
    const integrity = `sha256-${createHash('sha256').update(bytes).digest('base64')}`;
    bytes[bytes.length - 1] = 77;
    await expect(loadPretrained(model, bytes, { integrity })).rejects.toThrow('the SHA-256 is ');
    await expect(loadPretrained(model, bytes, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    expect(await values(model)).toEqual(before);
  });
});
