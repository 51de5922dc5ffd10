/** @file Which names a building block uses without binding them, and how to replace those. */

import {
  type BuildingBlock,
  block,
  call,
  lambda,
  type Reference,
  type Selection,
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
  return replaceFree(node, new Set(replacements.keys()), (part) =>
    part.kind === 'reference' ? (replacements.get(part.name) ?? part) : null,
  );
}

/** A name that a block uses without binding it, or what it selects of one. */
export type CapturedPart = Reference | (Selection & { readonly source: CapturedPart });

/**
 * What a block uses of the names that it does not bind: of a struct from which it selects, the
 * elements and not the whole.
 */
export function capturedParts(node: BuildingBlock): readonly CapturedPart[] {
  const parts: CapturedPart[] = [];
  replaceFree(node, freeReferences(node), (part) => {
    parts.push(part);
    return part;
  });
  return parts;
}

/** Replaces each part that `capturedParts` finds, by closed blocks. */
export function replaceCapturedParts(
  node: BuildingBlock,
  replace: (part: CapturedPart) => BuildingBlock,
): BuildingBlock {
  return replaceFree(node, freeReferences(node), replace);
}

/**
 * @param replace for a reference, or a selection of one, that is free and of one of the `names`, the
 *   widest selection first; `null` to be asked for what it selects from.
 */
function replaceFree(
  node: BuildingBlock,
  names: ReadonlySet<string>,
  replace: (part: CapturedPart) => BuildingBlock | null,
): BuildingBlock {
  if (![...freeReferences(node)].some((name) => names.has(name))) return node;
  const visit = (inner: BuildingBlock): BuildingBlock => replaceFree(inner, names, replace);
  switch (node.kind) {
    case 'reference':
      return replace(node) ?? node;
    case 'selection':
      return (
        (isCapturedPart(node) ? replace(node) : null) ?? selection(visit(node.source), node.index)
      );
    case 'struct':
      return structBlock(node.elements.map(({ name, value }) => ({ name, value: visit(value) })));
    case 'call':
      return call(visit(node.function), node.argument === null ? null : visit(node.argument));
    case 'lambda': {
      const { parameter } = node.type;
      if (node.parameter === null || parameter === null) {
        return lambda(null, null, visit(node.result));
      }
      const inner = minus(names, new Set([node.parameter]));
      return lambda(node.parameter, parameter, replaceFree(node.result, inner, replace));
    }
    case 'block': {
      let visible = names;
      const locals = node.locals.map(({ name, value }) => {
        const replaced = replaceFree(value, visible, replace);
        visible = minus(visible, new Set([name]));
        return { name, value: replaced };
      });
      return block(locals, replaceFree(node.result, visible, replace));
    }
    default:
      return node;
  }
}

function isCapturedPart(node: BuildingBlock): node is CapturedPart {
  return node.kind === 'reference' || (node.kind === 'selection' && isCapturedPart(node.source));
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
