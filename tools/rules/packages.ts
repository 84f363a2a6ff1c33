/** The packages of the house, as their folders and manifests say. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Package {
  /** The folder's name; the package is `@tessera/<name>`. */
  name: string;
  private: boolean;
  hasSources: boolean;
  /** Dependencies and peers: what its sources may import. */
  declared: string[];
  /** Entry points: how a user imports each, and the source behind it. */
  entries: { specifier: string; source: string }[];
}

export function packagesOf(root: string): Package[] {
  const home = join(root, 'packages');
  return readdirSync(home)
    .filter((name) => existsSync(join(home, name, 'package.json')))
    .sort()
    .map((name) => {
      const manifest = JSON.parse(readFileSync(join(home, name, 'package.json'), 'utf8'));
      const exports = Object.entries<Record<string, string>>(manifest.exports ?? {});
      return {
        name,
        private: manifest.private === true,
        hasSources: existsSync(join(home, name, 'src')),
        declared: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
        entries: exports.flatMap(([path, target]) => {
          const source = target['@tessera/source'];
          return source === undefined
            ? []
            : [{ specifier: join('@tessera', name, path), source: join(home, name, source) }];
        }),
      };
    });
}
