/** @file Names: fresh ones while a tree is transformed, and unique ones when it is done. */

import {
  type BuildingBlock,
  block,
  call,
  lambda,
  reference,
  selection,
  structBlock,
} from '../building-blocks.ts';
import { freeReferences } from '../free-references.ts';

/** Gives out `_var1`, `_var2`, … except for names that are taken. */
export class NameSource {
  readonly #taken: Set<string>;
  #next = 1;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** A name that was never given out or taken. */
  fresh(): string {
    for (;;) {
      const name = `_var${this.#next++}`;
      if (this.take(name)) return name;
    }
  }

  /** Takes a name; false if it is taken already. */
  take(name: string): boolean {
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }
}

/**
 * The same tree with every name bound once: locals of blocks are called `_var1`, `_var2`, … in the
 * order in which they stand; parameters keep their names, as long as these differ from all others.
 */
export function withUniqueNames(node: BuildingBlock): BuildingBlock {
  const names = new NameSource(freeReferences(node));
  return rename(node, new Map(), names);
}

function rename(
  node: BuildingBlock,
  renamed: ReadonlyMap<string, string>,
  names: NameSource,
): BuildingBlock {
  const inner = (child: BuildingBlock): BuildingBlock => rename(child, renamed, names);
  switch (node.kind) {
    case 'reference': {
      const name = renamed.get(node.name) ?? node.name;
      return name === node.name ? node : reference(name, node.type);
    }
    case 'selection':
      return selection(inner(node.source), node.index);
    case 'struct':
      return structBlock(node.elements.map(({ name, value }) => ({ name, value: inner(value) })));
    case 'call':
      return call(inner(node.function), node.argument === null ? null : inner(node.argument));
    case 'lambda': {
      const { parameter } = node.type;
      if (node.parameter === null || parameter === null) {
        return lambda(null, null, inner(node.result));
      }
      const keeps = !LOCAL.test(node.parameter) && names.take(node.parameter);
      const name = keeps ? node.parameter : names.fresh();
      const scope = new Map(renamed).set(node.parameter, name);
      return lambda(name, parameter, rename(node.result, scope, names));
    }
    case 'block': {
      const scope = new Map(renamed);
      const locals = node.locals.map(({ name, value }) => {
        const built = rename(value, scope, names);
        const fresh = names.fresh();
        scope.set(name, fresh);
        return { name: fresh, value: built };
      });
      return block(locals, rename(node.result, scope, names));
    }
    default:
      return node;
  }
}

const LOCAL = /^_var\d+$/;
