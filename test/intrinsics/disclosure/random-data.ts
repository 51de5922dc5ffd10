/** @file Random types of clients' data, data of them, and a change of it at one place that has a name. */

import fc from 'fast-check';
import { int32, sequence, structOf, type Type } from '../../../computations/types/index.ts';

export type Draw = fc.GeneratorValue;

export const INT = int32();
export const PAIR = int32(2);
export const VECTOR = int32(null);

/** Types of data that a client may hold. */
export function clientType(draw: Draw, depth = 2): Type {
  const kinds = ['int', 'pair', 'vector', 'vector', 'sequence', 'sequence', 'struct'];
  const kind = draw(fc.constantFrom, ...kinds.slice(0, depth === 0 ? 4 : kinds.length));
  if (kind === 'struct') return randomStruct(draw, () => clientType(draw, depth - 1));
  if (kind === 'sequence') return sequence(elementType(draw, depth - 1));
  return kind === 'int' ? INT : kind === 'pair' ? PAIR : VECTOR;
}

export function elementType(draw: Draw, depth: number): Type {
  const isStruct = depth > 0 && draw(fc.boolean);
  return isStruct ? randomStruct(draw, () => elementType(draw, depth - 1)) : INT;
}

function randomStruct(draw: Draw, element: () => Type): Type {
  const names = draw(
    fc.constantFrom<(string | null)[][]>,
    ['x', 'y'],
    [null, null],
    ['x', null, 'y'],
    ['x'],
    [],
  );
  return structOf(names.map((name) => ({ name, type: element() })));
}

export function dataOf(draw: Draw, type: Type): unknown {
  switch (type.kind) {
    case 'struct':
      return gather(
        type,
        fields(type).map(({ type: element }) => dataOf(draw, element)),
      );
    case 'sequence':
      return Array.from({ length: draw(fc.nat, { max: 3 }) }, () => dataOf(draw, type.element));
    case 'tensor': {
      const length = type.shape?.[0] === null ? draw(fc.nat, { max: 3 }) : 2;
      if (type.shape?.length === 0) return integer(draw);
      return Int32Array.from({ length }, () => integer(draw));
    }
    default:
      throw new TypeError(`No data of type ${String(type)}.`);
  }
}

export interface Change {
  readonly data: unknown;
  /** What a report may call the part that changed. */
  readonly touched: readonly string[];
}

/** Other data, different at one leaf, or in the length of one sequence; `null` if there is nothing to change. */
export function changeOf(draw: Draw, type: Type, data: unknown, path: string): Change | null {
  switch (type.kind) {
    case 'struct': {
      const parts = fields(type);
      if (parts.length === 0) return null;
      const { index, key, type: element } = draw(fc.constantFrom, ...parts);
      const values = parts.map((part) => (data as Record<string, unknown>)[part.key]);
      const change = changeOf(draw, element, values[index], elementName(path, type, index, key));
      if (change === null) return null;
      return { data: gather(type, values.with(index, change.data)), touched: change.touched };
    }
    case 'sequence': {
      const elements = data as readonly unknown[];
      const inside = `${path}[*]`;
      if (elements.length > 0 && draw(fc.boolean)) {
        const index = draw(fc.nat, { max: elements.length - 1 });
        const change = changeOf(draw, type.element, elements[index], inside);
        if (change === null) return null;
        return { data: elements.with(index, change.data), touched: change.touched };
      }
      return {
        data: [...elements, dataOf(draw, type.element)],
        touched: [`length of ${path}`, ...leafNames(type.element, inside)],
      };
    }
    case 'tensor': {
      if (type.shape?.length === 0) return { data: otherInteger(data as number), touched: [path] };
      const vector = data as Int32Array;
      if (type.shape?.[0] === null && (vector.length === 0 || draw(fc.boolean))) {
        return { data: Int32Array.of(...vector, 7), touched: [path] };
      }
      return {
        data: vector.map((value, i) => (i === 0 ? otherInteger(value) : value)),
        touched: [path],
      };
    }
    default:
      return null;
  }
}

function leafNames(type: Type, path: string): string[] {
  if (type.kind !== 'struct') return [path];
  return fields(type).flatMap(({ index, key, type: element }) =>
    leafNames(element, elementName(path, type, index, key)),
  );
}

function elementName(
  path: string,
  type: Extract<Type, { kind: 'struct' }>,
  index: number,
  key: string,
): string {
  return type.elements[index]?.name == null ? `${path}[${index}]` : `${path}.${key}`;
}

function fields(type: Extract<Type, { kind: 'struct' }>) {
  return type.elements.map(({ name, type: element }, index) => ({
    index,
    key: name ?? String(index),
    type: element,
  }));
}

/** Unnamed structs are arrays, others are objects. */
function gather(type: Extract<Type, { kind: 'struct' }>, values: readonly unknown[]): unknown {
  if (type.elements.every(({ name }) => name === null)) return values;
  return Object.fromEntries(fields(type).map(({ key, index }) => [key, values[index]]));
}

function integer(draw: Draw): number {
  return draw(fc.nat, { max: 96 });
}

function otherInteger(value: number): number {
  return (value + 41) % 97;
}
