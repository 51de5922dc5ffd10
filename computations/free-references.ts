/** @file Which names a building block uses without binding them, and how to replace those. */

import {
  type BuildingBlock,
  block,
  call,
  lambda,
  selection,
  structBlock,
} from './building-blocks.ts';

/** The names that `node` uses but does not bind. Computed once for each block. */
export function freeReferences(node: BuildingBlock): ReadonlySet<string> {
  const known = cache.get(node);
  if (known !== undefined) return known;
  const names = collect(node);
  cache.set(node, names);
  return names;
}

/**
 * Replaces free references. Replacements must be closed, so that nothing inside `node` captures
 * a name of theirs. Parts without any free name of `replacements` are returned as they are.
 */
export function replaceReferences(
  node: BuildingBlock,
  replacements: ReadonlyMap<string, BuildingBlock>,
): BuildingBlock {
  if (![...freeReferences(node)].some((name) => replacements.has(name))) return node;
  const visit = (inner: BuildingBlock): BuildingBlock => replaceReferences(inner, replacements);
  switch (node.kind) {
    case 'reference':
      return replacements.get(node.name) ?? node;
    case 'selection':
      return selection(visit(node.source), node.index);
    case 'struct':
      return structBlock(node.elements.map(({ name, value }) => ({ name, value: visit(value) })));
    case 'call':
      return call(visit(node.function), node.argument === null ? null : visit(node.argument));
    case 'lambda': {
      const { parameter } = node.type;
      if (node.parameter === null || parameter === null) {
        return lambda(null, null, visit(node.result));
      }
      const inner = without(replacements, node.parameter);
      return lambda(node.parameter, parameter, replaceReferences(node.result, inner));
    }
    case 'block': {
      let visible = replacements;
      const locals = node.locals.map(({ name, value }) => {
        const replaced = replaceReferences(value, visible);
        visible = without(visible, name);
        return { name, value: replaced };
      });
      return block(locals, replaceReferences(node.result, visible));
    }
    default:
      return node;
  }
}

const EMPTY: ReadonlySet<string> = new Set();

// Blocks are immutable, so what they use never changes.
const cache = new WeakMap<BuildingBlock, ReadonlySet<string>>();

function collect(node: BuildingBlock): ReadonlySet<string> {
  switch (node.kind) {
    case 'reference':
      return new Set([node.name]);
    case 'selection':
      return freeReferences(node.source);
    case 'struct':
      return union(node.elements.map(({ value }) => freeReferences(value)));
    case 'call':
      return union([
        freeReferences(node.function),
        node.argument === null ? EMPTY : freeReferences(node.argument),
      ]);
    case 'lambda': {
      const inner = freeReferences(node.result);
      if (node.parameter === null || !inner.has(node.parameter)) return inner;
      return minus(inner, new Set([node.parameter]));
    }
    case 'block': {
      const bound = new Set<string>();
      const used: ReadonlySet<string>[] = [];
      for (const { name, value } of node.locals) {
        used.push(minus(freeReferences(value), bound));
        bound.add(name);
      }
      return union([...used, minus(freeReferences(node.result), bound)]);
    }
    default:
      return EMPTY;
  }
}

function union(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const filled = sets.filter((set) => set.size > 0);
  const [only] = filled;
  if (only === undefined) return EMPTY;
  return filled.length === 1 ? only : new Set(filled.flatMap((set) => [...set]));
}

function minus(set: ReadonlySet<string>, removed: ReadonlySet<string>): ReadonlySet<string> {
  return set.size === 0 ? set : new Set([...set].filter((name) => !removed.has(name)));
}

function without<V>(map: ReadonlyMap<string, V>, name: string): ReadonlyMap<string, V> {
  if (!map.has(name)) return map;
  return new Map([...map].filter(([key]) => key !== name));
}
