/**
 * @file Reads the documented functions in a source file of `intrinsics/`: docstring, signatures, and
 * the definitions that each mentions. It relies on the layout that the formatter gives.
 */

export interface DocumentedFunction {
  readonly name: string;
  readonly file: string;
  /** The docstring before its first tag, in paragraphs. */
  readonly description: string;
  readonly parameters: readonly { readonly name: string; readonly text: string }[];
  readonly returns: readonly string[];
  readonly throws: readonly string[];
  /** One for each overload; without `export` and body. */
  readonly signatures: readonly string[];
  /** Exported types of the same file that the signatures mention, as they are written. */
  readonly types: readonly string[];
  /** URIs of the intrinsics that its body mentions, in that order. */
  readonly uris: readonly string[];
}

/** @param file path of the source, for links. */
export function readFunctions(source: string, file: string): readonly DocumentedFunction[] {
  const uris = readDefinitions(source);
  const types = readTypes(source);
  const names = new Set(
    [...source.matchAll(/^export function ((?:federated|sequence)\w+)/gm)].map(
      ([, name]) => name as string,
    ),
  );
  return [...names].map((name) => {
    const declarations = declarationsOf(source, name);
    const body = bodyOf(source, declarations.at(-1)?.end ?? 0);
    const signatures = (declarations.length === 1 ? declarations : declarations.slice(0, -1)).map(
      ({ text }) => text,
    );
    const mentioned = (word: string, text: string): boolean =>
      new RegExp(`\\b${word}\\b`).test(text);
    const doc = docstringBefore(source, declarations[0]?.start ?? 0);
    if (doc === null) throw new Error(`${file}: ${name} has no docstring.`);
    return {
      name,
      file,
      ...parseDocstring(doc),
      signatures,
      types: [...types].flatMap(([type, text]) =>
        signatures.some((signature) => mentioned(type, signature)) ? [text] : [],
      ),
      uris: [...uris].flatMap(([constant, uri]) => (mentioned(constant, body) ? [uri] : [])),
    };
  });
}

/** URIs by the names of the constants that hold the definitions. */
function readDefinitions(source: string): ReadonlyMap<string, string> {
  return new Map(
    [...source.matchAll(/^export const (\w+) = defineIntrinsic\(\s*'(\w+)'/gm)].map(
      ([, constant, uri]) => [constant as string, uri as string],
    ),
  );
}

/** Exported interfaces and types with their docstrings, by name. */
function readTypes(source: string): ReadonlyMap<string, string> {
  const interfaces = source.matchAll(/^export (interface (\w+) \{\n.*?^\})$/gms);
  const aliases = source.matchAll(/^export (type (\w+)\b.*?;)$/gms);
  return new Map(
    [...interfaces, ...aliases].map((match) => {
      const doc = docstringBefore(source, match.index);
      return [match[2] as string, `${doc === null ? '' : `${doc}\n`}${match[1]}`];
    }),
  );
}

interface Declaration {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

function declarationsOf(source: string, name: string): readonly Declaration[] {
  return [...source.matchAll(new RegExp(`^export function ${name}\\b`, 'gm'))].map(({ index }) => {
    let end = index;
    let depth = 0;
    // A declaration ends with the line that closes its parameters and ends in `;` or `{`.
    for (;;) {
      const stop = source.indexOf('\n', end);
      const line = source.slice(end, stop);
      depth += count(line, '(') - count(line, ')');
      end = stop + 1;
      if (depth === 0 && /[;{]$/.test(line)) break;
    }
    const text = source
      .slice(index, end)
      .replace(/^export /, '')
      .replace(/ ?[;{]\n$/, '');
    return { text, start: index, end };
  });
}

function bodyOf(source: string, start: number): string {
  return source.slice(start, source.indexOf('\n}\n', start));
}

/** The docstring that ends on the line before `index`, or `null`. */
function docstringBefore(source: string, index: number): string | null {
  const before = source.slice(0, index);
  if (!before.endsWith('*/\n')) return null;
  return before.slice(before.lastIndexOf('/**')).trimEnd();
}

type Docstring = Pick<DocumentedFunction, 'description' | 'parameters' | 'returns' | 'throws'>;

function parseDocstring(doc: string): Docstring {
  const text = doc
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^ *\* ?/, '').trimEnd())
    .join('\n')
    .trim();
  const [description = '', ...tags] = text.split(/^@/m);
  const tagged = (tag: string): string[] =>
    tags.flatMap((each) => (each.startsWith(`${tag} `) ? [flat(each.slice(tag.length + 1))] : []));
  return {
    description: description.trim(),
    parameters: tagged('param').map((each) => {
      const [, name = '', rest = ''] = each.match(/^(\S+) (.*)$/) ?? [];
      return { name, text: rest };
    }),
    returns: tagged('returns'),
    throws: tagged('throws'),
  };
}

function flat(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
