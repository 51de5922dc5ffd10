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
  const pieces: string[] = [];
  write(type, pieces);
  const text = pieces.join('');
  cache.set(type, text);
  return text;
}

/** The length of the compact notation. Of a part of a type; nothing is kept of it. */
export function notationLength(type: Type): number {
  const known = cache.get(type);
  if (known !== undefined) return known.length;
  const pieces: string[] = [];
  write(type, pieces);
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
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

// Types are immutable, so their notation is computed once, for whole types only: the notation of
// every part of a deep type from outside would fill the memory.
const cache = new WeakMap<Type, string>();

/** Appends the notation in pieces, in time and memory proportional to its length. */
function write(type: Type, out: string[]): void {
  switch (type.kind) {
    case 'tensor':
      out.push(type.dtype);
      if (type.shape === null) out.push('[*]');
      else if (type.shape.length > 0) out.push(`[${type.shape.map((n) => n ?? '?').join(',')}]`);
      return;
    case 'struct':
      out.push('<');
      type.elements.forEach(({ name, type: element }, index) => {
        if (index > 0) out.push(',');
        if (name !== null) out.push(name, '=');
        write(element, out);
      });
      out.push('>');
      return;
    case 'sequence':
      write(type.element, out);
      out.push('*');
      return;
    case 'function':
      out.push('(');
      if (type.parameter !== null) write(type.parameter, out);
      out.push(' -> ');
      write(type.result, out);
      out.push(')');
      return;
    case 'federated':
      if (!type.allEqual) out.push('{');
      write(type.member, out);
      out.push(type.allEqual ? '@' : '}@', type.placement.toUpperCase());
      return;
    case 'abstract':
      out.push(type.label);
      return;
    case 'placement':
      out.push('placement');
  }
}

function placed(member: string, placement: string, allEqual: boolean): string {
  const where = `@${placement.toUpperCase()}`;
  return allEqual ? `${member}${where}` : `{${member}}${where}`;
}
