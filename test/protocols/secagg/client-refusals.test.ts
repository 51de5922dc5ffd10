/**
 * @file Every check of a client, one test each: the smallest lie in an otherwise honest round, the
 * code it is refused by, and that nothing is sent and everything erased.
 */

import type { SecAggClientFaultCode } from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { type ClientRefusal, expectRefusal } from './refusals/client-refusal.ts';
import { CHOSEN_KEY_REFUSALS, COMMITMENT_REFUSALS } from './refusals/keys-chosen.ts';
import { COMPLETE_KEY_REFUSALS, RING_KEY_REFUSALS } from './refusals/keys-complete.ts';
import { INPUT_REFUSALS, MASKING_REFUSALS } from './refusals/masking.ts';
import { PLACE_REFUSALS, POLICY_REFUSALS, SENSE_REFUSALS } from './refusals/parameters.ts';
import { STEP_REFUSALS } from './refusals/steps.ts';
import {
  ACK_REFUSALS,
  COMPLETE_SET_REFUSALS,
  MODEL_REFUSALS,
  NEIGHBOUR_SET_REFUSALS,
  SIGNATURE_REFUSALS,
} from './refusals/survivors.ts';

const LISTS: readonly (readonly [string, readonly ClientRefusal[]])[] = [
  ['in every step: a client checks that', STEP_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 1: a client checks that', COMPLETE_KEY_REFUSALS],
  ['Bell et al. 2020, section 3 (a ring): a client checks that', RING_KEY_REFUSALS],
  ['Bell et al. 2020, section 4, round 1: a client checks that', COMMITMENT_REFUSALS],
  ['Bell et al. 2020, section 4, round 2: a client checks that', CHOSEN_KEY_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 2: a client checks that', MASKING_REFUSALS],
  [
    'Bonawitz et al. 2017, figure 4, round 2: a client checks of its own input that',
    INPUT_REFUSALS,
  ],
  ['Bonawitz et al. 2017, figure 4, round 3: a client checks that', COMPLETE_SET_REFUSALS],
  ['Bell et al. 2020, section 4, round 4: a client checks that', NEIGHBOUR_SET_REFUSALS],
  ['the models: a client sees to it that', MODEL_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 4: a client checks that', SIGNATURE_REFUSALS],
  ['Bell et al. 2020, section 4, round 5: a client checks that', ACK_REFUSALS],
];

describe.each(LISTS)('%s', (_where, refusals) => {
  test.each(refusals.map((refusal) => [titleOf(refusal), refusal] as const))('%s', (_, refusal) => {
    expectRefusal(refusal);
  });
});

/** Every code there is; the compiler sees to it that none is forgotten. */
const CODES: { readonly [code in SecAggClientFaultCode]: true } = {
  'invalid-parameters': true,
  'modulus-too-small': true,
  'model-refused': true,
  'cohort-too-small': true,
  'insecure-parameters': true,
  'unexpected-vectors': true,
  'unknown-roster': true,
  'not-in-cohort': true,
  'too-many-rounds': true,
  'session-used': true,
  'wrong-session': true,
  'wrong-step': true,
  'not-committed': true,
  'too-few-clients': true,
  'unknown-client': true,
  'own-key-missing': true,
  'own-key-twice': true,
  'duplicate-key': true,
  'invalid-key': true,
  'low-order-key': true,
  'bad-signature': true,
  'neighbour-missing': true,
  'unexpected-neighbour': true,
  'too-many-choosers': true,
  'wrong-share-count': true,
  'wrong-vector-count': true,
  'invalid-length': true,
  'not-an-integer': true,
  'out-of-range': true,
  'wrong-set': true,
  'unknown-survivor': true,
  'self-missing': true,
  'too-few-survivors': true,
  'wrong-statement-count': true,
  'too-few-confirmations': true,
};

test('every code of a client is provoked here or in client-parameters.test.ts', () => {
  const refused = [
    ...LISTS.flatMap(([, refusals]) => refusals),
    ...SENSE_REFUSALS,
    ...POLICY_REFUSALS,
    ...PLACE_REFUSALS,
  ].map(({ code }) => code);
  // Refused in client-parameters.test.ts, with a ledger that remembers rounds.
  refused.push('too-many-rounds');
  expect([...new Set(refused)].sort()).toEqual(Object.keys(CODES).sort());
});

function titleOf({ check, shape, code }: ClientRefusal): string {
  return `${check} (${shape}): ${code}`;
}
