/** @file What a client checks of the keys of others: Bonawitz et al. 2017, figure 4, round 1. */

import { Bitmap } from 'fedloom/protocols';
import {
  type ClientRefusal,
  changed,
  flipped,
  instead,
  LOW_ORDER_KEYS,
  NON_CANONICAL_KEYS,
  signedKeys,
  VICTIM,
} from './client-refusal.ts';

const at = 'share-keys';

export const COMPLETE_KEY_REFUSALS: readonly ClientRefusal[] = [
  {
    check: 'at least as many as the threshold advertised keys (|U1| >= t)',
    shape: 'complete',
    options: { minimumClients: 1 },
    at,
    told: instead('neighbourhood', (message, { cohort }) => ({
      ...message,
      entries: message.entries.slice(0, cohort.agreement.threshold - 2),
    })),
    code: 'too-few-clients',
  },
  {
    check: 'at least as many as its own minimum advertised keys',
    shape: 'complete',
    options: { minimumClients: 5 },
    at,
    told: instead('neighbourhood', (message) => ({
      ...message,
      entries: message.entries.slice(0, 3),
    })),
    code: 'too-few-clients',
  },
  {
    check: 'nobody has a channel key of somebody else',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => {
      const { channelKey } = message.entries[0]!;
      return {
        ...message,
        entries: changed(message.entries, 2, () => signedKeys(round, 2, { channelKey })),
      };
    }),
    code: 'duplicate-key',
    offender: 'client-2',
  },
  {
    check: 'nobody has a mask key of somebody else',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => {
      const { maskKey } = message.entries[0]!;
      return {
        ...message,
        entries: changed(message.entries, 2, () => signedKeys(round, 2, { maskKey })),
      };
    }),
    code: 'duplicate-key',
    offender: 'client-2',
  },
  {
    check: 'nobody uses one key for both purposes',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => ({
      ...message,
      entries: changed(message.entries, 2, ({ channelKey }) =>
        signedKeys(round, 2, { channelKey, maskKey: channelKey }),
      ),
    })),
    code: 'duplicate-key',
    offender: 'client-2',
  },
  ...(['channelKey', 'maskKey'] as const).map(
    (which): ClientRefusal => ({
      check: `nobody has its own ${which} (reflection)`,
      shape: 'complete',
      at,
      told: instead('neighbourhood', (message, round) => {
        const { content } = round.states.get(VICTIM)!.peek();
        if (content.stage !== 'advertised') throw new Error(`the victim is at ${content.stage}`);
        const keys = { [which]: content[which] };
        return {
          ...message,
          entries: changed(message.entries, 3, () => signedKeys(round, 3, keys)),
        };
      }),
      code: 'duplicate-key',
      offender: 'client-3',
    }),
  ),
  {
    check: 'it is not its own neighbour',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => ({
      ...message,
      entries: [{ client: VICTIM, ...signedKeys(round, VICTIM) }, ...message.entries],
    })),
    code: 'own-key-twice',
  },
  {
    check: 'there is no client that is not of the cohort',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => ({
      ...message,
      entries: [...message.entries, { client: 5, ...signedKeys(round, 4) }],
    })),
    code: 'unknown-client',
  },
  ...NON_CANONICAL_KEYS.flatMap((key) =>
    (['channelKey', 'maskKey'] as const).map(
      (which): ClientRefusal => ({
        check: `the ${which} of everyone is canonical (${which} ends in ${key.slice(-2).join()})`,
        shape: 'complete',
        at,
        told: instead('neighbourhood', (message, round) => ({
          ...message,
          entries: changed(message.entries, 1, () => signedKeys(round, 1, { [which]: key })),
        })),
        code: 'invalid-key',
        offender: 'client-1',
      }),
    ),
  ),
  ...LOW_ORDER_KEYS.map(
    (channelKey, i): ClientRefusal => ({
      check: `the channel key of everyone makes a secret (point ${i} of low order)`,
      shape: 'complete',
      at,
      told: instead('neighbourhood', (message, round) => ({
        ...message,
        entries: changed(message.entries, 4, () => signedKeys(round, 4, { channelKey })),
      })),
      code: 'low-order-key',
      offender: 'client 4',
    }),
  ),
  {
    check: 'everyone signed its keys',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message) => ({
      ...message,
      entries: changed(message.entries, 1, ({ signature }) => ({ signature: flipped(signature) })),
    })),
    code: 'bad-signature',
    offender: 'client-1',
  },
  {
    check: 'everyone signed its keys (the signature is left out)',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message) => ({
      ...message,
      entries: changed(message.entries, 1, () => ({ signature: new Uint8Array(0) })),
    })),
    code: 'bad-signature',
    offender: 'client-1',
  },
  {
    check: 'everyone signed its keys itself, not somebody else of the roster',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => ({
      ...message,
      entries: changed(message.entries, 1, (entry) => ({
        ...signedKeys(round, 2),
        client: entry.client,
      })),
    })),
    code: 'bad-signature',
    offender: 'client-1',
  },
  {
    check: 'everyone signed its keys for this session, round and agreement',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message, round) => {
      const { cohort } = round;
      const agreement = { ...cohort.agreement, round: 1 };
      const other = Object.assign(Object.create(round), { cohort: { ...cohort, agreement } });
      return { ...message, entries: changed(message.entries, 1, () => signedKeys(other, 1)) };
    }),
    code: 'bad-signature',
    offender: 'client-1',
  },
  {
    check: 'nobody chooses neighbours in a complete graph',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message) => ({
      ...message,
      choosers: Bitmap.of(message.entries.length, [0]),
    })),
    code: 'unexpected-neighbour',
  },
  {
    check: 'nothing is proved in a complete graph',
    shape: 'complete',
    at,
    told: instead('neighbourhood', (message) => ({ ...message, proof: [new Uint8Array(32)] })),
    code: 'unexpected-neighbour',
  },
];

export const RING_KEY_REFUSALS: readonly ClientRefusal[] = [
  {
    check: 'it has no more neighbours than agreed',
    shape: 'ring',
    at,
    told: instead('neighbourhood', (message, round) => {
      const present = new Set([VICTIM, ...message.entries.map(({ client }) => client)]);
      const client = [...round.messages.keys()].find((other) => !present.has(other))!;
      const entries = [...message.entries, { client, ...signedKeys(round, client) }];
      return { ...message, entries: entries.sort((a, b) => a.client - b.client) };
    }),
    code: 'unexpected-neighbour',
  },
  {
    check: 'as many as the threshold, with itself, can hold its shares',
    shape: 'ring',
    options: { threshold: 3 },
    at,
    told: instead('neighbourhood', (message) => ({
      ...message,
      entries: message.entries.slice(0, 1),
    })),
    code: 'too-few-clients',
  },
];
