import { ArgumentError, ShapeError, setBackend, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { imagenetLabels } from '../src/imagenet-labels';
import { topK } from '../src/topk';

beforeAll(() => setBackend(reference()));
const labels = ['ant', 'bee', 'cat', 'dog'];

describe('topK', () => {
  it('names the most probable classes of each row, equal ones by their index', async () => {
    const found = await topK(
      tensor([
        [0, 3, 1, 2],
        [5, 5, 0, 0],
      ]),
      labels,
      2,
    );
    expect(found.map((row) => row.map(({ label, index }) => [label, index]))).toEqual([
      [
        ['bee', 1],
        ['dog', 3],
      ],
      [
        ['ant', 0],
        ['bee', 1],
      ],
    ]);
    const total = 1 + Math.exp(3) + Math.E + Math.exp(2);
    expect(found[0]?.[0]?.probability).toBeCloseTo(Math.exp(3) / total, 6);
    expect(found[0]?.[1]?.probability).toBeCloseTo(Math.exp(2) / total, 6);
  });
  it('gives probabilities that add to 1 over all classes', async () => {
    const [row] = await topK(tensor([[100, -100, 3, 0]]), labels, 4);
    expect(row?.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
  });
  it('refuses other shapes, other numbers of labels, and more than there are', async () => {
    await expect(topK(tensor([1, 2, 3, 4]), labels)).rejects.toThrow(ShapeError);
    await expect(topK(tensor([[1, 2]]), labels)).rejects.toThrow('4 labels for logits [1,2], wants 2');
    await expect(topK(tensor([[1, 2, 3, 4]]), labels)).rejects.toThrow(ArgumentError); // k is 5 unless told
  });
});

describe('imagenetLabels', () => {
  it('has the classes in the order of published weights', () => {
    expect(imagenetLabels.length).toBe(1000);
    const known = { 0: 'tench', 207: 'golden retriever', 281: 'tabby', 817: 'sports car', 999: 'toilet tissue' };
    for (const [index, name] of Object.entries(known)) expect(imagenetLabels[Number(index)]?.split(', ')[0]).toBe(name);
  });
});
