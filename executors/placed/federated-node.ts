/** @file A placed value inside a FederatingExecutor: one handle at each child of its placement. */

import type { FederatedType, MaterializedValue } from '../../computations/types/index.ts';
import type { ExecutorValue } from '../executor.ts';
import { ValueNode } from '../value-tree.ts';

export interface FederatedContent {
  /** One handle for each child at the placement, in their order. */
  readonly members: readonly ExecutorValue[];
  /** The member of an all-equal value as data, where it is known. */
  readonly common?: MaterializedValue;
  /** Holds the members, if they do not belong to the node. */
  readonly owner?: ValueNode;
}

export class FederatedNode extends ValueNode {
  readonly placed: FederatedType;
  readonly members: readonly ExecutorValue[];
  readonly common: MaterializedValue | null;
  readonly #owner: ValueNode | null;

  /** Takes over the members, or the hold on their owner. */
  constructor(type: FederatedType, { members, common, owner }: FederatedContent) {
    super(type);
    this.placed = type;
    this.members = members;
    this.common = common ?? null;
    this.#owner = owner ?? null;
  }

  protected override free(): void {
    if (this.#owner !== null) {
      this.#owner.release();
      return;
    }
    for (const member of this.members) member[Symbol.dispose]();
  }
}
