/**
 * The reference backend: the whole kernel IR in plain JavaScript, a function a kernel kind. It is the oracle of the property
 * tests, the path where a content security policy forbids WebAssembly (nothing here makes code from strings), and the worked
 * example of the contract.
 *
 * How it computes: an expression becomes a list of closures, one a node, each filling the node's slot in an array of values.
 * A shared node is one slot, so it is computed once an element. Operands of matmul, conv, pool, scatter, sort and scan are
 * first tabulated over their domain; then come plain loops over arrays; then the stores, which see the results as `acc`.
 *
 * How it rounds: `float64` not at all. `float32` rounds the result of every function, and carries sums and products in float64
 * and rounds them once at their end, which is never worse than adding up in float32.
 */
import type { Backend, DeviceBuffer, Executable, KernelTiming, Limits, Plan, PlanStep, TypedArray } from './backend';
import { BackendError } from './errors';
import { roundHalf } from './half';
import type * as ir from './ir';
import { casts, type Fn, functionOf, startOf } from './numbers';
import { recompute } from './schedule/recompute';
import { rowMajor, sizeOf } from './view';

type Data = Float64Array | Float32Array | Int32Array | Uint8Array;
type Action = () => void;
type Shape = readonly number[];
type Precision = 'float64' | 'float32';

const axesOf = (shape: Shape): number[] => shape.map((_, axis) => axis);

// ---------------------------------------------------------------------------------------------------- expressions to closures

/** Expressions made ready: `run` evaluates all of them at the current coordinates, `values[slots[i]]` is the i-th. */
type Program = { readonly run: Action; readonly values: Float64Array; readonly slots: readonly number[] };

/** A kernel made ready: where it is while it runs, and what turns its expressions and stores into closures. */
class Machine implements Executable {
  /** The place in the domain, of at most 32 axes. */
  readonly coords = new Int32Array(32);
  readonly accs: Float64Array;
  readonly round: (x: number) => number;
  private inputs: readonly Data[] = [];
  private outputs: readonly Data[] = [];
  private uniforms: readonly number[] = [];
  /** Fill the slots of constants and uniforms when a run starts. */
  private readonly fixed: Action[] = [];
  private readonly action: Action;

  constructor(
    readonly kernel: ir.Kernel,
    readonly precision: Precision,
  ) {
    this.round = precision === 'float32' ? Math.fround : (x) => x;
    this.accs = new Float64Array(kernel.kind === 'reduce' ? kernel.stages.flat().length : 2);
    this.action = compileKernel(this);
  }

  run(inputs: readonly Data[], outputs: readonly Data[], uniforms: readonly number[]): void {
    [this.inputs, this.outputs, this.uniforms] = [inputs, outputs, uniforms];
    for (const fill of this.fixed) fill();
    this.action();
    [this.inputs, this.outputs] = [[], []]; // pins no memory between runs
  }

  /** Closures that evaluate `exprs`, each node of them once, arguments before what they are arguments of. */
  program(exprs: readonly ir.Expr[]): Program {
    const slotOf = new Map<ir.Expr, number>();
    const visit = (expr: ir.Expr): void => {
      if (slotOf.has(expr)) return;
      argumentsOf(expr).forEach(visit);
      slotOf.set(expr, slotOf.size);
    };
    exprs.forEach(visit);
    const values = new Float64Array(slotOf.size);
    const steps: Action[] = [];
    for (const [expr, slot] of slotOf) {
      const args = argumentsOf(expr).map((arg) => slotOf.get(arg)!);
      const once = expr.op === 'const' || expr.op === 'uniform';
      (once ? this.fixed : steps).push(this.step(expr, slot, values, args));
    }
    const run = () => {
      for (let i = 0; i < steps.length; i++) steps[i]!();
    };
    return { run, values, slots: exprs.map((expr) => slotOf.get(expr)!) };
  }

  /** What computes one node from the slots of its arguments. */
  private step(expr: ir.Expr, slot: number, values: Float64Array, args: readonly number[]): Action {
    const { coords, accs, round } = this;
    const narrow = expr.dtype === 'float32' ? round : (casts[expr.dtype] as (x: number) => number);
    switch (expr.op) {
      case 'const':
        return () => (values[slot] = narrow(expr.value));
      case 'uniform':
        return () => (values[slot] = narrow(this.uniforms[expr.index]!));
      case 'index':
        return () => (values[slot] = coords[expr.axis]!);
      case 'acc':
        return () => (values[slot] = accs[expr.index]!);
      case 'load':
        return this.load(expr, slot, values, args);
      case 'apply': {
        const fn = functionOf(expr.fn, expr.args.at(-1)!.dtype, expr.dtype);
        const [a = 0, b = 0, c = 0, d = 0] = args;
        return () => (values[slot] = narrow(fn(values[a]!, values[b]!, values[c]!, values[d]!)));
      }
      default:
        return expr satisfies never;
    }
  }

