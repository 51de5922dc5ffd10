/** @file Reads the compact notation of types back; the inverse of `compactNotation`. */

import { isDType } from './dtypes.ts';
import { FederatedTypeError } from './errors.ts';
import {
  abstract,
  type Dimension,
  federated,
  func,
  placementType,
  type StructElement,
  sequence,
  structOf,
  type Type,
  tensorOfShape,
} from './types.ts';

/**
 * The type that a compact notation stands for. White space between tokens is allowed.
 * @throws FederatedTypeError `type.parse` with the position of the first character that does not fit.
 */
export function parseType(notation: string): Type {
  const scanner = new Scanner(notation);
  const type = parseAny(scanner, 0);
  scanner.end();
  return type;
}

// Nesting is bounded so that a hostile notation cannot exhaust the stack.
const MAX_DEPTH = 200;

function parseAny(scanner: Scanner, depth: number): Type {
  if (depth > MAX_DEPTH) scanner.fail(`at most ${MAX_DEPTH} levels of nesting`);
  let type = parsePrimary(scanner, depth);
  while (scanner.take('*')) type = sequence(type);
  return scanner.take('@') ? federated(type, parsePlacement(scanner), true) : type;
}

function parsePrimary(scanner: Scanner, depth: number): Type {
  if (scanner.take('<')) return parseStruct(scanner, depth);
  if (scanner.take('(')) {
    const parameter = scanner.take('->') ? null : parseAny(scanner, depth + 1);
    if (parameter !== null) scanner.expect('->');
    const result = parseAny(scanner, depth + 1);
    scanner.expect(')');
    return func(parameter, result);
  }
  if (scanner.take('{')) {
    const member = parseAny(scanner, depth + 1);
    scanner.expect('}');
    scanner.expect('@');
    return federated(member, parsePlacement(scanner), false);
  }
  const name = scanner.identifier('a type');
  if (name === 'placement') return placementType;
  const dtype = name === 'str' ? 'string' : name;
  if (!isDType(dtype)) return abstract(name);
  if (!scanner.take('[')) return tensorOfShape(dtype, []);
  if (scanner.take('*')) {
    scanner.expect(']');
    return tensorOfShape(dtype, null);
  }
  const shape: Dimension[] = [];
  do shape.push(scanner.take('?') ? null : scanner.integer());
  while (scanner.take(','));
  scanner.expect(']');
  return tensorOfShape(dtype, shape);
}

function parseStruct(scanner: Scanner, depth: number): Type {
  const elements: StructElement[] = [];
  if (scanner.take('>')) return structOf(elements);
  do {
    const name = scanner.elementName();
    elements.push({ name, type: parseAny(scanner, depth + 1) });
  } while (scanner.take(','));
  scanner.expect('>');
  return structOf(elements);
}

function parsePlacement(scanner: Scanner): string {
  return scanner.identifier('a placement').toLowerCase();
}

class Scanner {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(token: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(token, this.#position)) return false;
    this.#position += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) this.fail(`'${token}'`);
  }

  identifier(what: string): string {
    return this.#match(/[A-Za-z_][A-Za-z0-9_]*/y) ?? this.fail(what);
  }

  integer(): number {
    return Number(this.#match(/\d+/y) ?? this.fail("a dimension or '?'"));
  }

  /** The name in `name=type`, or `null` if no name stands here. */
  elementName(): string | null {
    return (
      this.#match(/[A-Za-z_][A-Za-z0-9_]*\s*=/y)
        ?.slice(0, -1)
        .trim() ?? null
    );
  }

  end(): void {
    this.#skipSpace();
    if (this.#position < this.#text.length) this.fail('the end');
  }

  fail(expected: string): never {
    const shown = `${this.#text.slice(0, this.#position)}»${this.#text.slice(this.#position)}`;
    throw new FederatedTypeError(
      'type.parse',
      `Expected ${expected} at position ${this.#position} of the type notation: ${shown}`,
    );
  }

  #match(pattern: RegExp): string | null {
    this.#skipSpace();
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    this.#position += found?.length ?? 0;
    return found;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text.charAt(this.#position))) this.#position++;
  }
}
