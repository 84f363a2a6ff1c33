import { compile, mul, State, setBackend, sum, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGrad } from '../src/index';

describe('state assigned from other state', () => {
  beforeAll(() => setBackend(reference()));

  it('stays a variable of its own within a compiled step', async () => {
    const [online, target] = [new State(tensor([1, 2])), new State(tensor([0, 0]))];
    const step = compile(() => {
      target.assign(online.read());
      const { grads } = valueAndGrad(() => sum(mul(mul(online, online), target)), [online, target]);
      return grads;
    });
    for (let i = 0; i < 2; i++) {
      const [byOnline, byTarget] = step();
      expect(await byOnline?.toArray()).toEqual([2, 8]);
      expect(await byTarget?.toArray()).toEqual([1, 4]);
    }
    expect([...(await target.data())]).toEqual([1, 2]);
    online.assign(tensor([5, 5]));
    expect([...(await target.data())]).toEqual([1, 2]);
  });
});