  private load({ input, view, at }: ir.Load, slot: number, values: Float64Array, args: readonly number[]): Action {
    const { coords } = this;
    const { shape, strides, offset, valid } = view;
    this.checkExtent('load', input, view);
    const checked = at || valid;
    const axes = axesOf(shape).filter((axis) => checked || (strides[axis] !== 0 && shape[axis] !== 1));
    const range = axesOf(shape).map((axis) => rangeOf(view, axis));
    return () => {
      let place = offset;
      values[slot] = 0;
      for (let i = 0; i < axes.length; i++) {
        const axis = axes[i]!;
        const coordinate = at ? values[args[axis]!]! : coords[axis]!;
        if (checked && (coordinate < range[axis]![0] || coordinate >= range[axis]![1])) return;
        place += coordinate * strides[axis]!;
      }
      values[slot] = this.inputs[input]![place]!;
    };
  }

  /** Evaluates the expressions of all stores, then writes them: a store never changes what another one reads. */
  writer(stores: readonly ir.Store[]): Action {
    const { run, values, slots } = this.program(stores.map(({ expr }) => expr));
    const writes = stores.map(({ output, view }, i) => {
      this.checkExtent('store', output, view);
      const { strides, offset } = view;
      const slot = slots[i]!;
      const half = this.kernel.outputs[output]!.dtype === 'float16' && this.precision === 'float32';
      return () => {
        let place = offset;
        for (let axis = 0; axis < strides.length; axis++) place += this.coords[axis]! * strides[axis]!;
        this.outputs[output]![place] = half ? roundHalf(values[slot]!) : values[slot]!; // typed arrays wrap and round
      };
    });
    return () => {
      run();
      for (let i = 0; i < writes.length; i++) writes[i]!();
    };
  }

  /** An expression over a domain, as a row-major table. */
  table(expr: ir.Expr, shape: Shape): () => Float64Array {
    const { run, values, slots } = this.program([expr]);
    return () => {
      const result = new Float64Array(sizeOf(shape));
      let i = 0;
      this.walk(shape, axesOf(shape), () => {
        run();
        result[i++] = values[slots[0]!]!;
      });
      return result;
    };
  }

  /** The stores of a kernel whose results are row-major tables over `shape`, the first of them of type `dtype`. */
  epilogue(shape: Shape, stores: readonly ir.Store[], dtype: ir.Compute): (...tables: Float64Array[]) => void {
    const write = this.writer(stores);
    const round = dtype === 'float32' ? this.round : (x: number) => x | 0;
    return (first, second) => {
      let i = 0;
      this.walk(shape, axesOf(shape), () => {
        this.accs[0] = round(first![i]!);
        if (second) this.accs[1] = second[i]!;
        i++;
        write();
      });
    };
  }

  /** Calls `visit` at every coordinate of the given axes, row-major, and leaves these axes at 0. */
  walk(shape: Shape, axes: readonly number[], visit: Action): void {
    if (axes.some((axis) => shape[axis] === 0)) return;
    for (let i = 0; i >= 0; ) {
      visit();
      for (i = axes.length - 1; i >= 0; i--) {
        if (++this.coords[axes[i]!]! < shape[axes[i]!]!) break;
        this.coords[axes[i]!] = 0;
      }
    }
  }

  /** A view that leaves its buffer is a fault of whoever made the kernel; JavaScript would read undefined and go on. */
  private checkExtent(what: 'load' | 'store', operand: number, view: ir.View): void {
    const { kind, inputs, outputs } = this.kernel;
    const size = (what === 'load' ? inputs : outputs)[operand]?.size ?? 0;
    let [least, most] = [view.offset, view.offset];
    for (const axis of axesOf(view.shape)) {
      const [low, high] = rangeOf(view, axis);
      if (low >= high) return; // nothing is read
      const ends = [low * view.strides[axis]!, (high - 1) * view.strides[axis]!];
      least += Math.min(...ends);
      most += Math.max(...ends);
    }
    if (least >= 0 && most < size) return;
    const saw = `view [${view.shape}] of operand ${operand}, of ${size} elements, reaches elements ${least} to ${most}`;
    throw new BackendError(`reference: a ${what} of ${kind}: ${saw}`);
  }
}

