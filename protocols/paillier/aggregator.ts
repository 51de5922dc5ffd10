/**
 * @file The aggregator of a Paillier secure sum: multiplies ciphertexts and sees nothing else. It
 * takes exactly one input from every listed client and passes on a refreshed sum, which cannot be
 * matched with what came in.
 */

import { equalBytes, sha256 } from '#crypto';
import { toHex } from '../crypto/bytes.ts';
import { fault, ProtocolError } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import { addCiphertexts, decodeCiphertexts, encodeCiphertexts } from './ciphertexts.ts';
import type { Encryptor } from './encryptor.ts';
import { checkSession, guarded, type PaillierFault, problemOfMessage } from './faults.ts';
import type { EncryptedInput, EncryptedSum, PaillierSession } from './messages.ts';
import type { PackingPlan } from './packing.ts';

export interface AggregatorSetup extends PaillierSession {
  readonly plan: PackingPlan;
  /** The cohort: as many as the plan was made for. */
  readonly clients: readonly string[];
  /** For refreshing, with the aggregator's own randomness. */
  readonly encryptor: Encryptor;
}

export type AggregatorState = LinearState<Aggregation>;

/** Moves on from state to state; only the newest state can use it. */
interface Aggregation {
  readonly setup: AggregatorSetup;
  readonly cohort: ReadonlySet<string>;
  readonly received: Set<string>;
  /** Who sent what, by hash. */
  readonly senders: Map<string, string>;
  contextHash: Uint8Array | undefined;
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
  checkSession(setup);
  const { plan, clients, encryptor } = setup;
  const cohort = new Set(clients);
  if (cohort.size !== clients.length || clients.length !== plan.clients) {
    throw new ProtocolError(
      'invalid-argument',
      `the plan is for ${plan.clients} different clients, got ${clients.length} (${cohort.size} different)`,
    );
  }
  if (plan.modulusBits !== encryptor.publicKey.modulusBits) {
    throw new ProtocolError('invalid-argument', 'the plan is for a modulus of another size');
  }
  return stateOf({
    setup,
    cohort,
    received: new Set(),
    senders: new Map(),
    contextHash: undefined,
    sum: undefined,
  });
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
  const { setup, cohort, received, senders, contextHash, sum } = aggregation;
  const { client } = input;
  const { publicKey } = setup.encryptor;
  const refuse = (code: PaillierFault['code'], message: string): PaillierFault =>
    fault('collect-inputs', code, message, client);

  const expected = { ...setup, key: publicKey.fingerprint, plan: setup.plan.hash };
  const problem = problemOfMessage('collect-inputs', input, expected, client);
  if (problem !== undefined) return problem;
  if (!cohort.has(client)) return refuse('unknown-client', `"${client}" is not of this cohort`);
  if (received.has(client)) return refuse('duplicate-message', `"${client}" sent two inputs`);
  if (contextHash !== undefined && !equalBytes(input.contextHash, contextHash)) {
    return refuse('context-mismatch', `"${client}" encrypted values from another context`);
  }
  // Sending on another client's ciphertext would make the sum tell twice its value.
  const digest = toHex(sha256(input.ciphertexts));
  const sender = setup.plan.plaintexts === 0 ? undefined : senders.get(digest);
  if (sender !== undefined) return refuse('copied-input', `"${client}" sent what "${sender}" sent`);
  const ciphertexts = guarded('collect-inputs', client, () =>
    decodeCiphertexts(publicKey, input.ciphertexts, setup.plan.plaintexts),
  );
  if (!Array.isArray(ciphertexts)) return ciphertexts;

  state.consume();
  received.add(client);
  senders.set(digest, client);
  aggregation.contextHash = input.contextHash;
  aggregation.sum = sum === undefined ? ciphertexts : addCiphertexts(publicKey, sum, ciphertexts);
  return { kind: 'continue', state: stateOf(aggregation) };
}

/**
 * The refreshed sum, or a fault that names who is missing; waiting longer is then still possible.
 * @throws ProtocolError `state-consumed`
 */
export function finishAggregator(state: AggregatorState): AggregatorFinished | PaillierFault {
  const { setup, received, sum } = state.peek();
  const missing = setup.clients.filter((client) => !received.has(client));
  if (missing.length > 0 || sum === undefined) {
    return fault(
      'aggregate',
      'missing-clients',
      `${missing.length} of ${setup.clients.length} clients sent no input: ${missing.slice(0, 10).join(', ')}`,
      missing[0],
    );
  }
  state.consume();
  const { session, round, plan, clients, encryptor } = setup;
  return {
    kind: 'finish',
    message: {
      kind: 'encrypted-sum',
      masked: false,
      session,
      round,
      clients,
      key: encryptor.publicKey.fingerprint,
      plan: plan.hash,
      ciphertexts: encodeCiphertexts(encryptor.publicKey, encryptor.refresh(sum)),
    },
  };
}

function stateOf(aggregation: Aggregation): AggregatorState {
  return new LinearState('the aggregator', aggregation);
}
