/** @file A value at the clients of a ComposingExecutor: one placed value at each of its children. */

import type { FederatedType, MaterializedValue } from '../../computations/types/index.ts';
import type { ExecutorValue } from '../executor.ts';
import type { Lost } from '../lost-client.ts';
import { ValueNode } from '../value-tree.ts';

export class ComposedNode extends ValueNode {
  readonly placed: FederatedType;
  /** One handle for each child, in their order; each of the same placed type. */
  readonly parts: readonly ExecutorValue[];
  /** The member of an all-equal value as data, where it is known. */
  readonly common: MaterializedValue | null;

  /** Takes over the parts. */
  constructor(
    type: FederatedType,
    parts: readonly ExecutorValue[],
    common: MaterializedValue | null = null,
  ) {
    super(type);
    this.placed = type;
    this.parts = parts;
    this.common = common;
  }

  override get missing(): readonly Lost[] {
    return this.parts.flatMap((part) => part.missing ?? []);
  }

  protected override free(): void {
    for (const part of this.parts) part[Symbol.dispose]();
  }
}
