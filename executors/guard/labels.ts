/** @file Values with a label and a provenance, as a guard holds them. */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import type { Operator } from '../leaf/operator.ts';
import { StructNode, TargetNode, type ValueNode } from '../value-tree.ts';
import { type Provenance, provenanceOfStruct } from './provenance.ts';

/**
 * - `private`: comes from this client's data.
 * - `released`: an operator of a protocol made it, of public values or by hiding a private one.
 * - `public`: comes from what the server sent.
 */
export type Label = 'private' | 'released' | 'public';

/** What is known of a function. */
export interface FunctionFacts {
  readonly block: BuildingBlock;
  /** Set for operators. */
  readonly operator?: Operator;
}

export interface Marks {
  readonly label: Label;
  readonly provenance: Provenance;
  readonly fn?: FunctionFacts;
  /** Set for private values that could not be made; see placeholder.ts. */
  readonly failed?: boolean;
}

/** A value of the executor below, with its marks. */
export class LabelledNode extends TargetNode {
  readonly marks: Marks;
  readonly #onFree: (() => void) | undefined;

  /**
   * Takes over the hold on the target's value.
   * @param onFree called when nobody holds the value any more.
   */
  constructor({ handle }: TargetNode, marks: Marks, onFree?: () => void) {
    super(handle);
    this.marks = marks;
    this.#onFree = onFree;
  }

  protected override free(): void {
    this.#onFree?.();
    super.free();
  }
}

/** A struct is private if an element is, and public if all are. */
export function labelOf(node: ValueNode): Label {
  if (node instanceof LabelledNode) return node.marks.label;
  const labels = partsOf(node).map(labelOf);
  if (labels.includes('private')) return 'private';
  return labels.includes('released') ? 'released' : 'public';
}

export function provenanceOf(node: ValueNode): Provenance {
  if (node instanceof LabelledNode) return node.marks.provenance;
  const names = node.type.kind === 'struct' ? node.type.elements.map(({ name }) => name) : [];
  return provenanceOfStruct(names, partsOf(node).map(provenanceOf));
}

/** Whether a part of it could not be made. */
export function isFailed(node: ValueNode): boolean {
  if (node instanceof LabelledNode) return node.marks.failed === true;
  return partsOf(node).some(isFailed);
}

/** The functions in a value. */
export function functionsIn(node: ValueNode): readonly FunctionFacts[] {
  if (node instanceof LabelledNode) return node.marks.fn === undefined ? [] : [node.marks.fn];
  return partsOf(node).flatMap(functionsIn);
}

function partsOf(node: ValueNode): readonly ValueNode[] {
  if (node instanceof StructNode) return node.elements;
  throw new TypeError(`A guard holds no ${node.constructor.name}.`);
}
