/**
 * @file What the clients of a round say that they are about to hide: each the hash of where its value
 * came from, before the round gets to the values. Hidden values add up if they are of one context only,
 * so those who add have to decide for one; it is that of more than half of the clients. Were it that of
 * the first message, a single client that lies could have those of all others refused.
 *
 * That is for availability. No client believes what is decided: each binds what it hides to what it saw
 * itself.
 */

import { sha256 } from '#crypto';
import { toHex } from '../../protocols/index.ts';
import type { Operator } from '../leaf/operator.ts';
import { defineOperator } from './define-operator.ts';
import { faultError } from './faults.ts';
import { bytesValue } from './participant.ts';

export class StatedContexts {
  readonly #byClient = new Map<number, Uint8Array>();

  /**
   * Asks a client. One that does not say it may still have the context of the others.
   * @param say gives 32 bytes; anything else counts as nothing said.
   */
  async ask(client: number, say: () => Promise<Uint8Array>): Promise<void> {
    try {
      const context = await say();
      if (context.length === CONTEXT_BYTES) this.#byClient.set(client, context);
    } catch {
      // What it hides tells.
    }
  }

  /**
   * What more than half of the clients said that are left; `undefined` if nobody said anything.
   * @throws ProtocolAbortError `context-mismatch` if they do not agree so far.
   */
  decided(stage: string, isLeft: (client: number) => boolean = () => true): Uint8Array | undefined {
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
      stage,
      code: 'context-mismatch',
      message: `the values of the ${stated.length} clients come from ${counts.size} different computations or models, none of them that of most; give all clients the same program and the same public inputs`,
    });
  }
}

/** An operator that says which context the client is going to bind a value to; see `Release`. */
export function stateContextOperator(uri: string): Operator {
  return defineOperator({
    uri,
    signature: '(V -> uint8[?])',
    purity: 'pure',
    release: { value: 'argument', does: 'state-context' },
    run: (_, { context }) => bytesValue(sha256(context)),
  });
}

const CONTEXT_BYTES = 32;
