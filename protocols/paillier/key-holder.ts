/**
 * @file The key holder of a Paillier secure sum: announces a key and decrypts one sum a session, of
 * enough clients, so that it serves nobody as a decryption oracle.
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import { decodeCiphertexts } from './ciphertexts.ts';
import { decrypt } from './decryption.ts';
import { checkSession, guarded, type PaillierFault, problemOfMessage } from './faults.ts';
import {
  type AnnouncedKey,
  type DecryptedSum,
  type EncryptedSum,
  encodePlaintexts,
  type PaillierSession,
} from './messages.ts';
import type { PackingPlan } from './packing.ts';
import type { PaillierPrivateKey } from './private-key.ts';

export interface KeyHolderSetup extends PaillierSession {
  readonly privateKey: PaillierPrivateKey;
  readonly plan: PackingPlan;
  /** The fewest inputs a sum may have. @default as many as the plan has clients */
  readonly minimumInputs?: number;
  /**
   * `masked`: a separate key holder, which must learn nothing. `unmasked`: the server itself, for
   * whom the sum is meant.
   */
  readonly decrypts: 'masked' | 'unmasked';
}

export type KeyHolderState = LinearState<{ readonly setup: KeyHolderSetup }>;

export interface KeyHolderStarted {
  readonly kind: 'continue';
  readonly state: KeyHolderState;
  /** To everybody. */
  readonly message: AnnouncedKey;
}

export interface KeyHolderFinished {
  readonly kind: 'finish';
  /** To the server. */
  readonly message: DecryptedSum;
}

/** @throws ProtocolError `invalid-argument` */
export function startKeyHolder(setup: KeyHolderSetup): KeyHolderStarted {
  checkSession(setup);
  const { session, round, privateKey } = setup;
  return {
    kind: 'continue',
    state: new LinearState('the key holder', { setup }),
    message: { kind: 'announced-key', session, round, n: privateKey.publicKey.n },
  };
}

/**
 * Decrypts the one sum of the session. A message refused before decryption leaves the state usable;
 * decryption consumes it, whatever comes of it.
 * @throws ProtocolError `state-consumed`
 */
export function decryptAtKeyHolder(
  state: KeyHolderState,
  sum: EncryptedSum,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): KeyHolderFinished | PaillierFault {
  const { setup } = state.peek();
  const { session, round, privateKey, plan, decrypts } = setup;
  const { publicKey } = privateKey;
  const minimumInputs = setup.minimumInputs ?? plan.clients;
  const expected = { session, round, key: publicKey.fingerprint, plan: plan.hash };
  const problem = problemOfMessage('decrypt', sum, expected);
  if (problem !== undefined) return problem;
  if (decrypts === 'masked' && !sum.masked) {
    return fault('decrypt', 'not-masked', 'this key holder decrypts only sums under a mask');
  }
  if (new Set(sum.clients).size !== sum.clients.length) {
    return fault('decrypt', 'duplicate-client', 'the sum names a client twice');
  }
  if (sum.clients.length < minimumInputs) {
    return fault(
      'decrypt',
      'too-few-inputs',
      `the sum has ${sum.clients.length} inputs, at least ${minimumInputs} are asked for`,
    );
  }
  if (sum.clients.length > plan.clients) {
    return fault(
      'decrypt',
      'too-many-inputs',
      `the sum has ${sum.clients.length} inputs, its slots are for ${plan.clients}`,
    );
  }
  const ciphertexts = guarded('decrypt', undefined, () =>
    decodeCiphertexts(publicKey, sum.ciphertexts, plan.plaintexts),
  );
  if (!Array.isArray(ciphertexts)) return ciphertexts;

  state.consume();
  return guarded('decrypt', undefined, () => ({
    kind: 'finish',
    message: {
      kind: 'decrypted-sum',
      session,
      round,
      key: publicKey.fingerprint,
      plan: plan.hash,
      plaintexts: encodePlaintexts(publicKey, decrypt(privateKey, ciphertexts, { rng })),
    },
  }));
}
