/** A model's graph as text for those that draw it. */
import type { Shape, Tensor } from '@tessera/tensor';
import { type GraphEdge, type GraphGroup, type GraphNode, moduleGraph } from './graph';
import type { Module } from './module';

/**
 * The layers of a model as an input of this shape passes them, with output shapes and parameter counts, in the language of
 * Graphviz: `dot -Tsvg`. Nothing is computed; null sizes are unknown. @throws ShapeError where layers do not fit.
 */
export const toDot = (model: Module<[x: Tensor], unknown>, shape: Shape): string =>
  drawn(model, shape, {
    head: ['digraph model {', '  node [shape=box, style=rounded];'],
    node: (id, lines, kind) =>
      `${id} [label="${lines.map(dotText).join('\\n')}"${kind === 'layer' ? '' : ', shape=oval'}];`,
    edge: (from, to, label) => `${from} -> ${to}${label && ` [label="${dotText(label)}"]`};`,
    open: (id, label) => [`subgraph cluster_${id} {`, `  label="${dotText(label)}";`],
    close: '}',
    tail: ['}'],
  });
/** As `toDot`, in the language of Mermaid, which pages and Markdown draw. */
export const toMermaid = (model: Module<[x: Tensor], unknown>, shape: Shape): string =>
  drawn(model, shape, {
    head: ['flowchart TD'],
    node: (id, lines, kind) => {
      const label = `"${lines.map(mermaidText).join('<br/>')}"`;
      return kind === 'layer' ? `${id}[${label}]` : `${id}([${label}])`;
    },
    edge: (from, to, label) => (label ? `${from} -->|"${mermaidText(label)}"| ${to}` : `${from} --> ${to}`),
    open: (id, label) => [`subgraph ${id}["${mermaidText(label)}"]`],
    close: 'end',
    tail: [],
  });

const dotText = (text: string): string => text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n');
const mermaidText = (text: string): string =>
  text.replace(/["#&<>|\n]/g, (letter) => (letter === '\n' ? '<br/>' : `#${letter.charCodeAt(0)};`));

interface Language {
  readonly head: readonly string[];
  readonly node: (id: string, lines: readonly string[], kind: GraphNode['kind']) => string;
  readonly edge: (from: string, to: string, label: string) => string;
  readonly open: (id: string, label: string) => readonly string[];
  readonly close: string;
  readonly tail: readonly string[];
}

function drawn(model: Module<[x: Tensor], unknown>, shape: Shape, language: Language): string {
  const { nodes, edges, groups } = moduleGraph(model, shape);
  const ids = new Map(nodes.map((node, i) => [node, `n${i}`]));
  const id = (node: GraphNode): string => ids.get(node) as string;
  const parents = new Map(groups.map((group) => [group, parentOf(group, groups)]));
  /** A group's nodes and groups, in the order of the calls. */
  const inside = (path: string): string[] => [
    ...nodes.filter(({ within }) => within === path).map((node) => language.node(id(node), linesOf(node), node.kind)),
    ...groups
      .filter((group) => group.path && parents.get(group) === path)
      .flatMap((group) => {
        const content = inside(group.path);
        if (!content.length) return [];
        const label = [group.path, group.name, ...counted(group.parameters)].join(' ');
        return [...language.open(`g${groups.indexOf(group)}`, label), ...indented(content), language.close];
      }),
  ];
  const arrows = edges.map(({ from, to, through }: GraphEdge) => language.edge(id(from), id(to), opsOf(through)));
  return [...language.head, ...indented([...inside(''), ...arrows]), ...language.tail].join('\n');
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const counted = (parameters: number): string[] =>
  parameters ? [`${parameters.toLocaleString('en-US')} parameters`] : [];
const linesOf = ({ path, name, output, parameters }: GraphNode): string[] => [
  path ? `${path} ${name}` : name,
  `[${output.map((size) => size ?? 'N')}]`,
  ...counted(parameters),
];
/** 'relu, maxPool': repetitions once, long ways cut in the middle. */
function opsOf(through: readonly string[]): string {
  const names = through.filter((name, i) => name !== through[i - 1]);
  return (names.length > 4 ? [...names.slice(0, 2), '…', ...names.slice(-1)] : names).join(', ');
}
function parentOf({ path }: GraphGroup, groups: readonly GraphGroup[]): string {
  const above = groups.filter((group) => group.path !== path && path.startsWith(group.path && `${group.path}.`));
  return above.reduce((best, { path: each }) => (each.length > best.length ? each : best), '');
}
