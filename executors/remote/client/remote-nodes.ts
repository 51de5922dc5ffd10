/**
 * @file The values that a RemoteExecutor has handles on: those that are in the other process, and those
 * that come to be there with the first request that needs them.
 */

import type { Type } from '../../../computations/types/index.ts';
import { interruptible } from '../../interruption.ts';
import { StructNode, ValueNode } from '../../value-tree.ts';
import type { RemoteSession } from './session.ts';

/** A value there. */
export class RemoteNode extends ValueNode {
  readonly id: string;
  readonly #session: RemoteSession;

  constructor(type: Type, id: string, session: RemoteSession) {
    super(type);
    this.id = id;
    this.#session = session;
  }

  protected override free(): void {
    this.#session.dispose(this.id);
  }
}

/** How a value is made there. */
export type Recipe =
  /** @param bytes a `tensorflow_federated.v0.Value` */
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  /** @param source a hold on it */
  | { readonly kind: 'selection'; readonly source: ValueNode; readonly index: number };

/** A value that is there once something has needed it. */
export class DeferredNode extends ValueNode {
  readonly recipe: Recipe;
  #made: RemoteNode | null = null;
  #making: Promise<void> | null = null;
  #isFree = false;

  private constructor(type: Type, recipe: Recipe) {
    super(type);
    this.recipe = recipe;
  }

  static sent(type: Type, bytes: Uint8Array): DeferredNode {
    return new DeferredNode(type, { kind: 'value', bytes });
  }

  /** @param source the caller goes on holding it */
  static selected(type: Type, source: ValueNode, index: number): DeferredNode {
    return new DeferredNode(type, { kind: 'selection', source: source.retain(), index });
  }

  /** The value there; `null` as long as it is not made. */
  get made(): RemoteNode | null {
    return this.#made;
  }

  /** Settled, never rejected, when whoever makes it is done; `null` if nobody does. */
  get beingMade(): Promise<void> | null {
    return this.#making;
  }

  /**
   * Keeps others from making it, and it from being freed, until it is said what came of it: the value,
   * which the node holds from then on, or `null` if the next who needs it has to try again.
   */
  claim(): (made: RemoteNode | null) => void {
    if (this.#making !== null || this.#made !== null) {
      throw new TypeError('A value of another process is made once.');
    }
    let settle = (): void => {};
    this.#making = new Promise((resolve) => {
      settle = resolve;
    });
    this.retain();
    return (made) => {
      if (made !== null) {
        this.#made = made;
        this.#freeRecipe();
      }
      this.#making = null;
      settle();
      this.release();
    };
  }

  protected override free(): void {
    this.#made?.release();
    this.#freeRecipe();
  }

  #freeRecipe(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    if (this.recipe.kind === 'selection') this.recipe.source.release();
  }
}

/**
 * Begins work as soon as nobody else makes what it needs, so that nothing is made twice. The work claims
 * what it makes before it waits for anything.
 */
export async function onceUnclaimed<T>(
  nodes: readonly ValueNode[],
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const making = nodes.flatMap(beingMadeIn);
    if (making.length === 0) return await work();
    await interruptible(Promise.all(making), signal);
  }
}

function beingMadeIn(node: ValueNode): readonly Promise<void>[] {
  if (node instanceof StructNode) return node.elements.flatMap(beingMadeIn);
  if (!(node instanceof DeferredNode) || node.made !== null) return [];
  if (node.beingMade !== null) return [node.beingMade];
  return node.recipe.kind === 'selection' ? beingMadeIn(node.recipe.source) : [];
}
