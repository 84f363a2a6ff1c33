/** ONNX models as bytes: as much of onnx.proto as is needed, with its field numbers. */
import protobuf from 'protobufjs';
import { numbers, product, type Shape } from '../work.ts';

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  /** Default: y, what the model makes. */
  readonly outputs?: readonly string[];
  /** Integers and lists of them. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}
export interface Model {
  readonly inputs: readonly { readonly name: string; readonly shape: Shape; readonly seed: number }[];
  readonly nodes: readonly Node[];
  readonly constants?: Readonly<Record<string, { readonly shape: Shape; readonly value: number }>>;
}

const field = (id: number, type: string, rule?: 'repeated') => ({ id, type, ...(rule && { rule }) });
const schema = {
  nested: {
    Model: { fields: { irVersion: field(1, 'int64'), graph: field(7, 'Graph'), opset: field(8, 'Opset', 'repeated') } },
    Opset: { fields: { version: field(2, 'int64') } },
    Graph: {
      fields: {
        node: field(1, 'Node', 'repeated'),
        name: field(2, 'string'),
        initializer: field(5, 'Tensor', 'repeated'),
        input: field(11, 'Value', 'repeated'),
        output: field(12, 'Value', 'repeated'),
      },
    },
    Node: {
      fields: {
        input: field(1, 'string', 'repeated'),
        output: field(2, 'string', 'repeated'),
        opType: field(4, 'string'),
        attribute: field(5, 'Attribute', 'repeated'),
      },
    },
    Attribute: {
      fields: {
        name: field(1, 'string'),
        i: field(3, 'int64'),
        ints: field(8, 'int64', 'repeated'),
        type: field(20, 'int32'),
      },
    },
    Tensor: {
      fields: {
        dims: field(1, 'int64', 'repeated'),
        dataType: field(2, 'int32'),
        name: field(8, 'string'),
        rawData: field(9, 'bytes'),
      },
    },
    Value: { fields: { name: field(1, 'string'), type: field(2, 'TypeOf') } },
    TypeOf: { fields: { tensorType: field(1, 'TensorType') } },
    TensorType: { fields: { elemType: field(1, 'int32'), shape: field(2, 'Sizes') } },
    Sizes: { fields: { dim: field(1, 'Size', 'repeated') } },
    Size: { fields: { dimValue: field(1, 'int64') } },
  },
};
/** Numbers of ONNX's enumerations. */
const [float, int64, attributeInt, attributeInts] = [1, 7, 2, 7];
const bytes = (data: Float32Array | BigInt64Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const tensor = (name: string, dims: Shape, data: Float32Array | BigInt64Array) => ({
  name,
  dims,
  dataType: data instanceof Float32Array ? float : int64,
  rawData: bytes(data),
});

/** A model's parts, as they go into it. */
interface Parts {
  readonly nodes: readonly Node[];
  readonly constants: readonly {
    readonly name: string;
    readonly dims: Shape;
    readonly data: Float32Array | BigInt64Array;
  }[];
  readonly input?: { readonly name: string; readonly dims: Shape };
  readonly output: string;
}

export function encode({ nodes, constants, input, output }: Parts): Uint8Array {
  const described = (name: string, dims?: Shape) => ({
    name,
    type: { tensorType: { elemType: float, ...(dims && { shape: { dim: dims.map((dimValue) => ({ dimValue })) } }) } },
  });
  const graph = {
    name: 'row',
    node: nodes.map(({ op, inputs, outputs = ['y'], attributes = {} }) => ({
      opType: op,
      input: inputs,
      output: outputs,
      attribute: Object.entries(attributes).map(([name, value]) =>
        typeof value === 'number' ? { name, i: value, type: attributeInt } : { name, ints: value, type: attributeInts },
      ),
    })),
    initializer: constants.map(({ name, dims, data }) => tensor(name, dims, data)),
    input: input ? [described(input.name, input.dims)] : [],
    output: [described(output)],
  };
  const type = protobuf.Root.fromJSON(schema).lookupType('Model');
  return type.encode(type.fromObject({ irVersion: 8, opset: [{ version: 17 }], graph })).finish();
}

/** A model without inputs, whose output `first` is the first number of y. */
export function modelBytes({ inputs, nodes, constants = {} }: Model): Uint8Array {
  const cut: Node[] = [
    { op: 'Reshape', inputs: ['y', 'flat'], outputs: ['all'] },
    { op: 'Slice', inputs: ['all', 'from', 'to'], outputs: ['first'] },
  ];
  return encode({
    nodes: [...nodes, ...cut],
    constants: [
      ...inputs.map(({ name, shape, seed }) => ({ name, dims: shape, data: numbers(product(shape), seed) })),
      ...Object.entries(constants).map(([name, { shape, value }]) => ({
        name,
        dims: shape,
        data: new Float32Array(product(shape)).fill(value),
      })),
      ...Object.entries({ flat: -1n, from: 0n, to: 1n }).map(([name, value]) => ({
        name,
        dims: [1],
        data: BigInt64Array.of(value),
      })),
    ],
    output: 'first',
  });
}
