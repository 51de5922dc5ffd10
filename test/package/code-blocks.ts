/** @file The TypeScript code blocks of the documentation, as programs with the output they promise. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface CodeBlock {
  /** Page and line at which the block begins, e.g. `docs/architecture.md:12`. */
  readonly where: string;
  readonly source: string;
  /** What is printed, by the comments behind `console.log(…);` and those that begin with `prints`. */
  readonly output: readonly string[];
}

/** All TypeScript blocks of README, CONTRIBUTING and the pages of `docs/` and its folders. */
export function documentedBlocks(): CodeBlock[] {
  const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file.replaceAll('\\', '/')}`)
    .sort();
  return ['README.md', 'CONTRIBUTING.md', ...pages].flatMap(blocksOf);
}

/** The program with which the README begins. */
export function readmeProgram(): CodeBlock {
  const [program] = blocksOf('README.md');
  if (program === undefined) throw new Error('README.md has no TypeScript block.');
  return program;
}

function blocksOf(page: string): CodeBlock[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const source = match[1] ?? '';
    return {
      where: `${page}:${text.slice(0, match.index).split('\n').length}`,
      source,
      output: [...source.matchAll(/(?:console\.log\(.*\); *\/\/|^\/\/ prints) (.*)$/gm)].map(
        ([, line]) => line ?? '',
      ),
    };
  });
}
