/**
 * @file The aggregator of a Paillier secure sum: multiplies ciphertexts and sees nothing else. It
 * takes one signed input from each of the cohort's clients, as many as come, and passes on a
 * refreshed sum, which cannot be matched with what came in.
 */

import { LinearState } from '../linear-state.ts';
import { addCiphertexts, decodeCiphertexts, encodeCiphertexts } from './ciphertexts.ts';
import type { Encryptor } from './encryptor.ts';
import { guarded, type PaillierFault } from './faults.ts';
import { type CohortSetup, InputList } from './input-list.ts';
import { statementOf } from './input-statement.ts';
import type { EncryptedInput, EncryptedSum } from './messages.ts';
import { ledgerProblem, type UseOnce } from './use-once.ts';

export interface AggregatorSetup extends CohortSetup, UseOnce {
  /** For refreshing, with the aggregator's own randomness. */
  readonly encryptor: Encryptor;
}

export type AggregatorState = LinearState<Aggregation>;

/** Moves on from state to state; only the newest state can use it. */
interface Aggregation {
  readonly setup: AggregatorSetup;
  readonly list: InputList;
  sum: readonly bigint[] | undefined;
}

export interface AggregatorContinued {
  readonly kind: 'continue';
  readonly state: AggregatorState;
}

export interface AggregatorFinished {
  readonly kind: 'finish';
  readonly message: EncryptedSum;
}

/** @throws ProtocolError `invalid-argument` */
export function startAggregator(setup: AggregatorSetup): AggregatorState {
  const list = new InputList(setup, setup.encryptor.publicKey, {
    stage: 'collect-inputs',
    masked: false,
    fromClients: true,
  });
  return stateOf({ setup, list, sum: undefined });
}

/**
 * Takes one client's input. A fault refuses it and leaves the state usable; success gives the next.
 * @throws ProtocolError `state-consumed`
 */
export function handleAtAggregator(
  state: AggregatorState,
  input: EncryptedInput,
): AggregatorContinued | PaillierFault {
  const aggregation = state.peek();
  const { setup, list, sum } = aggregation;
  const { publicKey } = setup.encryptor;
  const statement = statementOf(input);
  const problem = list.problemOf(statement, input.signature);
  if (problem !== undefined) return problem;
  const ciphertexts = guarded('collect-inputs', input.client, () =>
    decodeCiphertexts(publicKey, input.ciphertexts, setup.plan.plaintexts),
  );
  if (!Array.isArray(ciphertexts)) return ciphertexts;

  state.consume();
  list.add(statement, input.signature);
  aggregation.sum = sum === undefined ? ciphertexts : addCiphertexts(publicKey, sum, ciphertexts);
  return { kind: 'continue', state: stateOf(aggregation) };
}

/**
 * The refreshed sum of those who sent, once a session, or a fault that names who is missing where they
 * are too few; waiting longer is then still possible.
 * @throws ProtocolError `state-consumed`
 */
export function finishAggregator(state: AggregatorState): AggregatorFinished | PaillierFault {
  const { setup, list, sum } = state.peek();
  const problem = list.problemOfSize() ?? ledgerProblem('aggregate', setup, list.header);
  if (problem !== undefined) return problem;
  state.consume();
  const { encryptor } = setup;
  const refreshed = encryptor.refresh(sum ?? []);
  return {
    kind: 'finish',
    message: {
      kind: 'encrypted-sum',
      ...list.header,
      masked: false,
      contextHash: list.contextHash,
      inputs: list.inputs,
      ciphertexts: encodeCiphertexts(encryptor.publicKey, refreshed),
    },
  };
}

function stateOf(aggregation: Aggregation): AggregatorState {
  return new LinearState('the aggregator', aggregation);
}
