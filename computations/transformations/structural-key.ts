/**
 * @file A text that tells building blocks apart by what they mean: equal for equal syntax, whatever
 * the names that are bound inside. Two pure calls with one key have one result.
 */

import type { BuildingBlock } from '../building-blocks.ts';
import { graphHash } from '../tensors/index.ts';
import { compactNotation, type MaterializedValue, type Type } from '../types/index.ts';

/** The key of a block; names that it does not bind stand for themselves. */
export function structuralKey(node: BuildingBlock): string {
  return keyOf(node, new Map());
}

/** @param bound for each name bound around `node`, a number that says which binding it is. */
function keyOf(node: BuildingBlock, bound: ReadonlyMap<string, number>): string {
  switch (node.kind) {
    case 'reference': {
      const index = bound.get(node.name);
      return index === undefined ? `free ${node.name}` : `bound ${index}`;
    }
    case 'selection':
      return `${keyOf(node.source, bound)}[${node.index}]`;
    case 'struct': {
      const elements = node.elements.map(
        ({ name, value }) => `${name ?? ''}=${keyOf(value, bound)}`,
      );
      return `<${elements.join(',')}>`;
    }
    case 'call': {
      const argument = node.argument === null ? '' : keyOf(node.argument, bound);
      return `${keyOf(node.function, bound)}(${argument})`;
    }
    case 'lambda': {
      const inner = node.parameter === null ? bound : withName(bound, node.parameter);
      return `(${typeKey(node.type.parameter)} -> ${keyOf(node.result, inner)})`;
    }
    case 'block': {
      let inner = bound;
      const locals = node.locals.map(({ name, value }) => {
        const key = keyOf(value, inner);
        inner = withName(inner, name);
        return key;
      });
      return `(let ${locals.join(',')} in ${keyOf(node.result, inner)})`;
    }
    case 'intrinsic':
      // What a primitive was reduced from decides whether it may run, so it is part of the meaning.
      return `${node.uri}:${typeKey(node.type)}:${node.origin ?? ''}`;
    case 'data':
      return `data ${JSON.stringify(node.uri)}:${typeKey(node.type)}`;
    case 'compiled':
      return `graph ${graphHash(node.graph)}:${typeKey(node.type)}`;
    case 'placement':
      return `placement ${node.uri}`;
    case 'literal':
      return `literal ${typeKey(node.type)} ${valueKey(node.value)}`;
  }
}

function typeKey(type: Type | null): string {
  return type === null ? '' : compactNotation(type);
}

function withName(bound: ReadonlyMap<string, number>, name: string): ReadonlyMap<string, number> {
  return new Map(bound).set(name, bound.size);
}

function valueKey(value: MaterializedValue): string {
  if (value.kind === 'struct') return `<${value.elements.map(valueKey).join(',')}>`;
  if (value.kind !== 'tensor' || value.data.length > COMPARED) return identityKey(value);
  const elements = Array.from(value.data as ArrayLike<unknown>, (element) =>
    typeof element === 'string' ? JSON.stringify(element) : Object.is(element, -0) ? '-0' : element,
  );
  return `[${value.shape.join(',')}](${elements.join(',')})`;
}

/** Large or lazy values are the same only if they are one object. */
function identityKey(value: MaterializedValue): string {
  const known = identities.get(value);
  if (known !== undefined) return known;
  const key = `object ${nextIdentity++}`;
  identities.set(value, key);
  return key;
}

const COMPARED = 1024;
const identities = new WeakMap<MaterializedValue, string>();
let nextIdentity = 0;
