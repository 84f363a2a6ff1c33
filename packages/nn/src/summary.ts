/** What a model is made of, and what a call of it costs: found by a forward pass of shapes, without arithmetic. */
import { ArgumentError, isTensor, meta, type Shape } from '@tessera/tensor';
import { Input } from './axes';
import { addForwardHook } from './hooks';
import { inMode } from './mode';
import { countOf, type Module, Parameter } from './module';

/** One layer's call. An unknown size counts one in all numbers: they are per image, then. */
export interface SummaryRow {
  readonly path: string;
  readonly layer: string;
  readonly output: Shape;
  /** Elements of the layer's own parameters. */
  readonly parameters: number;
  /** Multiply-adds of convolutions and matrix products. */
  readonly macs: number;
  /** Of the output, as float32. */
  readonly bytes: number;
}
export class Summary {
  readonly rows: readonly SummaryRow[];
  /** Elements of all parameters, shared ones once. */
  readonly parameters: number;
  /** Those of them that are not frozen. */
  readonly trainable: number;
  constructor(rows: readonly SummaryRow[], parameters: number, trainable: number) {
    this.rows = rows;
    this.parameters = parameters;
    this.trainable = trainable;
  }
  get macs(): number {
    return this.rows.reduce((sum, { macs }) => sum + macs, 0);
  }
  /** Two for each multiply-add; what is done element by element is not counted. */
  get flops(): number {
    return 2 * this.macs;
  }
  /** What the layers' outputs take together: about what training keeps for the way back. */
  get activationBytes(): number {
    return this.rows.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A table, and the sums below it. */
  toString(): string {
    const number = (value: number): string => value.toLocaleString('en-US');
    const cells = this.rows.map(({ path, layer, output, parameters, macs }) => [
      path,
      layer,
      `[${output.map((size) => size ?? 'N')}]`,
      parameters ? number(parameters) : '',
      macs ? number(macs) : '',
    ]);
    const head = ['', 'layer', 'output', 'parameters', 'multiply-adds'];
    const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] as string).length)));
    const line = (row: readonly string[]): string =>
      row
        .map((cell, i) => (i < 3 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join('  ')
        .trimEnd();
    const frozen = this.parameters === this.trainable ? '' : ` (${number(this.trainable)} train)`;
    return [
      line(head),
      ...cells.map(line),
      `${number(this.parameters)} parameters${frozen}, ${number(this.flops)} FLOPs, ${number(this.activationBytes)} bytes of activations`,
    ].join('\n');
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/**
 * The layers of a model as an input of this shape passes them (evaluating; null sizes are unknown), a row for each call of a
 * module without modules in it, or with parameters of its own. Without a shape that of the model's `Input`. Nothing is
 * computed or allocated. @throws ArgumentError without a shape; ShapeError where layers do not fit.
 */
export function summary(model: Module<never, unknown>, shape: Shape = inputOf('summary', model)): Summary {
  const [parameters, trainable] = [model.parameters(), model.trainableParameters()]; // none of an open layer: that throws
  const modules = model.namedModules();
  const rows: SummaryRow[] = [];
  const hooks = modules.flatMap(([path, module]) => {
    const own = Object.values(module).filter((field): field is Parameter => field instanceof Parameter);
    if (module.namedModules().length > 1 && !own.length) return [];
    const ownCount = own.reduce((sum, field) => sum + countOf(field.shape), 0);
    const row = (inputs: readonly unknown[], output: unknown): void => {
      const first = Array.isArray(output) ? output[0] : output;
      if (!isTensor(first)) return;
      const macs = countsMacs(module) ? module.macs(...inputs, output) : 0;
      const bytes = 4 * countOf(first.shape);
      rows.push({ path, layer: module.constructor.name, output: first.shape, parameters: ownCount, macs, bytes });
    };
    return [addForwardHook<readonly unknown[], unknown>(module as never, row)];
  });
  try {
    inMode(model, false, () => model.forward(...([meta(shape)] as unknown as never)));
  } finally {
    for (const off of hooks) off();
  }
  const count = (cells: readonly Parameter[]): number => cells.reduce((sum, cell) => sum + countOf(cell.shape), 0);
  return new Summary(rows, count(parameters), count(trainable));
}

const countsMacs = (module: object): module is { macs(...tensors: readonly unknown[]): number } =>
  'macs' in module && typeof module.macs === 'function';

/** The shape that the model's Input tells. @throws ArgumentError without one. */
function inputOf(op: string, model: Module<never, unknown>): Shape {
  const shape = shapeOfInput(model);
  if (!shape) throw new ArgumentError(`${op}: no shape, and no Input layer that tells it; ${wantedShape}`);
  return shape;
}
/** What mends it, where none is known. */
export const wantedShape = 'wants one such as [null, 3, 224, 224]';

/** The shape that the model's first Input wants, before it reorders; ranges are unknown. Null without one. */
export function shapeOfInput(model: Module<never, unknown>): Shape | null {
  for (const [, module] of model.namedModules())
    if (module instanceof Input && module.sizes) {
      const { order, reorder, sizes } = module;
      return [...order].map((letter) => {
        const size = sizes[reorder.indexOf(letter)];
        return typeof size === 'number' ? size : null;
      });
    }
  return null;
}