const argumentsOf = (expr: ir.Expr): readonly ir.Expr[] =>
  expr.op === 'apply' ? expr.args : expr.op === 'load' ? (expr.at ?? []) : [];

/** The coordinates of an axis that have an element. */
function rangeOf({ shape, valid }: ir.View, axis: number): [low: number, high: number] {
  const [low, high] = valid?.[axis] ?? [0, shape[axis]!];
  return [Math.max(0, low), Math.min(shape[axis]!, high)];
}

// ---------------------------------------------------------------------------------------------------- the eight kinds

/** What runs the kernel over the buffers that its machine is bound to. */
function compileKernel(machine: Machine): Action {
  const { kernel } = machine;
  switch (kernel.kind) {
    case 'map':
      return map(kernel, machine);
    case 'reduce':
      return reduce(kernel, machine);
    case 'matmul':
      return matmul(kernel, machine);
    case 'conv':
      return conv(kernel, machine);
    case 'pool':
      return pool(kernel, machine);
    case 'scatter':
      return scatter(kernel, machine);
    case 'sort':
      return sort(kernel, machine);
    case 'scan':
      return scan(kernel, machine);
    case 'custom':
      throw new BackendError(`reference: ${kernel.name} is code for ${kernel.backend}; choose that backend`);
    default:
      return kernel satisfies never;
  }
}

function map({ parts }: ir.MapKernel, machine: Machine): Action {
  const writers = parts.map(({ shape, stores }) => ({ shape, write: machine.writer(stores) }));
  return () => {
    for (const { shape, write } of writers) machine.walk(shape, axesOf(shape), write);
  };
}

const combineFunctions = { sum: 'add', prod: 'mul', max: 'max', min: 'min', add: 'add', mul: 'mul' } as const;

/** Does a value take the place of the best so far? NaN does, but not of another NaN; equals do not. */
const beats = (value: number, best: number, combine: 'argmax' | 'argmin'): boolean =>
  (combine === 'argmax' ? value > best : value < best) || (Number.isNaN(value) && !Number.isNaN(best));

function reduce({ shape, axes, stages, stores }: ir.ReduceKernel, machine: Machine): Action {
  const { accs, round } = machine;
  const rowAxes = axesOf(shape).filter((axis) => axes.includes(axis));
  const otherAxes = axesOf(shape).filter((axis) => !axes.includes(axis));
  const best = new Float64Array(accs.length); // of arg…, whose accumulator is a position
  let position = 0; // in the row
  let count = 0; // of accumulators, numbered through all stages
  const passes = stages.map((stage) => {
    const { run, values, slots } = machine.program(stage.map(({ expr }) => expr));
    const accumulators = stage.map(({ combine, dtype }, i) => {
      const [slot, index] = [slots[i]!, count++];
      if (combine === 'argmax' || combine === 'argmin') {
        const take = () => {
          if (position > 0 && !beats(values[slot]!, best[index]!, combine)) return;
          best[index] = values[slot]!;
          accs[index] = position;
        };
        return { index, start: 0, dtype, take };
      }
      const [start, fn] = [startOf(combine, dtype), functionOf(combineFunctions[combine], dtype)];
      return { index, start, dtype, take: () => (accs[index] = fn(accs[index]!, values[slot]!, 0, 0)) };
    });
    return () => {
      for (const { index, start } of accumulators) accs[index] = start;
      position = 0;
      machine.walk(shape, rowAxes, () => {
        run();
        for (let i = 0; i < accumulators.length; i++) accumulators[i]!.take();
        position++;
      });
      for (const { index, dtype } of accumulators) if (dtype === 'float32') accs[index] = round(accs[index]!);
    };
  });
  const perElement = machine.writer(stores.filter(({ per }) => per === 'element'));
  const perRow = machine.writer(stores.filter(({ per }) => per === 'row'));
  return () =>
    machine.walk(shape, otherAxes, () => {
      for (const pass of passes) pass();
      machine.walk(shape, rowAxes, perElement);
      perRow();
    });
}

