/** @file Compact and indented notation of building blocks, stable enough for tests to pin. */

import type { BuildingBlock, Literal } from './building-blocks.ts';
import type { MaterializedValue } from './types/index.ts';

/** One line: `(x -> (let y=federated_sum(x) in y))`. */
export function printBlock(node: BuildingBlock): string {
  switch (node.kind) {
    case 'reference':
      return node.name;
    case 'selection':
      return `${printBlock(node.source)}${selector(node)}`;
    case 'struct':
      return `<${node.elements.map(({ name, value }) => named(name, printBlock(value))).join(',')}>`;
    case 'call':
      return `${printBlock(node.function)}(${node.argument === null ? '' : printBlock(node.argument)})`;
    case 'lambda':
      return `(${node.parameter ?? ''} -> ${printBlock(node.result)})`;
    case 'block':
      return `(let ${node.locals.map(({ name, value }) => `${name}=${printBlock(value)}`).join(',')} in ${printBlock(node.result)})`;
    case 'intrinsic':
      return node.uri;
    case 'data':
      return `data#${node.uri}`;
    case 'compiled':
      return `comp#${node.name}`;
    case 'placement':
      return node.uri.toUpperCase();
    case 'literal':
      return printLiteral(node);
  }
}

/** The same notation over several lines, two spaces a level. */
export function printIndented(node: BuildingBlock, indent = ''): string {
  const inner = `${indent}  `;
  switch (node.kind) {
    case 'struct': {
      if (node.elements.length < 2) return printBlock(node);
      const lines = node.elements.map(
        ({ name, value }) => `${inner}${named(name, printIndented(value, inner))}`,
      );
      return `<\n${lines.join(',\n')}\n${indent}>`;
    }
    case 'call': {
      const argument = node.argument === null ? '' : printIndented(node.argument, indent);
      return `${printIndented(node.function, indent)}(${argument})`;
    }
    case 'lambda':
      return `(${node.parameter ?? ''} ->\n${inner}${printIndented(node.result, inner)}\n${indent})`;
    case 'block': {
      const lines = node.locals.map(
        ({ name, value }) => `${inner}${name}=${printIndented(value, inner)}`,
      );
      return `(let\n${lines.join(',\n')}\n${indent} in ${printIndented(node.result, indent)})`;
    }
    case 'selection':
      return `${printIndented(node.source, indent)}${selector(node)}`;
    default:
      return printBlock(node);
  }
}

function selector(node: Extract<BuildingBlock, { kind: 'selection' }>): string {
  const type = node.source.type;
  const name = type.kind === 'struct' ? type.elements[node.index]?.name : null;
  return name ? `.${name}` : `[${node.index}]`;
}

function named(name: string | null, text: string): string {
  return name === null ? text : `${name}=${text}`;
}

function printLiteral(node: Literal): string {
  return printValue(node.value);
}

function printValue(value: MaterializedValue): string {
  switch (value.kind) {
    case 'tensor':
      return value.toString();
    case 'struct':
      return `<${value.elements.map(printValue).join(',')}>`;
    case 'sequence':
      return '[…]';
    case 'federated':
      return `{${value.members.map(printValue).join(',')}}`;
  }
}
