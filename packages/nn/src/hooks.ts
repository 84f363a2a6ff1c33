/** Hooks: functions that see what a module makes, and the gradients that come back to it. */
import { ArgumentError, defineOp, isTensor, type Tensor } from '@tessera/tensor';

/** What it returns, if anything, replaces the output. */
export type ForwardHook<Inputs extends readonly unknown[], Output> = (
  inputs: Inputs,
  output: Output,
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
) => Output | undefined | void;
/** From the cotangent of a module's output to another one, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type GradientHook = (g: Tensor) => Tensor | undefined | void;

type Forward = (...inputs: readonly unknown[]) => unknown;
interface Hooked {
  readonly hooks: Set<ForwardHook<readonly unknown[], unknown>>;
  /** The module's own `forward` field, where it had one. */
  readonly own: PropertyDescriptor | undefined;
}
const hooked = /* @__PURE__ */ new WeakMap<object, Hooked>();

/** As long as a module has hooks, it has a `forward` of its own that runs them: others pay nothing. */
export function addForwardHook<Inputs extends readonly unknown[], Output>(
  module: { forward(...inputs: Inputs): Output },
  hook: ForwardHook<Inputs, Output>,
): () => void {
  const entry = hooked.get(module) ?? wrap(module as unknown as { forward: Forward });
  // A function of its own: the same hook may be added twice, and is then taken off one by one.
  const once = ((inputs, output) => hook(inputs as Inputs, output as Output)) as ForwardHook<
    readonly unknown[],
    unknown
  >;
  entry.hooks.add(once);
  return () => {
    entry.hooks.delete(once);
    if (entry.hooks.size || hooked.get(module) !== entry) return;
    hooked.delete(module);
    Reflect.deleteProperty(module, 'forward');
    if (entry.own) Object.defineProperty(module, 'forward', entry.own);
  };
}
function wrap(module: { forward: Forward }): Hooked {
  const entry: Hooked = { hooks: new Set(), own: Object.getOwnPropertyDescriptor(module, 'forward') };
  const { forward } = module;
  const value: Forward = (...inputs) => runHooks(entry, inputs, forward.apply(module, inputs as unknown[]));
  Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
  hooked.set(module, entry);
  return entry;
}

/** The hooks of a module run after another's forward, too, as long as they are not taken off. */
export function handOverHooks(from: object, to: { forward(...inputs: never): unknown }): void {
  const given = hooked.get(from);
  if (given) addForwardHook(to as unknown as { forward: Forward }, (inputs, output) => runHooks(given, inputs, output));
}
function runHooks({ hooks }: Hooked, inputs: readonly unknown[], made: unknown): unknown {
  let output = made;
  for (const hook of [...hooks]) output = hook(inputs, output) ?? output;
  return output;
}

/** An op y = x whose gradient rule is the hook stands behind the output. */
export function addGradientHook<Inputs extends readonly unknown[]>(
  module: { forward(...inputs: Inputs): unknown },
  hook: GradientHook,
): () => void {
  const tap = defineOp({
    name: 'gradientHook',
    args: (x: Tensor) => [[x], {}],
    shape: ([x]) => x as Tensor,
    lower: () => ({ kind: 'view', moves: [] }),
  });
  tap.gradient = ([g]) => [g ? (hook(g) ?? g) : null];
  return addForwardHook(module, (_, output) => {
    if (!isTensor(output))
      throw new ArgumentError(
        `registerGradientHook: ${module.constructor.name} makes no single tensor; hook a module that does`,
      );
    return tap(output);
  });
}
