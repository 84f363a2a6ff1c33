/** Surgery: modules in the place of others, and modules taken out. Parameters of what stays are the same objects. */
import { isContainer, join, Module, partOf } from './module';
import { Sequential } from './sequential';

type AnyModule = Module<never, unknown>;

/**
 * Asks `f` about every module, outer ones first: the module that it returns takes the place of the one asked about, wherever
 * fields, arrays and plain objects hold that; null looks into it instead. Replacements are not looked into; a shared module
 * is asked about once. → the root, or what replaced it. torchmore's flex.replace_modules
 */
export function replaceModules<M extends AnyModule>(
  root: M,
  f: (module: AnyModule, path: string) => AnyModule | null,
): M {
  const answers = new Map<AnyModule, AnyModule>();
  const within = (owner: object, path: string, above: readonly object[]): void => {
    for (const [field, value] of Object.entries(owner)) {
      const inner = join(path, partOf(owner, field));
      if (value instanceof Module) {
        const stands = replaced(value, inner);
        if (stands !== value) Object.assign(owner, { [field]: stands });
      } else if (isContainer(value) && !above.includes(value)) within(value, inner, [...above, value]);
    }
  };
  const replaced = (module: AnyModule, path: string): AnyModule => {
    const known = answers.get(module);
    if (known) return known;
    const answer = f(module, path) ?? module;
    answers.set(module, answer);
    if (answer === module) within(module, path, []);
    return answer;
  };
  return replaced(root, '') as M;
}

/**
 * Takes out the model's own modules for which `f` is true; those within them are not asked about. What is left keeps its
 * parameters, and in a Sequential its names, so that files still load; lists close up (Parallel, ModuleList, arrays), and a
 * field of a class of yours becomes null. → the model. torchmore's flex.delete_modules
 */
export function deleteModules<M extends AnyModule>(model: M, f: (module: AnyModule, name: string) => boolean): M {
  const gone = (owner: object, path: string): string[] =>
    Object.entries(owner).flatMap(([field, value]) => {
      const name = join(path, partOf(owner, field));
      if (value instanceof Module) return f(value, name) ? [field] : [];
      if (isContainer(value)) without(value, gone(value, name));
      return [];
    });
  const fields = gone(model, '');
  if (!fields.length) return model;
  if (model instanceof Sequential) {
    for (const field of fields) Reflect.deleteProperty(model, field);
    const names = model.names.filter((name) => !fields.includes(name));
    return Object.assign(model, { names, length: names.length });
  }
  if (isList(model)) return shorten(model, fields);
  for (const field of fields) Object.assign(model, { [field]: null });
  return model;
}
function without(container: object, fields: readonly string[]): void {
  for (const field of [...fields].reverse())
    if (Array.isArray(container)) container.splice(Number(field), 1);
    else Reflect.deleteProperty(container, field);
}

/** Does it hold modules as its fields 0 … length − 1? */
const isList = (model: AnyModule): model is AnyModule & { length: number; [place: number]: AnyModule } =>
  'length' in model && typeof model.length === 'number';

function shorten<M extends AnyModule & { length: number; [place: number]: AnyModule }>(
  model: M,
  gone: readonly string[],
): M {
  const places = Array.from({ length: model.length }, (_, place) => place);
  const kept = places.filter((place) => !gone.includes(String(place))).map((place) => model[place]);
  for (const field of gone) Object.assign(model, { [field]: null });
  for (const place of places) Reflect.deleteProperty(model, place);
  return Object.assign(model, kept, { length: kept.length });
}
