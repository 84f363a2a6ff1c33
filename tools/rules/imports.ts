/** The import graph of `packages/<name>/src` held against the table, with dependency-cruiser. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { type Package, packagesOf } from './packages.ts';
import type { Table } from './table.ts';

/** All that a package may import: what the table names, and what those may. */
export function reachable(table: Table, name: string, seen = new Set<string>()): Set<string> {
  for (const next of table.mayImport[name] ?? []) {
    if (!seen.has(next)) reachable(table, next, seen.add(next));
  }
  return seen;
}

const anyOf = (names: Iterable<string>) => `(?:${[...names].join('|') || '(?!)'})`;

/** The table as dependency-cruiser's rules. Paths are relative to the root. */
function forbidden(table: Table, packages: Package[]): IForbiddenRuleType[] {
  const arrows = packages.map(({ name }): IForbiddenRuleType => {
    const allowed = anyOf([name, ...reachable(table, name)]);
    return {
      name: `${name} may import ${[...reachable(table, name)].join(', ') || 'no package of the house'}`,
      severity: 'error',
      from: { path: `^packages/${name}/src/` },
      to: { path: '^(packages|node_modules/@tessera|@tessera)/', pathNot: `^[^/]+/(@tessera/)?${allowed}(/|$)` },
    };
  });
  const dynamic = table.onlyDynamically.map(
    (name): IForbiddenRuleType => ({
      name: `${name} loads the packages it chooses from by dynamic import`,
      severity: 'error',
      from: { path: `^packages/${name}/src/` },
      to: {
        path: `^(packages|@tessera)/${anyOf(table.mayImport[name] ?? [])}(/|$)`,
        dependencyTypesNot: ['dynamic-import', 'type-only'],
      },
    }),
  );
  return [
    ...arrows,
    ...dynamic,
    {
      name: 'a package imports nothing of the tools, examples and apps',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '^(tools|examples|apps)/' },
    },
    {
      name: 'no cycle, between packages or files; types alone may be mutual, for they are gone at run time',
      severity: 'error',
      from: { path: '^packages/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: `only ${table.nodeBuiltins.join(', ')} may import Node's modules`,
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: `^packages/${anyOf(table.nodeBuiltins)}/` },
      to: { dependencyTypes: ['core'] },
    },
  ];
}

/** What is wrong with the imports under `root`, a sentence each. */
export async function importFaults(root: string, table: Table): Promise<string[]> {
  const packages = packagesOf(root);
  const unlisted = packages.filter(({ name }) => table.mayImport[name] === undefined);
  if (unlisted.length > 0) return unlisted.map(({ name }) => `${name} is not in the table (tools/rules/table.ts)`);

  const { output } = await cruise(
    packages.filter(({ hasSources }) => hasSources).map(({ name }) => `packages/${name}/src`),
    {
      baseDir: root,
      validate: true,
      ruleSet: { forbidden: forbidden(table, packages) },
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
      exclude: { path: '/dist/' },
      enhancedResolveOptions: {
        exportsFields: ['exports'],
        conditionNames: ['@tessera/source', 'import', 'node', 'default'],
      },
    },
  );
  const { modules, summary } = output as ICruiseResult;
  const broken = summary.violations.map(({ rule, from, to, cycle }) =>
    cycle
      ? `${rule.name}\n    ${[from, ...cycle.map((step) => step.name)].join(' → ')}`
      : `${rule.name}\n    ${from} → ${to}`,
  );
  return [...new Set([...broken, ...specifierFaults(packages, modules)])];
}

/** What the graph does not show: a road into another package that is not its front door, and an import not declared. */
function specifierFaults(packages: Package[], modules: ICruiseResult['modules']): string[] {
  const faults: string[] = [];
  for (const { name, ...manifest } of packages) {
    const declared = new Set([`@tessera/${name}`, ...manifest.declared]);
    for (const { source, dependencies } of modules.filter(({ source }) => source.startsWith(`packages/${name}/src/`))) {
      for (const { module, resolved, dependencyTypes } of dependencies) {
        if (module.startsWith('.')) {
          if (/^(packages)\//.test(resolved) && !resolved.startsWith(`packages/${name}/`))
            faults.push(`a package is entered by its name, not by a path\n    ${source} → ${module}`);
        } else if (!dependencyTypes.includes('core') && !/^node:/.test(module)) {
          const target = module.split('/', module.startsWith('@') ? 2 : 1).join('/');
          if (!declared.has(target))
            faults.push(`${name} imports ${target}, which its package.json does not declare\n    ${source}`);
        }
      }
    }
  }
  return faults;
}

/** Manifests that break the house's habits. */
export function manifestFaults(root: string): string[] {
  return packagesOf(root).flatMap(({ name }) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
    const faults: string[] = [];
    if (name === 'tensor') {
      if (manifest.dependencies ?? manifest.peerDependencies) faults.push('tensor has no dependencies');
    } else if (manifest.dependencies?.['@tessera/tensor']) {
      faults.push(`${name}: @tessera/tensor is a peer dependency, so that a program has one`);
    }
    return faults;
  });
}