function matmul({ batch, m, n, k, a, b, stores }: ir.MatmulKernel, machine: Machine): Action {
  const [tableA, tableB] = [machine.table(a, [...batch, m, k]), machine.table(b, [...batch, k, n])];
  const store = machine.epilogue([...batch, m, n], stores, a.dtype);
  return () => {
    const [x, y, sum] = [tableA(), tableB(), new Float64Array(sizeOf(batch) * m * n)];
    for (let row = 0; row < sizeOf(batch) * m; row++) {
      const matrix = Math.floor(row / m) * k; // the first row of b that meets this row of a
      for (let inner = 0; inner < k; inner++) {
        const left = x[row * k + inner]!;
        for (let to = row * n, from = (matrix + inner) * n; to < (row + 1) * n; to++, from++) {
          sum[to]! += left * y[from]!;
        }
      }
    }
    store(sum);
  };
}

/** All (place of a window, place in the kernel, element of the input) that meet, row-major in this order. */
function meetings(sizes: Omit<ir.PoolSizes, 'batch'>, machine: Machine) {
  const { input, kernel, output, stride, dilation, padding } = sizes;
  const [windows, places, elements]: [number[], number[], number[]] = [[], [], []];
  const [rank, taps, shape] = [input.length, sizeOf(kernel), [...output, ...kernel]];
  let step = -1;
  machine.walk(shape, axesOf(shape), () => {
    step++;
    let element = 0;
    for (let axis = 0; axis < rank; axis++) {
      const at =
        machine.coords[axis]! * stride[axis]! + machine.coords[rank + axis]! * dilation[axis]! - padding[axis]!;
      if (at < 0 || at >= input[axis]!) return;
      element = element * input[axis]! + at;
    }
    windows.push(Math.floor(step / taps));
    places.push(step % taps);
    elements.push(element);
  });
  return { windows: Int32Array.from(windows), places: Int32Array.from(places), elements: Int32Array.from(elements) };
}

/** Every direction goes through the same triples of elements of x, w and y that meet: sum += left · right. */
function conv({ direction, sizes, a, b, stores }: ir.ConvKernel, machine: Machine): Action {
  const { n, c, o, groups, input, kernel, output } = sizes;
  const channels = c / groups;
  const shapes = { x: [n, c, ...input], w: [o, channels, ...kernel], y: [n, o, ...output] };
  const roles = { forward: ['x', 'w', 'y'], inputGrad: ['y', 'w', 'x'], weightGrad: ['x', 'y', 'w'] } as const;
  const [l, r, s] = roles[direction];
  const [tableL, tableR] = [machine.table(a, shapes[l]), machine.table(b, shapes[r])];
  const store = machine.epilogue(shapes[s], stores, a.dtype);
  return () => {
    const [left, right, sum] = [tableL(), tableR(), new Float64Array(sizeOf(shapes[s]))];
    const { windows, places, elements } = meetings(sizes, machine);
    const within = { x: elements, w: places, y: windows };
    const [inL, inR, inS] = [within[l], within[r], within[s]];
    for (let plane = 0; plane < n * o * channels; plane++) {
      const channel = plane % channels; // within its group
      const [image, out] = [Math.floor(plane / channels / o), Math.floor(plane / channels) % o];
      const first = {
        x: (image * c + Math.floor(out / (o / groups)) * channels + channel) * sizeOf(input),
        w: (out * channels + channel) * sizeOf(kernel),
        y: (image * o + out) * sizeOf(output),
      };
      const [atL, atR, atS] = [first[l], first[r], first[s]];
      for (let i = 0; i < inS.length; i++) sum[atS + inS[i]!]! += left[atL + inL[i]!]! * right[atR + inR[i]!]!;
    }
    store(sum);
  };
}

function pool({ direction, combine, sizes, a, b, stores }: ir.PoolKernel, machine: Machine): Action {
  const { batch, input, output } = sizes;
  const over = { input: [batch, ...input], output: [batch, ...output] };
  const [from, to] = direction === 'forward' ? [over.input, over.output] : [over.output, over.input];
  const [tableA, tableB] = [machine.table(a, from), b && machine.table(b, over.output)];
  const store = machine.epilogue(to, stores, a.dtype);
  return () => {
    const [values, saved, result] = [tableA(), tableB?.(), new Float64Array(sizeOf(to))];
    const places = new Float64Array(sizeOf(to)).fill(-1);
    if (direction === 'forward' && combine === 'max') result.fill(startOf('max', a.dtype));
    const { windows, elements } = meetings(sizes, machine);
    for (let image = 0; image < batch; image++) {
      const [atInput, atOutput] = [image * sizeOf(input), image * sizeOf(output)];
      for (let i = 0; i < windows.length; i++) {
        const [element, window] = [atInput + elements[i]!, atOutput + windows[i]!];
        if (direction === 'backward') {
          if (combine === 'sum' || saved?.[window] === elements[i]) result[element]! += values[window]!;
        } else if (combine === 'sum') {
          result[window]! += values[element]!;
        } else if (places[window] === -1 || beats(values[element]!, result[window]!, 'argmax')) {
          result[window] = values[element]!;
          places[window] = elements[i]!;
        }
      }
    }
    store(result, places);
  };
}

