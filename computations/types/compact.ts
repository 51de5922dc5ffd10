/**
 * @file Compact notation of types: `{<a=int32[?,3],float32>}@CLIENTS`, `(int32* -> int32)`.
 * The grammar is that of TensorFlow Federated, except that a tensor of unknown rank prints as
 * `int32[*]` (TFF prints its own constructor call there).
 */

import type { Type } from './types.ts';

/** One line without spaces, except around `->`. `parseType` reads it back. */
export function compactNotation(type: Type): string {
  const known = cache.get(type);
  if (known !== undefined) return known;
  const text = print(type);
  cache.set(type, text);
  return text;
}

/** Like the compact notation, with the elements of each struct on lines of their own. */
export function formattedNotation(type: Type, indent = ''): string {
  switch (type.kind) {
    case 'struct': {
      if (type.elements.length === 0) return '<>';
      const inner = `${indent}  `;
      const lines = type.elements.map(
        ({ name, type: element }) =>
          `${inner}${name === null ? '' : `${name}=`}${formattedNotation(element, inner)}`,
      );
      return `<\n${lines.join(',\n')}\n${indent}>`;
    }
    case 'sequence':
      return `${formattedNotation(type.element, indent)}*`;
    case 'function':
      return type.parameter === null
        ? `( -> ${formattedNotation(type.result, indent)})`
        : `(${formattedNotation(type.parameter, indent)} -> ${formattedNotation(type.result, indent)})`;
    case 'federated':
      return placed(formattedNotation(type.member, indent), type.placement, type.allEqual);
    default:
      return compactNotation(type);
  }
}

// Types are immutable, so their notation is computed once. It doubles as their key for equality.
const cache = new WeakMap<Type, string>();

function print(type: Type): string {
  switch (type.kind) {
    case 'tensor': {
      if (type.shape === null) return `${type.dtype}[*]`;
      if (type.shape.length === 0) return type.dtype;
      return `${type.dtype}[${type.shape.map((size) => size ?? '?').join(',')}]`;
    }
    case 'struct':
      return `<${type.elements
        .map(({ name, type: element }) =>
          name === null ? compactNotation(element) : `${name}=${compactNotation(element)}`,
        )
        .join(',')}>`;
    case 'sequence':
      return `${compactNotation(type.element)}*`;
    case 'function':
      return type.parameter === null
        ? `( -> ${compactNotation(type.result)})`
        : `(${compactNotation(type.parameter)} -> ${compactNotation(type.result)})`;
    case 'federated':
      return placed(compactNotation(type.member), type.placement, type.allEqual);
    case 'abstract':
      return type.label;
    case 'placement':
      return 'placement';
  }
}

function placed(member: string, placement: string, allEqual: boolean): string {
  const where = `@${placement.toUpperCase()}`;
  return allEqual ? `${member}${where}` : `{${member}}${where}`;
}
