/**
 * @file Checks of what a server sends, before anything of it runs: that syntax is closed and well-typed,
 * that its graphs run here, and that neither asks for more than the policy's limits. Small syntax can
 * mean much work (a function that calls another twice, and so on), so types and calls are limited too.
 */

import { type BuildingBlock, childBlocks } from '../../../computations/building-blocks.ts';
import type { GraphLimits } from '../../../computations/tensors/index.ts';
import { typecheckBlock } from '../../../computations/typecheck.ts';
import type { Type } from '../../../computations/types/index.ts';
import { INTRINSICS, intrinsicTypeRule } from '../../../intrinsics/table.ts';
import type { GuardLimits } from './policy.ts';

/** What is too large, or nested too deep; the message is for the server. */
export class LimitExceeded extends Error {
  readonly limit: keyof GuardLimits;

  constructor(limit: keyof GuardLimits, message: string) {
    super(message);
    this.limit = limit;
  }
}

export class SyntaxLimits {
  readonly #limits: GuardLimits;
  /** Blocks are immutable, and one is put in again and again. */
  readonly #passed = new WeakSet<BuildingBlock>();

  constructor(limits: GuardLimits) {
    this.#limits = limits;
  }

  /**
   * @throws LimitExceeded
   * @throws FederatedTypeError, GraphError or ValueError as `typecheckBlock` does.
   */
  requireBlock(block: BuildingBlock): void {
    if (this.#passed.has(block)) return;
    this.#requireSize(block);
    const { graphNodes, graphFlops, graphElements } = this.#limits;
    const graphLimits: Partial<GraphLimits> = {
      maxNodes: graphNodes,
      maxFlops: graphFlops,
      maxTotalElements: graphElements,
      maxElements: graphElements,
    };
    typecheckBlock(block, { intrinsicTypeRule: knownIntrinsicRule, graphLimits });
    this.#passed.add(block);
  }

  /**
   * Parts of a type that are shared count each time: whoever walks over the type, or over a value of
   * it, meets them so.
   * @throws LimitExceeded for a type that is too large, or nested too deep to be looked at.
   */
  requireType(type: Type): void {
    const { depth, typeLeaves } = this.#limits;
    const { leaves, height } = measure(type);
    if (height > depth) {
      throw new LimitExceeded('depth', `A type is nested deeper than ${depth}.`);
    }
    if (leaves > typeLeaves) {
      throw new LimitExceeded('typeLeaves', `A type has more than ${typeLeaves} parts.`);
    }
  }

  /** Without recursion: the depth is what is to be found out. */
  #requireSize(block: BuildingBlock): void {
    const { blocks, depth } = this.#limits;
    const open: { readonly node: BuildingBlock; readonly level: number }[] = [
      { node: block, level: 1 },
    ];
    let count = 0;
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { node, level } = next;
      count += 1;
      if (count > blocks) {
        throw new LimitExceeded('blocks', `The syntax has more than ${blocks} building blocks.`);
      }
      if (level > depth) {
        throw new LimitExceeded('depth', `The syntax is nested deeper than ${depth}.`);
      }
      this.requireType(node.type);
      for (const child of childBlocks(node)) open.push({ node: child, level: level + 1 });
    }
  }
}

interface Measure {
  readonly leaves: number;
  readonly height: number;
}

/** Without recursion, and each part once: a type may be nested deeper than the stack is. */
function measure(type: Type): Measure {
  const open = [type];
  for (let next = open.at(-1); next !== undefined; next = open.at(-1)) {
    const parts = partsOf(next);
    const unknown = parts.filter((part) => !measures.has(part));
    if (unknown.length > 0 && !measures.has(next)) {
      open.push(...unknown);
      continue;
    }
    open.pop();
    if (measures.has(next)) continue;
    let leaves = 0;
    let height = 0;
    for (const part of parts) {
      const inner = measures.get(part) as Measure;
      leaves += inner.leaves;
      height = Math.max(height, inner.height);
    }
    measures.set(next, { leaves: Math.max(1, leaves), height: height + 1 });
  }
  return measures.get(type) as Measure;
}

function partsOf(type: Type): readonly Type[] {
  switch (type.kind) {
    case 'struct':
      return type.elements.map((element) => element.type);
    case 'sequence':
      return [type.element];
    case 'function':
      return type.parameter === null ? [type.result] : [type.parameter, type.result];
    case 'federated':
      return [type.member];
    default:
      return [];
  }
}

const measures = new WeakMap<Type, Measure>();

function knownIntrinsicRule(uri: string, type: Type): void {
  if (INTRINSICS.has(uri)) intrinsicTypeRule(uri, type);
}
