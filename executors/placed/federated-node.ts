/** @file A placed value inside a FederatingExecutor: one handle at each child of its placement. */

import type { FederatedType, MaterializedValue } from '../../computations/types/index.ts';
import type { ExecutorValue } from '../executor.ts';
import type { Lost } from '../lost-client.ts';
import { ValueNode } from '../value-tree.ts';

export interface FederatedContent {
  /** One handle for each child at the placement, in their order; a LostMember where one was lost. */
  readonly members: readonly ExecutorValue[];
  /** The member of an all-equal value as data, where it is known. */
  readonly common?: MaterializedValue;
  /** Holds the members, if they do not belong to the node. */
  readonly owner?: ValueNode;
  /** The clients that were left out where it was aggregated. @default those of the members */
  readonly missing?: readonly Lost[];
}

export class FederatedNode extends ValueNode {
  readonly placed: FederatedType;
  readonly members: readonly ExecutorValue[];
  readonly common: MaterializedValue | null;
  readonly #owner: ValueNode | null;
  readonly #missing: readonly Lost[] | undefined;

  /** Takes over the members, or the hold on their owner. */
  constructor(type: FederatedType, { members, common, owner, missing }: FederatedContent) {
    super(type);
    this.placed = type;
    this.members = members;
    this.common = common ?? null;
    this.#owner = owner ?? null;
    this.#missing = missing;
  }

  override get missing(): readonly Lost[] {
    return this.#missing ?? this.members.flatMap((member) => member.missing ?? []);
  }

  protected override free(): void {
    if (this.#owner !== null) {
      this.#owner.release();
      return;
    }
    for (const member of this.members) member[Symbol.dispose]();
  }
}