function scatter(kernel: ir.ScatterKernel, machine: Machine): Action {
  const { shape, updates, combine, init, at, value, stores } = kernel;
  const table = machine.table(init, shape);
  const { run, values, slots } = machine.program([value, ...at]);
  const store = machine.epilogue(shape, stores, init.dtype);
  const strides = rowMajor(shape);
  const take: Fn = combine === 'assign' ? (_, b) => b : functionOf(combineFunctions[combine], init.dtype);
  return () => {
    const result = table();
    machine.walk(updates, axesOf(updates), () => {
      run();
      let place = 0;
      for (let axis = 0; axis < shape.length; axis++) {
        const coordinate = values[slots[axis + 1]!]!;
        if (coordinate < 0 || coordinate >= shape[axis]!) return;
        place += coordinate * strides[axis]!;
      }
      result[place] = take(result[place]!, values[slots[0]!]!, 0, 0);
    });
    store(result);
  };
}

type Row = (first: number, step: number, firstOfK: number) => void;
/** Visits all rows along `axis`: where each begins in a row-major table, its step, and where k elements of it would begin. */
function alongRows(shape: Shape, axis: number, k: number, visit: Row): void {
  const [slabs, step] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  for (let slab = 0; slab < slabs; slab++) {
    for (let i = 0; i < step; i++) visit(slab * shape[axis]! * step + i, step, slab * k * step + i);
  }
}

function sort({ shape, axis, descending, k, a, stores }: ir.SortKernel, machine: Machine): Action {
  const kept = shape.map((size, i) => (i === axis ? k : size));
  const table = machine.table(a, shape);
  const store = machine.epilogue(kept, stores, a.dtype);
  const order = new Int32Array(shape[axis]!);
  return () => {
    const [from, values, places] = [table(), new Float64Array(sizeOf(kept)), new Float64Array(sizeOf(kept))];
    alongRows(shape, axis, k, (first, step, firstKept) => {
      const at = (i: number) => from[first + i * step]!;
      for (let i = 0; i < order.length; i++) order[i] = i;
      order.sort((i, j) => {
        const [x, y] = descending ? [at(j), at(i)] : [at(i), at(j)];
        return +Number.isNaN(x) - +Number.isNaN(y) || +(x > y) - +(x < y) || i - j;
      });
      for (let i = 0; i < k; i++) {
        values[firstKept + i * step] = at(order[i]!);
        places[firstKept + i * step] = order[i]!;
      }
    });
    store(values, places);
  };
}

function scan({ shape, axis, combine, reverse, a, stores }: ir.ScanKernel, machine: Machine): Action {
  const table = machine.table(a, shape);
  const store = machine.epilogue(shape, stores, a.dtype);
  const take = functionOf(combineFunctions[combine], a.dtype);
  const size = shape[axis]!;
  return () => {
    const values = table();
    const places = new Float64Array(values.length);
    alongRows(shape, axis, size, (first, step) => {
      let [running, cameFrom] = [0, 0];
      for (let i = 0; i < size; i++) {
        const position = reverse ? size - 1 - i : i;
        const value = values[first + position * step]!;
        running = i === 0 ? value : take(running, value, 0, 0);
        // The last of equals: a NaN takes the place of a NaN, another value does not.
        if (value === running || Number.isNaN(value)) cameFrom = position;
        values[first + position * step] = running;
        places[first + position * step] = cameFrom;
      }
    });
    store(values, places);
  };
}

// ---------------------------------------------------------------------------------------------------- the backend

const unlimited: Limits = {
  maxBuffers: Number.MAX_SAFE_INTEGER,
  maxBufferBytes: 2 ** 33,
  inPlace: true,
  operandExpressions: true,
  dtypes: ['float32', 'float16', 'int32', 'uint8', 'bool'],
  recompute,
};

class ReferenceBackend implements Backend {
  readonly name = 'reference';
  /** What is in the buffers that are not freed. */
  private readonly live = new Map<DeviceBuffer, { readonly dtype: ir.DType; readonly data: Data }>();
  private bytes = 0;
  private peak = 0;
  private disposed = false;
  private listener: ((timing: KernelTiming) => void) | null = null;
  private readonly arrays;

