/** @file Attributes of nodes: evaluating the sizes inside them, comparing and substituting. */

import type { Attributes, AttributeValue } from './graph.ts';
import type { ConcreteAttribute, ConcreteAttributes } from './kernels/definition.ts';
import { evaluateSize, isSizeExpression, printSize, type Size, substituteSize } from './sizes.ts';

/** The attributes when the unknown sizes are `sizes`. */
export function evaluateAttributes(
  attributes: Attributes,
  sizes: readonly number[],
): ConcreteAttributes {
  const concrete: Record<string, ConcreteAttribute> = {};
  for (const [name, value] of Object.entries(attributes)) concrete[name] = evaluate(value, sizes);
  return concrete;
}

/** Puts a size for each unknown, wherever a size stands in the attributes. */
export function substituteAttributes(
  attributes: Attributes,
  replacements: readonly Size[],
): Attributes {
  return mapAttributes(attributes, (size) => substituteSize(size, replacements));
}

/** A text that is equal for equal attributes and for no others. */
export function attributeKey(attributes: Attributes): string {
  return Object.keys(attributes)
    .sort()
    .map((name) => `${name}:${printAttribute(attributes[name] as AttributeValue)}`)
    .join(' ');
}

/** `[2, n0]`, `'same'`, `-0`, `Infinity`. */
export function printAttribute(value: AttributeValue): string {
  if (isList(value)) return `[${value.map(printAttribute).join(', ')}]`;
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'boolean' ? String(value) : printSize(value);
}

function mapAttributes(attributes: Attributes, replace: (size: Size) => Size): Attributes {
  const map = (value: AttributeValue): AttributeValue => {
    if (isList(value)) return value.map(map);
    return typeof value === 'string' || typeof value === 'boolean' ? value : replace(value);
  };
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, map(value)]));
}

function evaluate(value: AttributeValue, sizes: readonly number[]): ConcreteAttribute {
  if (isList(value)) return value.map((item) => evaluate(item, sizes));
  return isSizeExpression(value) ? evaluateSize(value, sizes) : value;
}

function isList(value: AttributeValue): value is readonly AttributeValue[] {
  return Array.isArray(value);
}
