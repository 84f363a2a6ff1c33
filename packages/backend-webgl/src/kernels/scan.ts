/**
 * Running results along an axis, by doubling: after pass d an element has the result of the 2·d elements up to it.
 *
 *     a b c d e      →  a ab bc cd de      →  a ab abc abcd bcde      →  …
 */
import { type ScanKernel, sizeOf } from '@tessera/tensor/backend';
import { fromCarried, join } from '../accumulate';
import type { Program, Ref, Shader } from '../shader';
import { type Build, storePasses } from '../stores';
import { fromTables, tablePass, tabulate } from '../tables';

export function scan(build: Build, kernel: ScanKernel): Program {
  const { shape, axis, combine, reverse, a, stores } = kernel;
  const [length, stride] = [shape[axis] as number, sizeOf(shape.slice(axis + 1))];
  const size = sizeOf(shape);
  const title = `scan ${combine} [${shape}] along ${axis}${reverse ? ', from the end' : ''}`;
  if (size === 0) return build.program();
  let values = tabulate(build, `${title}, values`, a, shape);
  let places = build.temporary(size);
  tablePass(build, `${title}, places`, shape, [places], (shader, at) => {
    const name = shader.name('own');
    shader.native(
      name,
      [],
      'Number',
      `float ${name}() { return ${shader.use('wordOf')}(${shape.length ? at.coord(axis, 0) : '0'}); }`,
    );
    return [`${name}()`];
  });
  for (let by = 1; by < length; by *= 2) {
    const [next, nextPlaces] = [build.temporary(size), build.temporary(size)];
    const [before, beforePlaces] = [values, places];
    tablePass(build, `${title}, ${by} apart`, shape, [next, nextPlaces], (shader, at) => {
      const element = at.linear as string;
      const other = reverse ? `${element} + ${by * stride}` : `${element} - ${by * stride}`;
      const reaches = reverse ? `${at.coord(axis, 0)} + ${by} < ${length}` : `${at.coord(axis, 0)} >= ${by}`;
      const [mine, myPlace] = [read(shader, before, element), read(shader, beforePlaces, element)];
      const [value, place] = [shader.bind(mine), shader.bind(myPlace)];
      const [made, from] = [shader.name('made'), shader.name('from')];
      shader.line(`let ${made} = ${value};`, `let ${from} = ${place};`);
      const name = shader.name('reaches');
      shader.native(name, [], 'Boolean', `bool ${name}() { return ${reaches}; }`);
      shader.line(`if (${name}()) {`);
      const earlier = shader.bind(read(shader, before, other));
      const itsPlace = shader.bind(read(shader, beforePlaces, other));
      shader.line(`${made} = ${join(combine, a.dtype, shader)(earlier, value)};`);
      // The last of equals: a NaN takes the place of a NaN, another value does not.
      const equal =
        a.dtype === 'int32' ? `${shader.use('eqWord')}(${value}, ${made})` : `${shader.use('eqOf')}(${value}, ${made})`;
      const nan = a.dtype === 'float32' ? ` || ${shader.use('isNan')}(${value})` : '';
      shader.line(`if (!(${equal}${nan})) { ${from} = ${itsPlace}; }`, '}');
      return [made, from];
    });
    [values, places] = [next, nextPlaces];
  }
  const core = fromTables(build, shape, [
    { ref: values, dtype: a.dtype === 'int32' ? 'int32' : 'float32' },
    { ref: places, dtype: 'int32' },
  ]);
  storePasses(build, title, [{ shape, stores }], {
    make: (shader, place, domain) => {
      const read = core(shader, place, domain);
      return (index) => (index === 0 ? read(0).map((text) => fromCarried(text, a.dtype)) : read(1));
    },
  });
  return build.program();
}

/** Element `element` (GLSL) of a table. */
function read(shader: Shader, table: Ref, element: string): string {
  const name = shader.name('of');
  shader.native(name, [], 'Number', `float ${name}() { return ${shader.sampler(table)}(${element}); }`);
  return `${name}()`;
}
