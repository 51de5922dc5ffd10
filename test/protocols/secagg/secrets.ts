/** @file Finds the secrets in a value, and their bytes in what is printed of another. */

import { inspect } from 'node:util';
import { SecretBytes } from 'fedloom/protocols';

/** Every secret within a value, at any depth. */
export function secretsIn(value: unknown, seen = new Set<object>()): SecretBytes[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  if (value instanceof SecretBytes) return [value];
  const items =
    value instanceof Map
      ? [...value.keys(), ...value.values()]
      : value instanceof Set || Array.isArray(value)
        ? [...value]
        : ArrayBuffer.isView(value)
          ? []
          : Object.values(value);
  return items.flatMap((item) => secretsIn(item, seen));
}

/** Everything that a log could show of a value, in one string. */
export function everythingPrinted(value: unknown): string {
  const plain = JSON.stringify(value, (_key, item) =>
    typeof item === 'bigint' ? String(item) : item,
  );
  return [String(value), plain, inspect(value, { depth: 20, showHidden: true })].join('\n');
}

/** Whether a secret's bytes can be read in a text, in one of the usual notations. */
export function isShownIn(text: string, secret: Uint8Array): boolean {
  const bytes = Buffer.from(secret);
  return [
    bytes.toString('hex'),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    [...bytes].join(', '),
    [...bytes].join(','),
    [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
  ].some((notation) => text.includes(notation));
}
