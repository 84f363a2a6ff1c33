/**
 * Who may import whom. A package may import those it names and, along the chain, those that they name; nothing else of
 * the house. `tools/rules` turns this table into a check; tests, tools, examples and apps may import anything.
 *
 *     detect  interpret
 *       └─► zoo ─► flex ─► nn ─► autograd ─► tensor
 *     onnx ─► nn          augment ─► data ─► tensor          detect ─► data
 *     backend-cpu  backend-webgpu  backend-webgl ─► tensor   (no package imports a backend; the user hands one in)
 *     backend-auto ─► the backends, by dynamic import        testkit ─► autograd
 */
export interface Table {
  mayImport: Record<string, readonly string[]>;
  onlyDynamically: readonly string[];
  nodeBuiltins: readonly string[];
  actsAtImport: readonly string[];
}

export const table: Table = {
  mayImport: {
    tensor: [],
    autograd: ['tensor'],
    nn: ['autograd'],
    flex: ['nn'],
    zoo: ['flex'],
    detect: ['zoo', 'data'],
    interpret: ['zoo'],
    onnx: ['nn'],
    data: ['tensor'],
    augment: ['data'],
    testkit: ['autograd'],
    'backend-cpu': ['tensor'],
    'backend-webgpu': ['tensor'],
    'backend-webgl': ['tensor'],
    'backend-auto': ['backend-cpu', 'backend-webgpu', 'backend-webgl'],
  },

  /** Packages whose imports of the house, tensor apart, are dynamic: what is not chosen is not loaded. */
  onlyDynamically: ['backend-auto'],

  /** Packages that may name Node's own modules; all others run in a page as they are. */
  nodeBuiltins: ['backend-cpu', 'backend-webgpu', 'testkit'],

  /** Entries that act when they are imported, because a worker is started by loading its file. */
  actsAtImport: ['@tessera/backend-cpu/worker', '@tessera/backend-cpu/interpreter'],
};
