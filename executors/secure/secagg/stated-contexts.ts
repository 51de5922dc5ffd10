/**
 * @file What the clients of a round say that they are about to mask: each the hash of where its value
 * came from, before the round gets to the values. Masks cancel between clients of one context only,
 * and of lost clients the server takes masks off by it, so it has to decide for one; it is that of
 * more than half of the clients. Were it that of the first vector, a single client that lies could
 * have the vectors of all others refused.
 *
 * That is for availability. No client believes what the server decides: each binds its masks to what
 * it saw itself.
 */

import { toHex } from '../../../protocols/index.ts';
import { faultError } from '../faults.ts';

export class StatedContexts {
  readonly #byClient = new Map<number, Uint8Array>();

  /** @param context 32 bytes; anything else counts as nothing said. */
  take(client: number, context: Uint8Array): void {
    if (context.length === CONTEXT_BYTES) this.#byClient.set(client, context);
  }

  /**
   * What more than half of the clients said that are left; `undefined` if nobody said anything.
   * @throws ProtocolAbortError `context-mismatch` if they do not agree so far.
   */
  decided(isLeft: (client: number) => boolean): Uint8Array | undefined {
    const stated = [...this.#byClient].filter(([client]) => isLeft(client));
    if (stated.length === 0) return undefined;
    const counts = new Map<string, number>();
    for (const [, context] of stated) {
      const key = toHex(context);
      const count = (counts.get(key) ?? 0) + 1;
      if (2 * count > stated.length) return context;
      counts.set(key, count);
    }
    throw faultError({
      kind: 'fault',
      stage: 'mask-vectors',
      code: 'context-mismatch',
      message: `the values of the ${stated.length} clients come from ${counts.size} different computations or models, none of them that of most; give all clients the same program and the same public inputs`,
    });
  }
}

const CONTEXT_BYTES = 32;
