/**
 * @file Functions that an executor in another process has already, by the hash of their content: what
 * is mapped over a thousand clients, or called in every round, is sent there once.
 */

import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import { contentHash } from '../../../computations/wire/index.ts';
import { SharedWork } from '../../caching/shared-work.ts';
import type { ValueNode } from '../../value-tree.ts';

/** Sends a function; the caller gets the hold on the node. It rejects, and never throws at once. */
export type SendFunction = (block: BuildingBlock, signal: AbortSignal) => Promise<ValueNode>;

export class SentFunctions {
  readonly #send: SendFunction;
  readonly #maxEntries: number;
  /** By hash, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();

  constructor(send: SendFunction, maxEntries: number) {
    this.#send = send;
    this.#maxEntries = Math.max(1, maxEntries);
  }

  /** A hold on the function there. */
  async hold(block: BuildingBlock, signal: AbortSignal | undefined): Promise<ValueNode> {
    const hash = contentHash(block);
    let entry = this.#entries.get(hash);
    if (entry === undefined || entry.work.abandoned) {
      if (entry !== undefined) drop(entry);
      entry = this.#start(block, hash);
    }
    this.#entries.delete(hash);
    this.#entries.set(hash, entry);
    entry.waiting += 1;
    this.#evict();
    try {
      return (await entry.work.wait(signal)).retain();
    } finally {
      entry.waiting -= 1;
      if (entry.waiting === 0 && entry.dropped) entry.node?.release();
    }
  }

  #start(block: BuildingBlock, hash: string): Entry {
    const entry: Entry = {
      node: null,
      waiting: 0,
      dropped: false,
      work: new SharedWork(async (signal) => {
        try {
          const node = await this.#send(block, signal);
          entry.node = node;
          if (entry.dropped && entry.waiting === 0) node.release();
          return node;
        } catch (error) {
          // The next who needs it sends it again.
          if (this.#entries.get(hash) === entry) this.#entries.delete(hash);
          throw error;
        }
      }),
    };
    return entry;
  }

  #evict(): void {
    for (const [hash, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries) return;
      this.#entries.delete(hash);
      drop(entry);
    }
  }
}

/** Whoever waits for it takes a hold of its own before. */
function drop(entry: Entry): void {
  entry.dropped = true;
  if (entry.waiting === 0) entry.node?.release();
}

interface Entry {
  readonly work: SharedWork<ValueNode>;
  /** Held by the entry. */
  node: ValueNode | null;
  /** Who is about to take a hold of its own. */
  waiting: number;
  dropped: boolean;
}
