import { beforeAll, describe, expect, it } from 'vitest';
import { meta, type PadOptions, pad, setBackend, tensor } from '../../src';
import { reference } from '../../src/reference';
import { counting, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const row = tensor([1, 2, 3]);

describe('pad', () => {
  it.each<[readonly number[], PadOptions, unknown]>([
    [[1, 2], {}, [0, 1, 2, 3, 0, 0]],
    [[-1, 1], {}, [2, 3, 0]],
    [[1, 1], { value: 7 }, [7, 1, 2, 3, 7]],
    [[1, 0], { value: Number.NaN }, [Number.NaN, 1, 2, 3]],
    [[2, 2], { mode: 'reflect' }, [3, 2, 1, 2, 3, 2, 1]],
    [[4, 1], { mode: 'replicate' }, [1, 1, 1, 1, 1, 2, 3, 3]],
    [[3, 2], { mode: 'circular' }, [1, 2, 3, 1, 2, 3, 1, 2]],
    [[1, -1], { mode: 'reflect' }, [2, 1, 2]], // cropped first, as in PyTorch
    [[-1, 2], { mode: 'replicate' }, [2, 3, 3, 3]],
    [[-1, 2], { mode: 'circular' }, [2, 3, 2, 3]],
  ])('by %j %j', async (pads, options, wanted) => expect(await pad(row, pads, options).toArray()).toEqual(wanted));

  it('takes the last axis first', async () => {
    const wanted = [
      [0, 0, 0],
      [0, 0, 1],
      [0, 2, 3],
    ];
    expect(await pad(counting([2, 2]).tensor, [1, 0, 1, 0]).toArray()).toEqual(wanted);
  });
  it('reflects corners in both axes', async () => {
    const wanted = [
      [3, 2, 3],
      [1, 0, 1],
      [3, 2, 3],
    ];
    expect(await pad(counting([2, 2]).tensor, [1, 0, 1, 0], { mode: 'reflect' }).toArray()).toEqual(
      wanted.slice(0, 3).map((r) => r),
    );
  });
  it('keeps an unknown size unknown', () => {
    expect(pad(meta([null, 3, 4]), [1, 1, 2, 2, 3, 0]).shape).toEqual([null, 7, 6]);
    expect(pad(meta([2, null]), [1, 1], { mode: 'reflect' }).shape).toEqual([2, null]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'an odd number of pads',
      () => pad(row, [1]),
      'ArgumentError: pad: pads [1] for shape [3]; wants two whole numbers an axis, last axis first',
    ],
    [
      'more pads than axes',
      () => pad(row, [1, 1, 1, 1]),
      'ArgumentError: pad: pads [1,1,1,1] for shape [3]; wants two whole numbers an axis, last axis first',
    ],
    [
      'reflecting more than there is',
      () => pad(row, [3, 0], { mode: 'reflect' }),
      'ShapeError: pad: mode reflect with pads 3 and 0 on dim 0 of [3]; wants pads of at most 2',
    ],
    [
      'wrapping more than there is',
      () => pad(row, [4, 0], { mode: 'circular' }),
      'ShapeError: pad: mode circular with pads 4 and 0 on dim 0 of [3]; wants pads of at most 3',
    ],
    [
      'cropping more than there is',
      () => pad(row, [-2, -2]),
      'ShapeError: pad: crops more than there is of dim 0 of [3]; its size is 3',
    ],
    [
      'wrapping more than a crop leaves',
      () => pad(row, [-2, 2], { mode: 'circular' }),
      'ShapeError: pad: mode circular with pads 0 and 2 on dim 0 of [1]; wants pads of at most 1',
    ],
    [
      'a mode that there is not',
      () => pad(row, [1, 0], { mode: 'symmetric' as 'reflect' }),
      "ArgumentError: pad: mode is 'symmetric', wants 'constant' or 'reflect' or 'replicate' or 'circular'",
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
