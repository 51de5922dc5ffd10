/**
 * @file Writes `docs/intrinsics/`: a page for each function of the language, from its docstring and
 * the definitions of the intrinsics that it calls.
 *
 *     tsx scripts/generate-intrinsics-docs.ts            writes the pages
 *     tsx scripts/generate-intrinsics-docs.ts --check    fails if they are not what it would write
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildingBlock, childBlocks } from '../computations/building-blocks.ts';
import {
  compactNotation,
  FederatedTypeError,
  type FunctionType,
  parseType,
  type Type,
} from '../computations/types/index.ts';
import type { IntrinsicDefinition } from '../intrinsics/definition.ts';
import { INTRINSICS, intrinsicTypeRule } from '../intrinsics/index.ts';
import { type DocumentedFunction, readFunctions } from './intrinsics-source.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs/intrinsics');
const GENERATED = '<!-- Written by scripts/generate-intrinsics-docs.ts from intrinsics/. -->\n';

const functions = readdirSync(join(root, 'intrinsics'))
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) =>
    readFunctions(readFileSync(join(root, 'intrinsics', file), 'utf8'), `intrinsics/${file}`),
  )
  .sort((a, b) => (a.name < b.name ? -1 : 1));

const pages = new Map<string, string>([
  ['README.md', indexPage(functions)],
  ...functions.map((each): [string, string] => [`${each.name}.md`, functionPage(each)]),
]);

if (process.argv.includes('--check')) check();
else write();

function write(): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of pages) writeFileSync(join(folder, file), text);
}

function check(): void {
  const present = existsSync(folder) ? readdirSync(folder) : [];
  const stale = [...new Set([...present, ...pages.keys()])].filter((file) => {
    const path = join(folder, file);
    return !existsSync(path) || readFileSync(path, 'utf8') !== pages.get(file);
  });
  if (stale.length === 0) return;
  console.error(
    `docs/intrinsics does not match intrinsics/: ${stale.join(', ')}. Run: npx tsx scripts/generate-intrinsics-docs.ts`,
  );
  process.exitCode = 1;
}

function indexPage(all: readonly DocumentedFunction[]): string {
  const documented = new Set(all.flatMap(({ uris }) => uris));
  const others = [...INTRINSICS.values()].filter(({ uri }) => !documented.has(uri));
  const rows = all.map(({ name, description, uris }) => [
    `[\`${name}\`](${name}.md)`,
    firstSentence(description),
    uris.map(code).join(', '),
  ]);
  return lines(
    GENERATED,
    '# Intrinsics',
    '',
    'The operators of the federated language, by the function that calls them. Their rules on types are',
    'those of TensorFlow Federated; [tff-names.md](../tff-names.md) says what differs.',
    '',
    ...table(['function', 'what it does', 'intrinsics'], rows),
    '',
    '## Without a function of their own',
    '',
    'Programs from outside may use these, and other intrinsics are made of them.',
    '',
    ...definitionTable(others),
  );
}

function functionPage(each: DocumentedFunction): string {
  const definitions = each.uris.flatMap((uri) => INTRINSICS.get(uri) ?? []);
  return lines(
    GENERATED,
    `# ${each.name}`,
    '',
    each.description,
    '',
    '```typescript',
    each.signatures.join('\n\n'),
    '```',
    ...list(
      'Parameters',
      each.parameters.map(({ name, text }) => `${code(name)}: ${text}`),
    ),
    ...list('Returns', each.returns),
    ...list('Throws', each.throws),
    ...(each.types.length === 0
      ? []
      : ['', '## Types', '', '```typescript', each.types.join('\n\n'), '```']),
    '',
    ...(definitions.length === 0 ? [] : ['## Intrinsics', '', ...definitionTable(definitions), '']),
    `Source: [${each.file}](../../${each.file}) · [all intrinsics](README.md)`,
  );
}

function definitionTable(definitions: readonly IntrinsicDefinition[]): readonly string[] {
  return table(
    ['URI', 'signature', 'what the server learns', 'how it runs'],
    definitions.map((definition) => [
      code(definition.uri),
      code(compactNotation(definition.signature)),
      disclosed(definition),
      implementation(definition),
    ]),
  );
}

function disclosed({ aggregation, broadcast, uri }: IntrinsicDefinition): string {
  if (aggregation === 'plain') return 'the aggregate; it also sees the values of single clients';
  if (aggregation === 'secure')
    return 'the sum and nothing else; refused by a stack without a protocol';
  if (uri === 'federated_select') return 'the keys of each client';
  if (broadcast === 'secure') return 'nothing of the keys';
  return 'nothing';
}

function implementation(definition: IntrinsicDefinition): string {
  const purity = definition.purity === 'pure' ? '' : `${definition.purity}, `;
  if (definition.aggregation === 'secure') return `${purity}by the protocol of the stack`;
  if (definition.reduce === undefined) return `${purity}executors implement it`;
  const made = madeOf(definition);
  return made.length === 0
    ? `${purity}becomes a tensor computation`
    : `${purity}is reduced to ${made.map(code).join(', ')}`;
}

/** The intrinsics in the reduction of a composite, at some type that it has. */
function madeOf({ uri, signature, reduce }: IntrinsicDefinition): readonly string[] {
  for (const dtype of ['float32', 'int32']) {
    const type = parseType(compactNotation(signature).replace(/\b[A-Z]\b/g, dtype));
    if (!hasType(uri, type)) continue;
    const found = reduce?.(type as FunctionType);
    return found === undefined ? [] : [...new Set(intrinsicsIn(found))];
  }
  throw new Error(`No example of a type of ${uri} was found; add a dtype here.`);
}

function hasType(uri: string, type: Type): boolean {
  try {
    intrinsicTypeRule(uri, type);
    return true;
  } catch (error) {
    if (error instanceof FederatedTypeError) return false;
    throw error;
  }
}

function intrinsicsIn(node: BuildingBlock): readonly string[] {
  return node.kind === 'intrinsic' ? [node.uri] : childBlocks(node).flatMap(intrinsicsIn);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...rows.map(row)];
}

function list(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : ['', `**${title}**`, '', ...items.map((item) => `- ${item}`)];
}

function firstSentence(text: string): string {
  const [paragraph = ''] = text.split('\n\n');
  const flat = paragraph.replaceAll('\n', ' ');
  return flat.match(/^.*?[.;:](?= |$)/)?.[0].replace(/[;:]$/, '.') ?? flat;
}

function code(text: string): string {
  return `\`${text}\``;
}

function lines(...text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
