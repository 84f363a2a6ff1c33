/** The type checker on texts, as the house's own check runs it. */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface TypeError {
  readonly line: number;
  readonly message: string;
}
const root = fileURLToPath(new URL('../../../', import.meta.url));
const { config } = ts.readConfigFile(`${root}tsconfig.base.json`, ts.sys.readFile) as {
  config: { compilerOptions: object };
};
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
/** Parsed once: a file of the house or of TypeScript's library is in every program. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** Errors in these files, by their path in the house, and how many types were made of generic ones to find them. */
export function check(files: Readonly<Record<string, string>>, changed: ts.CompilerOptions = {}) {
  const all: ts.CompilerOptions = {
    ...options,
    // from any package's tests into any package, whoever depends on whom
    paths: { '@tessera/zoo/*': [`${root}packages/zoo/src/*.ts`], '@tessera/*': [`${root}packages/*/src/index.ts`] },
    ...changed,
  };
  const texts = new Map(Object.entries(files).map(([path, text]) => [root + path, text]));
  const host = ts.createCompilerHost(all);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, language) => {
    const text = texts.get(path);
    if (text !== undefined) return ts.createSourceFile(path, text, language);
    if (!parsed.has(path)) parsed.set(path, getSourceFile(path, language));
    return parsed.get(path);
  };
  const program = ts.createProgram([...texts.keys()], all, host);
  const errors = [...texts.keys()].flatMap((path) => {
    const file = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ file, start = 0, messageText }): TypeError => ({
        line: (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1,
        message: ts.flattenDiagnosticMessageText(messageText, '\n'),
      }),
    );
  });
  return { errors, instantiations: program.getInstantiationCount() };
}
