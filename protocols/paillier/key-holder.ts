/**
 * @file The key holder of a Paillier secure sum: decrypts one sum a session, of enough signed inputs,
 * so that it serves nobody as a decryption oracle.
 *
 * A sum that somebody else added up is decrypted on that one's word: the list of its inputs is
 * signed by the clients, but that the ciphertexts are their product cannot be seen without them, and
 * whoever holds the key must not see them. A key holder that adds itself can: there the clients mask
 * their values first (`encryptMaskedInput`), so that it may have their ciphertexts.
 */

import type { Rng } from '../crypto/interface.ts';
import { fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import { addCiphertexts, decodeCiphertexts } from './ciphertexts.ts';
import { decryptVerifiably } from './decryption.ts';
import { guarded, type PaillierFault, problemOfMessage } from './faults.ts';
import { type CohortSetup, InputList } from './input-list.ts';
import { NO_MASK, statementOf } from './input-statement.ts';
import type { DecryptedSum, EncryptedInput, EncryptedSum } from './messages.ts';
import { encodePlaintexts } from './plaintexts.ts';
import type { PaillierPrivateKey } from './private-key.ts';
import { ledgerProblem, type UseOnce } from './use-once.ts';

export interface KeyHolderSetup extends CohortSetup, UseOnce {
  readonly privateKey: PaillierPrivateKey;
  /**
   * `masked`: a separate key holder, which must learn nothing of a sum that others added.
   * `unmasked`: the server itself, for whom the sum is meant. `masked-inputs`: a separate key holder
   * that adds the inputs itself, each masked by its client.
   */
  readonly decrypts: 'masked' | 'unmasked' | 'masked-inputs';
}

export type KeyHolderState = LinearState<Holding>;

/** Moves on from state to state; only the newest state can use it. */
interface Holding {
  readonly setup: KeyHolderSetup;
  readonly list: InputList;
  product: readonly bigint[] | undefined;
}

export interface KeyHolderContinued {
  readonly kind: 'continue';
  readonly state: KeyHolderState;
}

export interface KeyHolderFinished {
  readonly kind: 'finish';
  /** To the server. */
  readonly message: DecryptedSum;
}

interface Options {
  readonly rng?: Rng;
}

/** @throws ProtocolError `invalid-argument` */
export function startKeyHolder(setup: KeyHolderSetup): KeyHolderState {
  const fromClients = setup.decrypts === 'masked-inputs';
  const list = new InputList(setup, setup.privateKey.publicKey, {
    stage: 'decrypt',
    masked: fromClients,
    fromClients,
  });
  return stateOf({ setup, list, product: undefined });
}

/**
 * Decrypts a sum that was added elsewhere. A message refused before decryption leaves the state
 * usable; decryption consumes it and the session, whatever comes of it.
 * @throws ProtocolError `state-consumed`
 */
export function decryptAtKeyHolder(
  state: KeyHolderState,
  sum: EncryptedSum,
  options: Options = {},
): KeyHolderFinished | PaillierFault {
  const { setup } = state.peek();
  const { plan, privateKey, decrypts } = setup;
  const { publicKey } = privateKey;
  // An account of this one message, so that a refused one leaves nothing behind.
  const list = new InputList(setup, publicKey, {
    stage: 'decrypt',
    masked: false,
    fromClients: false,
  });
  const problem = problemOfMessage('decrypt', sum, list.header);
  if (problem !== undefined) return problem;
  if (decrypts === 'masked-inputs') {
    return fault('decrypt', 'not-masked', 'this key holder adds up masked inputs itself');
  }
  if (decrypts === 'masked' && !sum.masked) {
    return fault('decrypt', 'not-masked', 'this key holder decrypts only sums under a mask');
  }
  if (sum.inputs.length > plan.clients) {
    return fault(
      'decrypt',
      'too-many-inputs',
      `the sum has ${sum.inputs.length} inputs, its slots are for ${plan.clients}`,
    );
  }
  for (const input of sum.inputs) {
    const { contextHash } = sum;
    const statement = { ...list.header, ...input, contextHash, maskCommitment: NO_MASK };
    const wrong = list.problemOf(statement, input.signature);
    if (wrong !== undefined) return wrong;
    list.add(statement, input.signature);
  }
  const ciphertexts = guarded('decrypt', undefined, () =>
    decodeCiphertexts(publicKey, sum.ciphertexts, plan.plaintexts),
  );
  if (!Array.isArray(ciphertexts)) return ciphertexts;
  return decryptOnce(state, list, ciphertexts, options);
}

/**
 * Adds one client's masked input. A fault refuses it and leaves the state usable; success gives the
 * next.
 * @throws ProtocolError `state-consumed`
 */
export function handleAtKeyHolder(
  state: KeyHolderState,
  input: EncryptedInput,
): KeyHolderContinued | PaillierFault {
  const holding = state.peek();
  const { setup, list, product } = holding;
  const { publicKey } = setup.privateKey;
  if (setup.decrypts !== 'masked-inputs') {
    return fault('decrypt', 'not-masked', 'this key holder takes no inputs, only sums of them');
  }
  const statement = statementOf(input);
  const problem = list.problemOf(statement, input.signature);
  if (problem !== undefined) return problem;
  const ciphertexts = guarded('decrypt', input.client, () =>
    decodeCiphertexts(publicKey, input.ciphertexts, setup.plan.plaintexts),
  );
  if (!Array.isArray(ciphertexts)) return ciphertexts;

  state.consume();
  list.add(statement, input.signature);
  holding.product =
    product === undefined ? ciphertexts : addCiphertexts(publicKey, product, ciphertexts);
  return { kind: 'continue', state: stateOf(holding) };
}

/**
 * Decrypts the sum of the inputs it was given. A fault for too few leaves the state usable.
 * @throws ProtocolError `state-consumed`
 */
export function finishKeyHolder(
  state: KeyHolderState,
  options: Options = {},
): KeyHolderFinished | PaillierFault {
  const { list, product } = state.peek();
  return decryptOnce(state, list, product ?? [], options);
}

function decryptOnce(
  state: KeyHolderState,
  list: InputList,
  ciphertexts: readonly bigint[],
  options: Options,
): KeyHolderFinished | PaillierFault {
  const { setup } = state.peek();
  const { privateKey } = setup;
  const problem = list.problemOfSize() ?? ledgerProblem('decrypt', setup, list.header);
  if (problem !== undefined) return problem;
  // From here on the session counts as used: faults could be provoked until one leaks.
  state.consume();
  return guarded('decrypt', undefined, () => {
    const { plaintexts, root } = decryptVerifiably(privateKey, ciphertexts, options);
    return {
      kind: 'finish',
      message: {
        kind: 'decrypted-sum',
        ...list.header,
        clients: list.clients,
        plaintexts: encodePlaintexts(privateKey.publicKey, plaintexts),
        root,
      },
    };
  });
}

function stateOf(holding: Holding): KeyHolderState {
  return new LinearState('the key holder', holding);
}
