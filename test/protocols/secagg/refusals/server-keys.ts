/**
 * @file What the server checks of keys, choices and shares: Bonawitz et al. 2017, figure 4, rounds 0
 * and 1, and Bell et al. 2020, section 4, rounds 1 and 2. It trusts no client either.
 */

import type { Advertisement } from 'fedloom/protocols';
import type { StagedRound } from '../staged.ts';
import { flipped, LOW_ORDER_KEYS, NON_CANONICAL_KEYS, signedKeys } from './client-refusal.ts';
import { inPlaceOf, LIAR, type ServerRefusal } from './server-refusal.ts';

const keys = (
  change: (message: Advertisement, round: StagedRound) => Partial<Advertisement>,
): ServerRefusal['sent'] =>
  inPlaceOf('advertisement', (message, round) => ({ ...message, ...change(message, round) }));

/** Client 0 was there first. */
const first = (round: StagedRound): void => {
  round.deliver(0, round.answer(0));
};
const keysOfFirst = ({ server }: StagedRound) => server.peek().keys.get(0)!;

export const ADVERTISEMENT_REFUSALS: readonly ServerRefusal[] = [
  ...(['channelKey', 'maskKey'] as const).flatMap((which): ServerRefusal[] => [
    ...NON_CANONICAL_KEYS.map(
      (key): ServerRefusal => ({
        check: `the ${which} is canonical (it ends in ${key.slice(-2).join()})`,
        shape: 'complete',
        at: 'advertise',
        sent: keys((_message, round) => signedKeys(round, LIAR, { [which]: key })),
        code: 'invalid-key',
      }),
    ),
    ...LOW_ORDER_KEYS.map(
      (key, i): ServerRefusal => ({
        check: `the ${which} makes a secret, or every client would refuse (point ${i} of low order)`,
        shape: 'complete',
        at: 'advertise',
        sent: keys((_message, round) => signedKeys(round, LIAR, { [which]: key })),
        code: 'invalid-key',
      }),
    ),
    ...(['channelKey', 'maskKey'] as const).map(
      (theirs): ServerRefusal => ({
        check: `the ${which} is not the ${theirs} of somebody else`,
        shape: 'complete',
        at: 'advertise',
        before: first,
        sent: keys((_message, round) =>
          signedKeys(round, LIAR, { [which]: keysOfFirst(round)[theirs] }),
        ),
        code: 'duplicate-key',
      }),
    ),
  ]),
  {
    check: 'the two keys are two',
    shape: 'complete',
    at: 'advertise',
    sent: keys(({ channelKey }, round) =>
      signedKeys(round, LIAR, { channelKey, maskKey: channelKey }),
    ),
    code: 'duplicate-key',
  },
  {
    check: 'the keys are signed',
    shape: 'complete',
    at: 'advertise',
    sent: keys(() => ({ signature: new Uint8Array(0) })),
    code: 'bad-signature',
  },
  {
    check: 'the signature holds',
    shape: 'complete',
    at: 'advertise',
    sent: keys(({ signature }) => ({ signature: flipped(signature) })),
    code: 'bad-signature',
  },
  {
    check: 'these keys are signed',
    shape: 'complete',
    at: 'advertise',
    sent: keys((message, round) => {
      const { channelKey } = signedKeys(round, LIAR);
      return { ...message, channelKey };
    }),
    code: 'bad-signature',
  },
  {
    check: 'the keys are signed by their client, not by somebody else of the roster',
    shape: 'complete',
    at: 'advertise',
    sent: keys((_message, round) => signedKeys(round, 2)),
    code: 'bad-signature',
  },
  {
    check: 'nobody signs where there is no roster',
    shape: 'believed',
    at: 'advertise',
    sent: keys(() => ({ signature: new Uint8Array(64) })),
    code: 'bad-signature',
  },
];

export const CHOICE_REFUSALS: readonly ServerRefusal[] = [
  {
    check: 'it chose as many as agreed (one less)',
    shape: 'chosen',
    at: 'choose-neighbours',
    sent: inPlaceOf('neighbour-choice', (message) => ({
      ...message,
      neighbours: message.neighbours.slice(1),
    })),
    code: 'wrong-neighbour-count',
  },
  {
    check: 'it chose as many as agreed (one more)',
    shape: 'chosen',
    at: 'choose-neighbours',
    sent: inPlaceOf('neighbour-choice', (message, round) => ({
      ...message,
      neighbours: [...message.neighbours, unchosen(message.neighbours, round)].sort(
        (a, b) => a - b,
      ),
    })),
    code: 'wrong-neighbour-count',
  },
  {
    check: 'it did not choose itself',
    shape: 'chosen',
    at: 'choose-neighbours',
    sent: inPlaceOf('neighbour-choice', (message) => ({
      ...message,
      neighbours: [...message.neighbours.slice(1), LIAR].sort((a, b) => a - b),
    })),
    code: 'unknown-neighbour',
  },
  {
    check: 'those whom it chose advertised',
    shape: 'chosen',
    at: 'choose-neighbours',
    before: (round) => {
      round.answerAll([8]);
      round.advance();
    },
    sent: inPlaceOf('neighbour-choice', (message) => ({
      ...message,
      neighbours: [...message.neighbours.slice(0, -1), 8],
    })),
    code: 'unknown-neighbour',
  },
  {
    check: 'those whom it chose are of the cohort',
    shape: 'chosen',
    at: 'choose-neighbours',
    sent: inPlaceOf('neighbour-choice', (message) => ({
      ...message,
      neighbours: [...message.neighbours.slice(0, -1), 9],
    })),
    code: 'unknown-neighbour',
  },
];

export const SHARE_REFUSALS: readonly ServerRefusal[] = [
  ...(['complete', 'chosen', 'believed', 'ring'] as const).flatMap((shape): ServerRefusal[] => [
    {
      check: 'it dealt a share to each holder (one less)',
      shape,
      at: 'share-keys',
      sent: inPlaceOf('shared-secrets', ({ shares, ...message }) => ({
        ...message,
        shares: shares.slice(1),
      })),
      code: 'wrong-share-count',
    },
    {
      check: 'it dealt a share to each holder (one more)',
      shape,
      at: 'share-keys',
      sent: inPlaceOf('shared-secrets', ({ shares, ...message }) => ({
        ...message,
        shares: [...shares, shares[0]!],
      })),
      code: 'wrong-share-count',
    },
  ]),
  {
    check: 'it is bound to its shares in the active model',
    shape: 'complete',
    at: 'share-keys',
    sent: inPlaceOf('shared-secrets', ({ shares, ...message }) => ({
      ...message,
      shares: shares.map(({ sealed }) => ({ sealed, commitments: new Uint8Array(0) })),
    })),
    code: 'wrong-share-count',
  },
  {
    check: 'it is not bound to its shares where nobody is',
    shape: 'believed',
    at: 'share-keys',
    sent: inPlaceOf('shared-secrets', ({ shares, ...message }) => ({
      ...message,
      shares: shares.map(({ sealed }) => ({ sealed, commitments: new Uint8Array(32) })),
    })),
    code: 'wrong-share-count',
  },
];

function unchosen(chosen: readonly number[], { messages }: StagedRound): number {
  return [...messages.keys()].find((client) => client !== LIAR && !chosen.includes(client))!;
}
