/** @file Anything as one line of JSON: what it cannot say is said as text, and nothing throws. */

/**
 * A line that ends in `\n`. A bigint is a string of its digits, an error its name, code and message, bytes
 * their number; what holds itself is cut there, and so is what is too deep. Secrets print themselves
 * without what they hold (`SecretBytes.toJSON`).
 */
export function toJsonLine(value: object): string {
  return `${escapeInvisible(JSON.stringify(plain(value, [])) ?? '{}')}\n`;
}

/**
 * Control and format characters as JSON escapes them: peers choose some of the texts, and none is to move
 * the cursor of a terminal, to turn the direction of writing, or to begin a line.
 */
export function escapeInvisible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    // By UTF-16 units, as JSON does.
    Array.from({ length: character.length }, (_, unit) => {
      const code = character.charCodeAt(unit).toString(16);
      return `\\u${code.padStart(4, '0')}`;
    }).join(''),
  );
}

/** As JSON has it. */
function plain(value: unknown, path: readonly object[]): unknown {
  switch (typeof value) {
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'object':
      return value === null ? null : plainObject(value, path);
    default:
      return value;
  }
}

function plainObject(value: object, path: readonly object[]): unknown {
  if (path.includes(value)) return '[circular]';
  if (path.length >= MAX_DEPTH) return '[too deep]';
  const inner = [...path, value];
  try {
    if (value instanceof Error) return plainError(value, inner);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if ('toJSON' in value && typeof value.toJSON === 'function')
      return plain(value.toJSON(), inner);
    if (Array.isArray(value)) {
      const items = value.slice(0, MAX_ITEMS).map((item) => plain(item, inner) ?? null);
      return value.length > MAX_ITEMS ? [...items, `[${value.length} items]`] : items;
    }
    const entries: Iterable<readonly [unknown, unknown]> =
      value instanceof Map ? value : Object.entries(value);
    return Object.fromEntries(
      Array.from(entries, ([key, item]) => [String(key), plain(item, inner)] as const),
    );
  } catch {
    return '[cannot be read]';
  }
}

function plainError(error: Error, path: readonly object[]): object {
  return {
    name: error.name,
    ...('code' in error && { code: plain(error.code, path) }),
    message: error.message,
    ...(error.cause !== undefined && { cause: plain(error.cause, path) }),
  };
}

const MAX_DEPTH = 8;
const MAX_ITEMS = 100;
