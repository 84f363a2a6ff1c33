/** The language in lists, as einops' own tests have it: patterns that change nothing, pairs that agree, patterns that throw. */
import { beforeAll, describe, expect, it } from 'vitest';
import { amax, mean, meta, type Shape, setBackend, softmax, sum, type Tensor } from '../../src';
import { type AxisSizes, rearrange, reduce, repeat } from '../../src/einops';
import { reference } from '../../src/reference';
import { counting, expectNear, plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const x = scattered([2, 3, 4, 5]).tensor;
const same = async (a: Tensor, b: Tensor) => {
  expect(a.shape).toEqual(b.shape);
  expect(await a.data()).toEqual(await b.data());
};

describe('patterns that change nothing', () => {
  it.each([
    '...->...',
    'a b c d-> a b c d',
    'a b c d ...-> a b c d ...',
    'a b c d ...-> a ... b c d',
    '... a b c d -> ... a b c d',
    'a ... c d -> a ... c d',
    'a b_1 C2 d -> a b_1 C2 d',
    'a (b) c d -> a b (c) d',
  ])('%s', async (pattern) => {
    await same(rearrange(x, pattern), x);
    await same(reduce(x, pattern, 'sum'), x);
    await same(repeat(x, pattern), x);
  });
});

describe('patterns that agree', () => {
  it.each<[string, string, AxisSizes?]>([
    ['a b c d -> (a b) c d', '... c d -> (...) c d'],
    ['a b c d -> (a b c) d', '... d -> (...) d'],
    ['a b c d -> (a b c d)', '... -> (...)'],
    ['a b c d -> a b (c d)', 'a b ... -> a b (...)'],
    ['a b c d -> b (c d) a', 'a b ... -> b (...) a'],
    ['a b c d -> a 1 1 b c d 1', 'a b c d -> a 1 () b c d ()'],
    ['a b (c c2) d -> c2 a b c d', 'a b (c c2) d -> c2 a b c d', { c: 2, c2: 2 }],
    ['a b c d -> (a c) (b d)', 'a b c d->(a   c)(b d)'],
  ])('%s and %s', (one, other, sizes) =>
    same(rearrange(x, one, one.includes('c2') ? { c2: 2 } : {}), rearrange(x, other, sizes)),
  );

  it.each<[string, string, readonly number[]]>([
    ['a b c d -> ', '... -> ', [0, 1, 2, 3]],
    ['a b c d -> b d', 'a b c ... -> b ...', [0, 2]],
    ['a b c d -> a b', 'a b ... -> a b', [2, 3]],
  ])('reduce by %s and %s, and sum over dims', async (one, other, dims) => {
    await expectNear(reduce(x, one, 'sum'), plain(sum(x, dims).shape as number[], [...(await sum(x, dims).data())]));
    await same(reduce(x, one, 'sum'), reduce(x, other, 'sum'));
  });
});

describe('rearrange', () => {
  it('splits, exchanges and merges: patches of an image, by loops', async () => {
    const image = counting([2, 4, 6, 3]);
    const wanted = table([2, 3 * 4, 6], (b, f, p) => {
      const [c, h, w] = [Math.floor(f / 4), Math.floor((f % 4) / 2), f % 2];
      return image.at(b, Math.floor(p / 3) * 2 + h, (p % 3) * 2 + w, c);
    });
    await expectNear(rearrange(image.tensor, 'b (i h) (j w) c -> b (c h w) (i j)', { h: 2, w: 2 }), wanted);
  });
  it('goes back by the pattern turned round', () =>
    same(rearrange(rearrange(x, 'a b (c e) d -> (d a) e b c', { e: 2 }), '(d a) e b c -> a b (c e) d', { a: 2 }), x));
  it('stacks a list along the first axis', async () => {
    const a = counting([2, 3]);
    const wanted = table([2, 2, 3], (h, _, w) => a.at(h, w));
    await expectNear(rearrange([a.tensor, a.tensor], 'k h w -> h k w'), wanted);
  });
});

describe('reduce', () => {
  it('is pooling where numbers stand for windows', async () => {
    const wanted = reduce(x, 'a b (c two) d -> a b c d', 'max', { two: 2 });
    await same(reduce(x, 'a b (c 2) d -> a b c d', 'max'), wanted);
    await same(amax(rearrange(x, 'a b (c e) d -> a b c e d', { e: 2 }), 3), wanted);
  });
  it('keeps an axis of size 1 where the pattern says so', () =>
    same(reduce(x, 'a b c d -> a b () 1', 'mean'), mean(x, [2, 3], { keepdim: true })));
  it('takes a function', () =>
    same(reduce(x, 'a b c d -> d a b', (t, dims) => amax(softmax(t, 0), dims)), rearrange(amax(softmax(x, 0), 2), 'a b d -> d a b'))); // biome-ignore format: one
});

describe('repeat', () => {
  it.each<[string, AxisSizes, readonly number[], (...place: number[]) => readonly [number, number]]>([
    ['h w -> h w c', { c: 3 }, [2, 3, 3], (h, w) => [h, w]],
    ['h w -> c h w', { c: 2 }, [2, 2, 3], (_, h, w) => [h, w]],
    ['h w -> (r h) w', { r: 2 }, [4, 3], (h, w) => [h % 2, w]],
    ['h w -> h (w 2)', {}, [2, 6], (h, w) => [h, Math.floor(w / 2)]],
    ['h w -> (h 2) (2 w)', {}, [4, 6], (h, w) => [Math.floor(h / 2), w % 3]],
    ['... -> ... 2', {}, [2, 3, 2], (h, w) => [h, w]],
  ])('%s with %j', async (pattern, sizes, shape, from) => {
    const a = counting([2, 3]);
    await expectNear(
      repeat(a.tensor, pattern, sizes),
      table(shape, (...place) => a.at(...from(...place))),
    );
  });
});

describe('unknown sizes', () => {
  it.each<[string, Shape, (t: Tensor) => Tensor, Shape]>([
    ['stay', [null, 3, 4], (t) => rearrange(t, 'b c w -> b (w c)'), [null, 12]],
    ['make products unknown', [null, 3], (t) => rearrange(t, 'b c -> (b c)'), [null]],
    [
      'split into a known and an unknown part',
      [null, 3],
      (t) => rearrange(t, '(b t) c -> b t c', { t: 4 }),
      [null, 4, 3],
    ],
    ['are reduced', [null, 3], (t) => reduce(t, 'b c -> c', 'mean'), [3]],
    ['are repeated', [null, 3], (t) => repeat(t, 'b c -> b 2 c'), [null, 2, 3]],
  ])('%s', (_, shape, f, wanted) => expect(f(meta(shape)).shape).toEqual(wanted));
});

describe('patterns that throw', () => {
  const image = meta([2, 3, 4, 5]);
  it.each<[string, AxisSizes, string]>([
    [
      'a b c d',
      {},
      "ArgumentError: rearrange 'a b c d' of [2,3,4,5]: the pattern has no '->' or several; wants one between input and output",
    ],
    [
      'a b c d -> a b c d -> a',
      {},
      "ArgumentError: rearrange 'a b c d -> a b c d -> a' of [2,3,4,5]: the pattern has no '->' or several; wants one between input and output",
    ],
    [
      'a b c d -> a b c',
      {},
      "ArgumentError: rearrange 'a b c d -> a b c' of [2,3,4,5]: d stands on one side only; wants it on both, or reduce or repeat",
    ],
    [
      'a b c d -> a b c d 2',
      {},
      "ArgumentError: rearrange 'a b c d -> a b c d 2' of [2,3,4,5]: numbers other than 1 (2) are no axes here; name them",
    ],
    [
      '... -> a',
      {},
      "ArgumentError: rearrange '... -> a' of [2,3,4,5]: ..., a stands on one side only; wants it on both, or reduce or repeat",
    ],
    [
      'a b c d -> ...',
      {},
      "ArgumentError: rearrange 'a b c d -> ...' of [2,3,4,5]: the right side has an ellipsis, the left has none; wants it on both",
    ],
    [
      '(... a) b -> ... a b',
      {},
      "ArgumentError: rearrange '(... a) b -> ... a b' of [2,3,4,5]: the ellipsis stands inside parentheses on the left; only the right side can merge it",
    ],
    [
      '(...) -> ...',
      {},
      "ArgumentError: rearrange '(...) -> ...' of [2,3,4,5]: the ellipsis stands inside parentheses on the left; only the right side can merge it",
    ],
    [
      'a a b c -> a b c',
      {},
      "ArgumentError: rearrange 'a a b c -> a b c' of [2,3,4,5]: the axis a stands twice on one side",
    ],
    [
      '... a ... -> ... a',
      {},
      "ArgumentError: rearrange '... a ... -> ... a' of [2,3,4,5]: the axis '...' stands twice on one side",
    ],
    [
      'a b c d -> (a b) (c d',
      {},
      "ArgumentError: rearrange 'a b c d -> (a b) (c d' of [2,3,4,5]: a '(' without its ')' in '(a b) (c d'",
    ],
    [
      'a b c d -> a b) c d',
      {},
      "ArgumentError: rearrange 'a b c d -> a b) c d' of [2,3,4,5]: a ')' without its '(' in 'a b) c d'",
    ],
    [
      'a b c d -> (a (b c)) d',
      {},
      "ArgumentError: rearrange 'a b c d -> (a (b c)) d' of [2,3,4,5]: parentheses inside parentheses in '(a (b c)) d'; wants one level",
    ],
    [
      'a b c .. -> a b c ..',
      {},
      "ArgumentError: rearrange 'a b c .. -> a b c ..' of [2,3,4,5]: a dot in 'a b c ..'; dots stand only in an ellipsis '...'",
    ],
    [
      '_a b c d -> _a b c d',
      {},
      "ArgumentError: rearrange '_a b c d -> _a b c d' of [2,3,4,5]: '_a' is no name of an axis; wants letters, digits and inner underscores, a letter first",
    ],
    [
      'a b c 0 -> a b c 0',
      {},
      "ArgumentError: rearrange 'a b c 0 -> a b c 0' of [2,3,4,5]: an axis of size 0; numbers in a pattern are from 1 on",
    ],
    [
      'a b c -> a b c',
      {},
      "ShapeError: rearrange 'a b c -> a b c' of [2,3,4,5]: the left side has 3 positions, the input 4 axes",
    ],
    [
      'a b c d e ... -> a b c d e ...',
      {},
      "ShapeError: rearrange 'a b c d e ... -> a b c d e ...' of [2,3,4,5]: the left side has at least 5 positions, the input 4 axes",
    ],
    [
      'a b (c e) d -> a b c e d',
      {},
      "ShapeError: rearrange 'a b (c e) d -> a b c e d' of [2,3,4,5]: the sizes of c, e do not follow from their product; give all but one",
    ],
    [
      'a b (c e) d -> a b c e d',
      { e: 3 },
      `ShapeError: rearrange 'a b (c e) d -> a b c e d' of [2,3,4,5], sizes {"e":3}: axis 2 has size 4, which is no multiple of 3`,
    ],
    [
      'a b c d -> d c b a',
      { a: 3 },
      `ShapeError: rearrange 'a b c d -> d c b a' of [2,3,4,5], sizes {"a":3}: axis 0 has size 2, the pattern makes it 3 (a)`,
    ],
    [
      'a b 1 d -> a b d',
      {},
      "ShapeError: rearrange 'a b 1 d -> a b d' of [2,3,4,5]: axis 2 has size 4, the pattern makes it 1",
    ],
    [
      'a b c d -> d c b a',
      { e: 3 },
      `ArgumentError: rearrange 'a b c d -> d c b a' of [2,3,4,5], sizes {"e":3}: the size of e is given, but the pattern has no such axis`,
    ],
    [
      'a b c d -> d c b a',
      { a: 1.5 },
      `ArgumentError: rearrange 'a b c d -> d c b a' of [2,3,4,5], sizes {"a":1.5}: a is 1.5; wants a whole number from 1`,
    ],
  ])('rearrange %s %j', (pattern, sizes, error) => expect(thrown(() => rearrange(image, pattern, sizes))).toBe(error));

  it.each<[string, () => unknown, string]>([
    [
      'a new axis in reduce',
      () => reduce(image, 'a b c d -> a e', 'sum'),
      "ArgumentError: reduce 'a b c d -> a e' of [2,3,4,5]: e stands on the right only; new axes are made by repeat",
    ],
    [
      'a reduction nobody knows',
      () => reduce(image, 'a b c d -> a', 'median' as 'sum'),
      "ArgumentError: reduce: reduction is 'median', wants sum, mean, max, min, prod, any, all or a function",
    ],
    [
      'an axis gone in repeat',
      () => repeat(image, 'a b c d -> a b c'),
      "ArgumentError: repeat 'a b c d -> a b c' of [2,3,4,5]: d stands on the left only; axes are taken out by reduce",
    ],
    [
      'a new axis without a size',
      () => repeat(image, 'a b c d -> a b c d e'),
      "ArgumentError: repeat 'a b c d -> a b c d e' of [2,3,4,5]: the new axis e has no size; give it with the sizes",
    ],
  ])('%s', (_, f, error) => expect(thrown(f)).toBe(error));
});
