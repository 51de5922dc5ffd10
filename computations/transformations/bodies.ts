/** @file Bodies: what stands under a lambda, as bindings and a result, and how to visit all of them. */

import {
  type Block,
  type BuildingBlock,
  block,
  call,
  childBlocks,
  type Lambda,
  lambda,
  selection,
  structBlock,
} from '../building-blocks.ts';
import { freeReferences } from '../free-references.ts';

export type Local = Block['locals'][number];

export interface Body {
  readonly locals: readonly Local[];
  readonly result: BuildingBlock;
}

export function bodyOf(node: BuildingBlock): Body {
  return node.kind === 'block'
    ? { locals: node.locals, result: node.result }
    : { locals: [], result: node };
}

export function toBlock({ locals, result }: Body): BuildingBlock {
  return locals.length === 0 ? result : block(locals, result);
}

/**
 * Transforms the body of every lambda, and that of the tree itself, from the inside out.
 * @param onBody what becomes of a body.
 * @param onFunction what then becomes of the function around it.
 */
export function mapBodies(
  node: BuildingBlock,
  onBody: (body: Body) => Body,
  onFunction: (node: Lambda) => BuildingBlock = (same) => same,
): BuildingBlock {
  const inside = (child: BuildingBlock): BuildingBlock => mapInside(child, inBody, onFunction);
  const inBody = (child: BuildingBlock): BuildingBlock => {
    const { locals, result } = bodyOf(child);
    const visited = locals.map(({ name, value }) => ({ name, value: inside(value) }));
    return toBlock(onBody({ locals: visited, result: inside(result) }));
  };
  return inBody(node);
}

function mapInside(
  node: BuildingBlock,
  inBody: (child: BuildingBlock) => BuildingBlock,
  onFunction: (node: Lambda) => BuildingBlock,
): BuildingBlock {
  const inside = (child: BuildingBlock): BuildingBlock => mapInside(child, inBody, onFunction);
  switch (node.kind) {
    case 'selection':
      return selection(inside(node.source), node.index);
    case 'struct':
      return structBlock(node.elements.map(({ name, value }) => ({ name, value: inside(value) })));
    case 'call':
      return call(inside(node.function), node.argument === null ? null : inside(node.argument));
    case 'lambda': {
      const { parameter } = node.type;
      const result = inBody(node.result);
      return onFunction(
        node.parameter === null || parameter === null
          ? lambda(null, null, result)
          : lambda(node.parameter, parameter, result),
      );
    }
    case 'block':
      return inBody(node);
    default:
      return node;
  }
}

/**
 * The locals in an order in which each comes after those that it needs, and otherwise as they are.
 * @param after further names that a local must come after.
 */
export function inOrderOfNeed(
  locals: readonly Local[],
  after: ReadonlyMap<string, readonly string[]> = new Map(),
): readonly Local[] {
  const byName = new Map(locals.map((local) => [local.name, local]));
  const placed = new Set<Local>();
  const place = (local: Local): void => {
    if (placed.has(local)) return;
    for (const name of [...(after.get(local.name) ?? []), ...freeReferences(local.value)]) {
      const needed = byName.get(name);
      if (needed !== undefined && needed !== local && !placed.has(needed)) place(needed);
    }
    placed.add(local);
  };
  for (const local of locals) place(local);
  return [...placed];
}

/** Every name that is bound or used anywhere in a tree. */
export function allNames(node: BuildingBlock): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (inner: BuildingBlock): void => {
    if (inner.kind === 'reference') names.add(inner.name);
    if (inner.kind === 'lambda' && inner.parameter !== null) names.add(inner.parameter);
    if (inner.kind === 'block') for (const { name } of inner.locals) names.add(name);
    for (const child of childBlocks(inner)) visit(child);
  };
  visit(node);
  return names;
}