  constructor(
    private readonly precision: Precision,
    readonly limits: Limits,
  ) {
    const float = precision === 'float64' ? Float64Array : Float32Array;
    this.arrays = { float32: float, float16: float, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array };
  }

  allocate(dtype: ir.DType, size: number): DeviceBuffer {
    if (this.disposed) throw new BackendError('reference: the backend was disposed; make a new one');
    try {
      const data = new this.arrays[dtype](size);
      const buffer = { bytes: data.byteLength };
      this.live.set(buffer, { dtype, data });
      this.bytes += buffer.bytes;
      this.peak = Math.max(this.peak, this.bytes);
      return buffer;
    } catch (cause) {
      throw new BackendError(`reference: no memory for ${size} elements of ${dtype}`, { cause });
    }
  }

  free(buffer: DeviceBuffer): void {
    if (this.disposed) return; // that freed everything; a finalizer may come after it
    if (!this.live.delete(buffer)) throw this.notOurs();
    this.bytes -= buffer.bytes;
  }

  upload(buffer: DeviceBuffer, dtype: ir.DType, data: TypedArray): void {
    const target = this.dataOf(buffer, dtype, data.length);
    const half = dtype === 'float16' && this.precision === 'float32';
    const narrow = half ? roundHalf : dtype === 'bool' ? (x: number) => +(x !== 0) : (x: number) => x;
    for (let i = 0; i < data.length; i++) target[i] = narrow(data[i]!);
  }

  async download(buffer: DeviceBuffer, dtype: ir.DType, size: number): Promise<TypedArray> {
    return this.dataOf(buffer, dtype, size).slice(0, size);
  }

  compile(kernel: ir.Kernel): Executable {
    return new Machine(kernel, this.precision);
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    for (const step of plan.steps) {
      const before = performance.now();
      this.run(step, buffers, uniforms);
      this.listener?.({ kernel: step.executable.kernel, milliseconds: performance.now() - before });
    }
  }

  private run({ executable, ...positions }: PlanStep, buffers: readonly DeviceBuffer[], uniforms: readonly number[]) {
    if (!(executable instanceof Machine)) {
      throw new BackendError('reference: the plan has an executable of another backend; compile its kernel here');
    }
    const { kernel } = executable;
    const bind = (operands: readonly ir.Operand[], at: readonly number[]) =>
      operands.map(({ dtype, size }, i) => this.dataOf(buffers[at[i]!], dtype, size));
    const [inputs, outputs] = [bind(kernel.inputs, positions.inputs), bind(kernel.outputs, positions.outputs)];
    outputs.forEach((data, output) => {
      const shared = inputs.some((other, input) => other === data && kernel.aliases[output] !== input);
      const saw = `output ${output} of ${kernel.kind} has the buffer of another operand`;
      if (shared || outputs.indexOf(data) !== output)
        throw new BackendError(`reference: ${saw}; declare it in aliases`);
    });
    const numbers = positions.uniforms.map((at) => uniforms[at]!);
    executable.run(inputs, outputs, numbers);
  }

  async sync(): Promise<void> {}
  memory() {
    return { bytes: this.bytes, buffers: this.live.size, reserved: this.bytes, peak: this.peak };
  }

  onKernel(listener: ((timing: KernelTiming) => void) | null): void {
    this.listener = listener;
  }

  dispose(): void {
    for (const buffer of this.live.keys()) this.free(buffer);
    this.disposed = true;
  }

  private dataOf(buffer: DeviceBuffer | undefined, dtype: ir.DType, size: number): Data {
    const own = buffer && this.live.get(buffer);
    if (!own) throw this.notOurs();
    const { length } = own.data;
    if (own.dtype !== dtype) throw new BackendError(`reference: a buffer of ${own.dtype} is used as ${dtype}`);
    if (size > length) throw new BackendError(`reference: ${size} elements do not fit a buffer of ${length}`);
    return own.data;
  }

  private notOurs = () => new BackendError('reference: the buffer was freed, or belongs to another backend');
}

/**
 * A backend that interprets kernels in plain JavaScript. `float32` (default) rounds as a device would; `float64` keeps
 * float32 and float16 buffers in Float64Array, rounds nothing, and downloads Float64Array.
 * `limits`: those of another device, to see what its plans become.
 */
export function reference(options: { dtype?: Precision; limits?: Partial<Limits> } = {}): Backend {
  return new ReferenceBackend(options.dtype ?? 'float32', { ...unlimited, ...options.limits });
}
