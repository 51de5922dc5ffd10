/**
 * @file What a client checks before it masks: Bonawitz et al. 2017, figure 4, round 2. A share that
 * is none is no reason to refuse: it is complained of, and the round can do without it.
 */

import { Bitmap } from 'fedloom/protocols';
import {
  type ClientRefusal,
  changed,
  instead,
  LOW_ORDER_KEYS,
  signedKeys,
  VICTIM,
} from './client-refusal.ts';

const at = 'mask-vectors';

export const MASKING_REFUSALS: readonly ClientRefusal[] = [
  ...[-1, 1].map(
    (more): ClientRefusal => ({
      check: `who shared is told over its neighbours (${more} places more)`,
      shape: 'complete',
      at,
      told: instead('dealt-shares', (message) => ({
        ...message,
        present: Bitmap.of(message.present.size + more, message.present.places().slice(0, 3)),
      })),
      code: 'wrong-set',
    }),
  ),
  {
    check: 'at least as many as the threshold shared (|U2| >= t)',
    shape: 'complete',
    options: { minimumClients: 1 },
    at,
    told: instead('dealt-shares', (message, { cohort }) => ({
      ...message,
      ...firstDealers(message, cohort.agreement.threshold - 2),
    })),
    code: 'too-few-clients',
  },
  {
    check: 'at least as many as its own minimum shared',
    shape: 'complete',
    options: { minimumClients: 5 },
    at,
    told: instead('dealt-shares', (message) => ({ ...message, ...firstDealers(message, 3) })),
    code: 'too-few-clients',
  },
  {
    check: 'as many as the threshold, with itself, hold its shares: who only dealt does not count',
    shape: 'chosen',
    at,
    told: instead('dealt-shares', (message, round) => {
      const { content } = round.states.get(VICTIM)!.peek();
      if (content.stage !== 'shared') throw new Error(`the victim is at ${content.stage}`);
      const { partners } = content;
      const holders = partners.filter(({ holder }) => holder).slice(0, 2);
      const left = partners.filter((partner) => !partner.holder || holders.includes(partner));
      return {
        ...message,
        present: Bitmap.of(
          partners.length,
          left.map((partner) => partners.indexOf(partner)),
        ),
        shares: left.filter(({ dealer }) => dealer).map(() => message.shares[0]!),
      };
    }),
    code: 'too-few-clients',
  },
  {
    check: 'as many as the threshold, with itself, hold its shares (a ring)',
    shape: 'ring',
    options: { threshold: 3 },
    at,
    told: instead('dealt-shares', (message) => ({ ...message, ...firstDealers(message, 1) })),
    code: 'too-few-clients',
  },
  ...(
    [
      ['one less', -1],
      ['one more', 1],
    ] as const
  ).map(
    ([what, more]): ClientRefusal => ({
      check: `it gets a share of each dealer that is there (${what})`,
      shape: 'complete',
      at,
      told: instead('dealt-shares', ({ shares, ...message }) => ({
        ...message,
        shares: more < 0 ? shares.slice(1) : [...shares, shares[0]!],
      })),
      code: 'wrong-share-count',
    }),
  ),
  ...LOW_ORDER_KEYS.map(
    (maskKey, i): ClientRefusal => ({
      check: `the mask key of everyone makes a secret (point ${i} of low order)`,
      shape: 'complete',
      at,
      before: (round) => {
        round.to('share-keys');
        const message = round.message(VICTIM, 'neighbourhood');
        const entries = changed(message.entries, 4, () => signedKeys(round, 4, { maskKey }));
        round.answerAll([VICTIM]);
        round.deliver(VICTIM, round.answer(VICTIM, { ...message, entries }));
        round.advance();
      },
      code: 'low-order-key',
      offender: 'client 4',
    }),
  ),
];

const vectors = (...inputs: readonly (readonly number[])[]) => ({
  before: (round: Parameters<NonNullable<ClientRefusal['before']>>[0]) => {
    (round.cohort.inputs as (readonly (readonly number[])[])[])[VICTIM] = inputs;
  },
});

/** Its own input: three values from 0 to 100. */
export const INPUT_REFUSALS: readonly ClientRefusal[] = [
  ...(
    [
      ['no vector', []],
      [
        'two vectors',
        [
          [1, 2, 3],
          [1, 2, 3],
        ],
      ],
    ] as const
  ).map(
    ([what, inputs]): ClientRefusal => ({
      check: `it has a vector for each of the agreement (${what})`,
      shape: 'complete',
      at,
      ...vectors(...inputs),
      code: 'wrong-vector-count',
    }),
  ),
  ...[[1, 2], [1, 2, 3, 4], []].map(
    (input): ClientRefusal => ({
      check: `its vector is as long as agreed (${input.length} values)`,
      shape: 'complete',
      at,
      ...vectors(input),
      code: 'invalid-length',
    }),
  ),
  ...[0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53].map(
    (value): ClientRefusal => ({
      check: `its values are integers (${value})`,
      shape: 'complete',
      at,
      ...vectors([1, value, 3]),
      code: 'not-an-integer',
    }),
  ),
  ...[-1, 101, 2 ** 32].map(
    (value): ClientRefusal => ({
      check: `its values are within their bounds (${value})`,
      shape: 'complete',
      at,
      ...vectors([1, 2, value]),
      code: 'out-of-range',
    }),
  ),
  ...[1, 3].map(
    (own): ClientRefusal => ({
      check: `its values are within the bound of each element (at ${own})`,
      shape: 'complete',
      options: {
        agreement: {
          vectors: [{ kind: 'sum', id: 'a', length: 3, maximum: [1n, 200n, 0n], modulus: 1024n }],
        },
      },
      at,
      ...vectors(own === 1 ? [1, 200, 1] : [2, 0, 0]),
      code: 'out-of-range',
    }),
  ),
  {
    check: 'its values are residues of the modulus',
    shape: 'complete',
    options: {
      agreement: { vectors: [{ kind: 'modular-sum', id: 'a', length: 3, modulus: 12n }] },
    },
    at,
    ...vectors([11, 0, 12]),
    code: 'out-of-range',
  },
];

/** The message as if only the first dealers were there. */
function firstDealers(
  { present, shares }: { readonly present: Bitmap; readonly shares: readonly unknown[] },
  count: number,
): { readonly present: Bitmap; readonly shares: never[] } {
  const places = present.places().slice(0, count);
  return { present: Bitmap.of(present.size, places), shares: shares.slice(0, count) as never[] };
}
