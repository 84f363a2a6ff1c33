import { meta } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import * as nn from '../src/index';

const isReLU = (module: object) => module instanceof nn.ReLU;

describe('replaceModules', () => {
  it('puts what f returns in the place of modules, in models, lists, arrays, objects and fields', () => {
    class Odd extends nn.Module {
      readonly layers = [new nn.ReLU(), new nn.Sequential(new nn.ReLU(), new nn.Identity())];
      readonly named = { act: new nn.ReLU() };
      readonly list = new nn.ModuleList([new nn.ReLU()]);
      readonly branches = new nn.Parallel([new nn.ReLU()]);
      readonly act = new nn.ReLU();
      forward(x: never) {
        return x;
      }
    }
    const seen: string[] = [];
    const model = nn.replaceModules(new Odd(), (module, path) => {
      seen.push(path);
      return isReLU(module) ? new nn.Tanh() : null;
    });
    expect(seen.slice(0, 5)).toEqual(['', 'layers.0', 'layers.1', 'layers.1.0', 'layers.1.1']);
    const kinds = model.namedModules().map(([path, module]) => `${path} ${module.constructor.name}`);
    expect(kinds.filter((kind) => kind.endsWith('Tanh'))).toEqual([
      'layers.0 Tanh',
      'layers.1.0 Tanh',
      'named.act Tanh',
      'list.0 Tanh',
      'branches.0 Tanh',
      'act Tanh',
    ]);
    expect(kinds.some((kind) => kind.endsWith('ReLU'))).toBe(false);
  });

  it('returns what replaced the root, which is not looked into', () => {
    const inner = new nn.Sequential(new nn.ReLU());
    expect(nn.replaceModules(new nn.ReLU(), (module) => (isReLU(module) ? inner : null))).toBe(inner);
    expect(inner[0]).toBeInstanceOf(nn.ReLU);
  });

  it('asks about a shared module once, and leaves shared what was', () => {
    const shared = new nn.ReLU();
    const model = new nn.Sequential(shared, shared);
    let asked = 0;
    nn.replaceModules(model, (module) => {
      asked++;
      return isReLU(module) ? new nn.Tanh() : null;
    });
    expect(asked).toBe(2);
    expect(model[0]).toBe(model[1]);
  });

  it('skips empty slots and ends in modules that contain themselves', () => {
    class Loop extends nn.Module {
      readonly slot: nn.Module | null = null;
      readonly me = this;
      forward(x: never) {
        return x;
      }
    }
    const loop = new Loop();
    expect(nn.replaceModules(loop, () => null)).toBe(loop);
    expect(loop.slot).toBeNull();
  });
});

describe('deleteModules', () => {
  it('takes layers out of a Sequential, whose others keep their names and so their files', () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Dropout(), new nn.Linear(3, 1));
    expect(nn.deleteModules(model, (module) => module instanceof nn.Dropout)).toBe(model);
    expect([...model.stateDict().keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
    expect([model.length, model.names]).toEqual([2, ['0', '2']]);
    expect(model.forward(meta([4, 2])).shape).toEqual([4, 1]);
  });

  it('asks by name, and not about modules within modules', () => {
    const model = new nn.Sequential({ head: new nn.ReLU(), tail: new nn.Sequential(new nn.ReLU()) });
    nn.deleteModules(model, (module, name) => name === 'head' || isReLU(module));
    expect(model.namedModules().map(([path]) => path)).toEqual(['', 'tail', 'tail.0']);
  });

  it('closes up lists, and empties the fields of other models', () => {
    const list = nn.deleteModules(new nn.ModuleList([new nn.ReLU(), new nn.Tanh(), new nn.ReLU()]), isReLU);
    expect([list.length, list[0]?.constructor.name, list[1]]).toEqual([1, 'Tanh', undefined]);
    const sum = nn.deleteModules(new nn.Additive([new nn.ReLU(), new nn.Tanh()], { post: new nn.ReLU() }), isReLU);
    expect([sum.length, sum[0]?.constructor.name, sum.post]).toEqual([1, 'Tanh', null]);
    expect(sum.forward(meta([2])).shape).toEqual([2]);
    class Odd extends nn.Module {
      readonly layers = [new nn.ReLU(), new nn.Tanh(), new nn.ReLU()];
      readonly named: Record<string, nn.Module> = { a: new nn.ReLU(), b: new nn.Tanh() };
      readonly act: nn.Module | null = new nn.ReLU();
      forward(x: never) {
        return x;
      }
    }
    const odd = nn.deleteModules(new Odd(), isReLU);
    expect(odd.namedModules().map(([path]) => path)).toEqual(['', 'layers.0', 'named.b']);
    expect(odd.act).toBeNull();
  });
});
