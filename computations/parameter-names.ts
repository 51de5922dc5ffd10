/**
 * @file The names of a function's parameters, read from its source. They become the names of the
 * struct that a computation with several parameters takes.
 */

export interface ParameterList {
  /** One entry a parameter; `null` for a pattern. */
  readonly names: readonly (string | null)[];
  /** True if the last one is a rest parameter. */
  readonly rest: boolean;
}

/** The names of the first `count` parameters; `null` for a pattern or one that is not there. */
export function parameterNames(body: SourceText, count: number): (string | null)[] {
  const { names } = readParameters(body);
  return Array.from({ length: count }, (_, i) => names[i] ?? null);
}

type SourceText = { toString(): string };

/** The parameters as written; none if the source cannot be read, as that of a native function. */
export function readParameters(body: SourceText): ParameterList {
  const source = body.toString().replace(COMMENTS, ' ').trimStart();
  const only = /^(?:async\s+)?([A-Za-z_$][\w$]*)\s*=>/.exec(source)?.[1];
  if (only !== undefined) return { names: [usable(only)], rest: false };
  const opening = /^(?:async\s+)?(?:function\b\s*)?\*?\s*[\w$]*\s*\(/.exec(source)?.[0];
  if (opening === undefined) return { names: [], rest: false };
  const parts = splitList(source, opening.length);
  return {
    names: parts.map((part) => usable(part.replace(/=(?!=)[\s\S]*$/, '').trim())),
    rest: parts.at(-1)?.startsWith('...') ?? false,
  };
}

// Comments, but not what looks like one inside a string.
const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

function usable(name: string): string | null {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : null;
}

/** The parts between commas of the list that starts at `start`, up to its closing parenthesis. */
function splitList(source: string, start: number): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (let at = start; at < source.length; at++) {
    const character = source.charAt(at);
    if (depth === 0 && (character === ',' || character === ')')) {
      if (part.trim() !== '') parts.push(part.trim());
      if (character === ')') return parts;
      part = '';
      continue;
    }
    if ('"\'`'.includes(character)) at = Math.max(at, source.indexOf(character, at + 1));
    if ('([{'.includes(character)) depth++;
    if (')]}'.includes(character)) depth--;
    part += character;
  }
  return [];
}
