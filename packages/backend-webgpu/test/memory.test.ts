/** Pages of many tensors: where those lie, what is kept, and when a page goes. */
import { describe, expect, it } from 'vitest';
import { type Copy, type GpuBuffer, Memory } from '../src/memory';

function setUp(all = Number.POSITIVE_INFINITY) {
  const destroyed: string[] = [];
  const created: number[] = [];
  const copies: Copy[] = [];
  const device = {
    pushErrorScope: () => {},
    popErrorScope: async () => null,
    createBuffer: ({ size, label }: GPUBufferDescriptor) => {
      created.push(size);
      return { size, destroy: () => void destroyed.push(`${label}`) };
    },
  } as unknown as GPUDevice;
  const memory = new Memory(
    device,
    { buffer: 4096, all },
    { failed: () => {}, later: (run) => run(), copy: (list) => void copies.push(...list) },
  );
  const make = (...sizes: number[]): GpuBuffer[] => sizes.map((size) => memory.allocate(size, `t${size}`));
  return { memory, make, created, destroyed, copies };
}

describe('a page', () => {
  it('has its tensors side by side, each from a place that any device binds, and what was theirs is gone', () => {
    const { memory, make, destroyed, copies } = setUp();
    const tensors = make(100, 1024, 300);
    const before = memory.use();
    memory.gather(tensors);
    expect(tensors.map(({ region }) => [region.offset, region.size])).toEqual([
      [0, 256],
      [256, 1024],
      [1280, 512],
    ]);
    expect(new Set(tensors.map(({ region }) => region.gpu)).size).toBe(1);
    expect(copies.map(({ from }) => from.size)).toEqual([256, 1024, 512]);
    expect(destroyed).toEqual(['tessera t100', 'tessera t1024', 'tessera t300']);
    expect(memory.use()).toEqual(before);
  });

  it('is as large as a buffer may be: more tensors take more of them', () => {
    const { memory, make } = setUp();
    const tensors = make(2048, 2048, 2048);
    expect(memory.pagesOf(tensors).map((page) => page.length)).toEqual([2, 1]);
    memory.gather(tensors);
    expect(new Set(tensors.map(({ region }) => region.gpu)).size).toBe(2);
  });

  it('hands out again what is freed in it, before buffers of their own', () => {
    const { memory, make } = setUp();
    const [a, b, c] = make(256, 256, 256) as [GpuBuffer, GpuBuffer, GpuBuffer];
    memory.gather([b, c]);
    const { region } = b;
    memory.free(a);
    memory.free(b);
    expect(make(200)[0]?.region).toBe(region);
  });

  it('goes when memory is wanted and nobody has a part of it, not before', () => {
    const { memory, make, destroyed } = setUp(4096);
    const [a, b] = make(512, 1024) as [GpuBuffer, GpuBuffer];
    memory.gather([a, b]);
    destroyed.length = 0;
    memory.free(a);
    make(2560);
    expect(destroyed).toEqual([]);
    memory.free(b);
    make(768);
    expect(destroyed).toEqual(['tessera page of 2 tensors']);
    expect(memory.use()).toMatchObject({ bytes: 2560 + 768, reserved: 2560 + 768 });
  });

  it('lets go of one that a kernel binds beside it', () => {
    const { memory, make } = setUp();
    const [a, b] = make(256, 256) as [GpuBuffer, GpuBuffer];
    memory.gather([a, b]);
    memory.separate([a]);
    expect(a.region.gpu).not.toBe(b.region.gpu);
    expect(memory.use()).toMatchObject({ bytes: 512, reserved: 768 });
  });
});

describe('small results', () => {
  it('lie in pages of their own, made 64 kB at a time and apart from what else is that small', () => {
    const { memory, make, created } = setUp(2 ** 20);
    const results = Array.from({ length: 257 }, () => memory.allocate(4, 'loss', true));
    expect(created).toEqual([2 ** 16, 2 ** 16]);
    expect(results.map(({ region }) => region.offset).slice(255)).toEqual([255 * 256, 0]);
    const [first, second] = results as [GpuBuffer, GpuBuffer];
    memory.free(first);
    expect(make(4)[0]?.region.page).toBeNull();
    expect(memory.allocate(4, 'loss', true).region).toBe(first.region);
    memory.separate([second]);
    expect(second.region).toMatchObject({ page: null, size: 256 });
  });

  it('are as others where a page of them is more than there may be, or where they are large', () => {
    const few = setUp(4096);
    expect(few.memory.allocate(4, 'loss', true)).toMatchObject({ fresh: false, region: { page: null } });
    const { memory } = setUp();
    expect(memory.allocate(257, 'logits', true)).toMatchObject({ fresh: false, region: { page: null } });
  });
});
