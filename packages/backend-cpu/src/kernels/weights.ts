/** Weights as the tiles of a convolution read them: four output channels side by side, [panel][channel][tap][4]. */
import type { ConvKernel } from '@tessera/tensor/backend';
import { type Code, type Func, i32, type Local, loop, type Module, set, v128, when } from '../assembler';
import { argWords } from '../expression';
import { type Planar, three } from './operands';
import type { Problem } from './problem';
import { tileRows } from './tile';

/**
 * A phase of one chunk a panel: for each channel, `write` gets the panel's address and the loads of its taps, four output
 * channels a vector, and the channel; it gives the code that writes them. The input's gradient reads w[o][c…c+3].
 */
export function weightPhase(
  module: Module,
  kernel: ConvKernel,
  { groups, channels, made }: Problem,
  weight: Planar,
  to: { readonly offset: number; readonly panelBytes: number },
  write: (f: Func, put: Local, taps: readonly Code[], c: Local) => Code,
  once: (args: Local) => Code = () => [],
) {
  const backward = kernel.direction === 'inputGrad';
  const panels = Math.ceil(made / tileRows);
  const f = module.func(['i32', 'i32', 'i32'], [], 'weights');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const [put, c, first] = f.locals('i32', 3) as [Local, Local, Local];
  const rows = f.locals('i32', tileRows);
  const size = three(kernel.sizes.kernel, 1);
  const [strideO, strideC, ...slices] = weight.strides;
  const strides = [...slices, 1] as const;
  const [madeStride, channelStride] = backward ? [strideC, strideO] : [strideO, strideC];
  const groupStride = (kernel.sizes.o / groups) * strideO;
  const places: number[] = [];
  for (let d = 0; d < size[0]; d++)
    for (let y = 0; y < size[1]; y++)
      for (let x = 0; x < size[2]; x++) places.push(4 * (d * strides[0] + y * strides[1] + x * strides[2]));
  const loads = places.map((place) =>
    rows
      .slice(1)
      .reduce<Code>(
        (vector, row, i) => v128.load32_lane(row, vector, i + 1, place),
        v128.load32_zero(rows[0] as Local, place),
      ),
  );
  f.emit(
    once(args),
    loop(lo, lo, hi, 1, [
      set(first, i32.mul(i32.rem_u(lo, panels), tileRows)),
      // behind the last channel, the last one again: nothing of it is stored
      rows.map((row, i) => [
        set(row, i32.add(first, i)),
        when(i32.ge_s(row, made), set(row, made - 1)),
        set(
          row,
          i32.add(
            weight.at(args, 0, 0),
            i32.add(i32.mul(i32.div_u(lo, panels), 4 * groupStride), i32.mul(row, 4 * madeStride)),
          ),
        ),
      ]),
      set(
        put,
        i32.add(i32.add(i32.load(args, 4 * argWords(kernel).sharedScratch), to.offset), i32.mul(lo, to.panelBytes)),
      ),
      loop(c, 0, channels, 1, [write(f, put, loads, c), rows.map((row) => set(row, i32.add(row, 4 * channelStride)))]),
    ]),
  );
  return { name: 'weights', chunks: groups * panels };
}
