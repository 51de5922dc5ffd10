/**
 * @file What the parties of a Paillier sum do: the key holder makes a key and decrypts, clients
 * encrypt, an aggregator adds or keeps masks. Each under its own policy, whatever the server asks for.
 */

import { memoryLedger } from '../../protocols/index.ts';
import type { Operator } from '../leaf/operator.ts';
import { simulatedIdentities } from './identities.ts';
import { aggregatorOperators } from './paillier/aggregator-operators.ts';
import { clientOperators } from './paillier/client-operators.ts';
import { keyHolderOperators } from './paillier/key-holder-operators.ts';
import { keyOperators } from './paillier/key-operators.ts';
import type { PaillierPolicy, PaillierTerms } from './paillier/policy.ts';

export function paillierOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    ...keyOperators(policy),
    ...clientOperators(policy),
    ...aggregatorOperators(policy),
    ...keyHolderOperators(policy),
  ];
}

/** The same as data, for another thread of a simulation. */
export interface PaillierOperatorRecipe {
  readonly terms: PaillierTerms;
  /** The seed of simulated identities, which are the only ones that another thread can have. */
  readonly identities: Uint8Array;
}

export function paillierOperatorsOfRecipe({
  terms,
  identities,
}: PaillierOperatorRecipe): readonly Operator[] {
  return paillierOperators({
    ...terms,
    identities: simulatedIdentities(identities),
    ledger: memoryLedger(),
  });
}
